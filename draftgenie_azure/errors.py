"""The exception tree, and the table from ARM error codes to advice.

    DeployerError            what failed, and a remedy
    ├── ConfigError          every fault of the configuration at once
    ├── UsageError           the command line cannot be used
    ├── StateError           the state document cannot be used or saved
    │   ├── OtherLineageError   another state manages the resource group
    │   ├── StateLockedError    another run holds its lock
    │   ├── LockLostError       the lock that this run held is no longer its own
    │   └── StateConflictError  another process changed the state
    ├── AzureError           Azure refused a request, or an operation failed
    │   ├── AuthenticationError
    │   └── OperationFailedError
    ├── RefusedError         what the command asks for is not to be done; nothing was changed
    ├── UnchangeableError    Azure cannot change what the configuration changes
    ├── ConflictError        Azure would refuse the configuration together with what others set
    ├── MigrationError       a migration ended badly
    ├── NoEmulatorError      a dry run found no emulator to read from
    ├── PrerequisiteError    something that a deployment needs is missing
    ├── BuildError           an image could not be packed or built
    ├── DeploymentError      several steps failed
    └── VerificationError    what was deployed does not work

    StopRequested            the run was asked to stop; a KeyboardInterrupt, so that no handler of errors swallows it
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class DeployerError(Exception):
    """A failure that the user can act on.

    Args:
        message: what failed and why, without secrets.
        hint: what to do next; None if the message suffices.
        details: output of a container, build or job; shown, but not stored.

    Attributes:
        paragraph: anchor of the paragraph about such failures in docs/troubleshooting.md.
        usual_hint: what to do next where nothing more is known.
    """

    paragraph = "other-failures"
    usual_hint = "Run again: what is completed is not repeated. If it fails in the same way, the log has the details."

    def __init__(self, message: str, *, hint: str | None = None, details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    @property
    def parts(self) -> list[DeployerError]:
        """Return the failures that were raised together, or this one."""
        return [self]

    def put_in_front(self, name: str) -> None:
        """Prefix the message of each failure with a name."""
        for part in self.parts:
            part.message = f"{name}: {part.message}"
            part.args = (part.message,)
        self.message = "\n".join(part.message for part in self.parts)
        self.args = (self.message,)


class Fault:
    """One fault of the configuration: its location, what was found, what is allowed."""

    __slots__ = ("file", "key", "line", "message")

    def __init__(self, message: str, *, key: str = "", file: str = "", line: int | None = None) -> None:
        self.message = message
        self.key = key
        self.file = file
        self.line = line

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line is not None else self.file
        return ": ".join(part for part in (place, self.key, self.message) if part)


class ConfigError(DeployerError):
    """The configuration is unusable; `faults` lists every fault."""

    paragraph = "the-configuration-has-faults"
    usual_hint = "Nothing was changed. Fix what is listed, then run again."

    def __init__(self, faults: Sequence[Fault], *, hint: str | None = None) -> None:
        count = len(faults)
        lines = "\n".join(f"  {fault}" for fault in faults)
        super().__init__(f"the configuration has {count} fault{'s' * (count != 1)}:\n{lines}", hint=hint)
        self.faults = list(faults)


class UsageError(DeployerError):
    """The command line is invalid.

    Args:
        message: what is wrong, in the parser's words: `argument --flag: ...`.
    """

    paragraph = "the-command-line-cannot-be-used"
    usual_hint = "deploy-azure_v1.py --help lists the flags."

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        head, _, rest = message.partition(": ")
        flag = head.removeprefix("argument ").split("/")[0] if head.startswith("argument -") else ""
        self.faults = [Fault(rest if flag else message, key=flag)]


class StateError(DeployerError):
    """The state document is incomplete, truncated, foreign, newer, or could not be saved."""

    paragraph = "the-state-cannot-be-used"
    usual_hint = "--status shows what is recorded; --restore-state FILE puts an earlier copy of the state back."


class OtherLineageError(StateError):
    """The resource group is marked as managed by another state."""

    paragraph = "another-state-manages-the-group"


class StateLockedError(StateError):
    """Another run holds the lock on the state."""

    paragraph = "the-state-is-locked"
    usual_hint = "Wait until the other run has ended (--lock-timeout 10m), then run again."


class LockLostError(StateError):
    """The lock was broken, or not renewed for so long that another run may hold it."""

    paragraph = "the-lock-is-lost"
    usual_hint = "Run again when the other run has ended: it continues from what is saved."


class StateConflictError(StateError):
    """The stored state is not the one last read or written by this run, so it is not overwritten."""

    paragraph = "the-state-was-changed-by-another-process"
    usual_hint = "Run again when the other run has ended: it continues from what is saved."


class AzureError(DeployerError):
    """Azure refused a request, or an accepted operation failed.

    Args:
        code: the ARM error code, the innermost meaningful one.
        status: HTTP status; None if an operation failed after it was accepted.
        request_id: Azure's own id of the request, for support.
        correlation_id: the id that all requests of the run have in Azure's activity log.
        transient: True if it may pass by itself: no reply, throttling, a server error, another operation.
        retry_after: seconds that Azure asks to wait before another try.
    """

    paragraph = "azure-refused-a-request"

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        status: int | None = None,
        request_id: str | None = None,
        correlation_id: str | None = None,
        hint: str | None = None,
        transient: bool = False,
        retry_after: float | None = None,
        details: str = "",
    ) -> None:
        super().__init__(message, hint=hint or advice(code, message), details=details)
        self.transient = transient
        self.retry_seconds = float("inf")  # seconds to wait at most for it to pass
        self.retry_after = retry_after
        self.code = code
        self.status = status
        self.request_id = request_id
        self.correlation_id = correlation_id

    @property
    def usual_hint(self) -> str:  # type: ignore[override]  # by status, more specific than by class
        """Advice for an error with an unknown code."""
        if self.status is not None and self.status >= 500:
            return "Azure has a fault of its own. Run again in a few minutes; https://status.azure.com has outages."
        return _USUAL_BY_STATUS.get(self.status or 0, _USUAL)


class AuthenticationError(AzureError):
    """No token could be obtained, or Azure rejects it."""

    paragraph = "the-sign-in-failed"


class OperationFailedError(AzureError):
    """An operation failed or was canceled; with any other error its outcome is open."""

    paragraph = "an-operation-failed-in-azure"


class RefusedError(DeployerError):
    """The request was refused, or not confirmed; nothing was changed."""

    paragraph = "the-command-was-refused"
    usual_hint = "Nothing was changed."


class UnchangeableError(DeployerError):
    """The configuration changes what Azure cannot change once it exists."""

    paragraph = "azure-cannot-change-this"


class ConflictError(DeployerError):
    """Azure would refuse the configuration together with what others set."""

    paragraph = "azure-refused-a-request"


class MigrationError(DeployerError):
    """A migration ended badly."""

    paragraph = "a-migration-failed"


class NoEmulatorError(DeployerError):
    """A run that writes nothing found no emulator, and started none."""

    paragraph = "there-is-no-emulator-yet"


class BuildError(DeployerError):
    """A build context could not be packed, or an image could not be built."""

    paragraph = "an-image-was-not-built"
    usual_hint = "Fix the Dockerfile, its ignore file or what they name, then run again."


class PrerequisiteError(DeployerError):
    """Something that a deployment needs is missing; found before anything was made."""

    paragraph = "a-prerequisite-is-missing"
    usual_hint = "Nothing was made yet. Correct this, then run again."


class DeploymentError(DeployerError):
    """Several steps failed in one run; `errors` has each of them."""

    def __init__(self, errors: Sequence[DeployerError]) -> None:
        super().__init__("\n".join(error.message for error in errors))
        self.errors = list(errors)

    @property
    def parts(self) -> list[DeployerError]:
        """The failures."""
        return self.errors


class VerificationError(DeployerError):
    """A deployed service does not respond, or not correctly."""

    paragraph = "a-service-does-not-work"
    usual_hint = "Fix the service named, then run again. --logs SERVICE shows more of its log."


class StopRequested(KeyboardInterrupt):
    """A stop was requested (Ctrl-C, SIGTERM); operations in Azure continue."""


_USUAL = "Run again: what is failed is sent again. If it fails in the same way, look at the resource's activity log."
_USUAL_BY_STATUS = {
    400: "Azure does not accept a value of this resource. Fix its section of the configuration, then run again.",
    401: "Sign in again: az login.",
    403: "The signed-in principal lacks a right, or something forbids this. Have whoever manages the subscription look "
    "at the message, then run again.",
    404: "It may have been deleted in the meantime. Run again with --refresh.",
    408: "Azure did not answer in time. Run again in a few minutes.",
    409: "Something else holds or changed the resource: its activity log names it. Then run again.",
    429: "Azure limits the number of requests. Run again in a few minutes, with a smaller --parallelism.",
}

# The advice for a reply that is not Azure's.
NOT_AZURE = "Something between here and Azure may answer: look at proxy and network, then run again."

# What a resource provider answers that the subscription is not registered for.
UNREGISTERED_CODES = frozenset({"MissingSubscriptionRegistration", "SubscriptionNotRegistered"})

# Another operation, possibly of our own interrupted run, blocks the resource: wait and retry.
BUSY_CODES = frozenset(
    {
        "AnotherOperationInProgress",
        "Conflict",
        "ContainerAppLockConflict",
        "ContainerAppOperationInProgress",
        "ManagedEnvironmentNotReadyForAppCreation",
        "ManagedEnvironmentOperationInProgress",
        "RequestConflict",
        "ResourceGroupBeingDeleted",
        "ServerBusy",
    }
)

# Codes and what to do about them. Sources: github.com/Azure/azure-dev `error_suggestions.yaml`, the Azure SDKs for
# Python, learn.microsoft.com troubleshooting pages, and the issues that `match` quotes from.
ADVICE: Mapping[str, str] = {
    **dict.fromkeys(
        BUSY_CODES,
        "Another operation on the resource did not end in time. Run again when it has: its activity log names it.",
    ),
    "AuthorizationFailed": "The signed-in principal lacks a role. Give it Owner, or Contributor with "
    "'Role Based Access Control Administrator', on the subscription or the resource group: az role assignment create "
    "--assignee PRINCIPAL --role ROLE --scope SCOPE.",
    "LinkedAuthorizationFailed": "The signed-in principal lacks a role on the other resource that the message names. "
    "Have it given there, then run again.",
    "DenyAssignmentAuthorizationFailed": "A deny assignment (of a deployment stack or a managed application) forbids "
    "this, whatever the roles. Change it, or use another resource group.",
    "ScopeLocked": "A management lock protects this resource. Remove it (az lock list, az lock delete --ids ID), or "
    "leave the resource alone.",
    "RequestDisallowedByPolicy": "An Azure Policy forbids this. Change the configuration, or ask for an exemption.",
    **dict.fromkeys(
        ("MissingSubscriptionRegistration", "SubscriptionNotRegistered"),
        "Register the resource provider: az provider register --wait --namespace NAMESPACE",
    ),
    "NoRegisteredProviderFound": "The region or API version is not offered to this subscription. --force-step "
    "check_prerequisites finds an API version that is; else try another region.",
    "EnvironmentNotEnabledForWorkloadProfiles": "The environment was made without workload profiles, and Azure cannot "
    "add them later. Choose another container_apps.environment_name; apps are made again in it.",
    "InvalidResourceGroupLocation": "The resource group exists in another region. Use that region, or another name.",
    "InvalidResourceLocation": "A resource of this name exists in another region. Use that region, or another name.",
    "LocationNotAvailableForResourceType": "The region does not offer this kind of resource. Choose another "
    "region for it in `locations`.",
    "LocationIsOfferRestricted": "The region is closed to this subscription. Set another `locations.postgres_server`.",
    "ParameterOutOfRange": "The region offers no such size to this subscription. Try another region or size.",
    "SkuNotAvailable": "The region does not offer this size to the subscription. Choose another size, or another "
    "region in `locations`.",
    "QuotaExceeded": "The subscription's quota is used up. Ask for more, or free some.",
    "InsufficientQuota": "The subscription's quota is used up. Ask for more, or free some.",
    "SubscriptionIsOverQuotaForSku": "The subscription's quota is used up. Ask for more, or choose another size.",
    "MaxNumberOfRegionalEnvironmentsInSubExceeded": "The subscription has no room for another Container Apps "
    "environment in the region. Delete one, ask for quota, or set another `locations.container_apps`.",
    "MaxNumberOfGlobalEnvironmentsInSubExceeded": "The subscription has no room for another Container Apps "
    "environment. Delete one, or ask for quota.",
    "ManagedEnvironmentNoAvailableCapacityInRegion": "The region has no room for another Container Apps environment. "
    "Set another `locations.container_apps`, or run again later.",
    "FlagMustBeSetForRestore": "A deleted vault holds this name. Recover or purge it, or choose another name.",
    "VaultAlreadyExists": "The vault name is taken, perhaps by a deleted vault elsewhere. Choose another "
    "`key_vault.name`.",
    "ForbiddenByRbac": "The signed-in principal may not do this in the vault. Give it a role there: az role assignment "
    "create --assignee PRINCIPAL --role 'Key Vault Secrets Officer' --scope VAULT-ID.",
    "ForbiddenByFirewall": "The vault's firewall does not admit this address. Add it (az keyvault network-rule add), "
    "or run from a network that it admits.",
    "AlreadyInUse": "The registry name is taken. Choose another `container_registry.name`.",
    "RegistryNameAlreadyInUse": "The registry name is taken. Choose another `container_registry.name`.",
    "NameNotAvailable": "The name is already taken, globally. Choose another in the configuration.",
    "ServerStoppedError": "Start the server (az postgres flexible-server start --name NAME --resource-group GROUP), "
    "then run again.",
    "ServerNameAlreadyExists": "The server name is taken. Choose another `postgresql.server_name`.",
    "RoleAssignmentUpdateNotPermitted": "The assignment's name belongs to another principal. Delete that assignment: "
    "az role assignment delete --ids ID.",
    "PrincipalNotFound": "The identity is not known to the directory yet. Run again in a minute.",
    "ManagedEnvironmentNotProvisioned": "The environment failed. Run again: --force-step create_container_apps_env.",
    "ContainerAppSecretInvalid": "The app's secret list is wrong. Look at services.*.secrets.",
    "ContainerAppSecretKeyVaultUrlInvalid": "The app's identity cannot read the secret. Look at its role on the vault.",
    "TasksOperationsNotAllowed": "This subscription may not build in the registry (free credits). "
    "Set `docker.builder` to docker, which builds on this machine, or use a subscription that is paid for.",
    "ExpiredAuthenticationToken": "The token ran out. Sign in again (az login).",
    "InvalidAuthenticationToken": "The token is not accepted. Sign in again (az login), and look at the tenant.",
    "InvalidAuthenticationTokenTenant": "The token is of another tenant. Sign in to the subscription's tenant: az "
    "login --tenant TENANT.",
    "ReadOnlyDisabledSubscription": "Enable the subscription (portal: Subscriptions), or set another "
    "`azure.subscription_id`.",
    "SubscriptionNotFound": "The subscription is not there or not visible to you. Look at `azure.subscription_id`.",
    "ServerEditionIncompatibleWithSkuSize": "`postgresql.tier` does not fit `postgresql.sku`: Standard_B… is "
    "Burstable, Standard_D… GeneralPurpose, Standard_E… MemoryOptimized.",
    "ContainerAppInvalidName": "Azure refuses the app's name. Look at services.*.name.",
    "InvalidEnvironmentId": "The environment is not there. Run again with --force-step create_container_apps_env.",
    "InvalidParameterValueInContainerTemplate": "Azure refuses a value of the app named. Look at its service in the "
    "configuration; where a secret is named, at the role of the apps' identity on the vault.",
    "ManagedEnvironmentInvalidName": "Azure refuses the environment's name. Look at container_apps.environment_name.",
    "VaultNameNotValid": "Azure refuses the vault's name. Look at key_vault.name.",
    "ResourceGroupBeingDeleted": "The resource group is being deleted. Wait until it is gone, then run again.",
}

# For ambiguous codes, text of the message decides; tried in this order.
_ADVICE_BY_TEXT: Sequence[tuple[str, str, str]] = (
    ("ConflictError", "already exists in deleted state", "Recover or purge the deleted vault (az keyvault "
     "list-deleted; az keyvault purge --name NAME --location REGION), or choose another `key_vault.name`."),
    ("AuthorizationFailed", "roleAssignments/write", "The signed-in principal may not assign roles. Give it Owner, or "
     "besides Contributor 'Role Based Access Control Administrator', on the subscription or the resource group."),
    ("Forbidden", "not authorized to perform action", ADVICE["ForbiddenByRbac"]),
    ("Forbidden", "Client address is not authorized", ADVICE["ForbiddenByFirewall"]),
    ("ContainerAppOperationError", "MANIFEST_UNKNOWN", "The image is not in the registry. Run again with "
     "--force-step build_and_push_images."),
    ("ContainerAppOperationError", "UNAUTHORIZED", "The identity may not pull the image. Look at its AcrPull role."),
    ("ConflictError", "changed from the point", "Another process writes to the vault. Run again when it is done."),
    ("", "Operation expired", "The app never got ready. Its log and state are shown by the step verify_deployment."),
)


def advice(code: str, message: str = "") -> str | None:
    """Return the advice for an ARM error code, or None."""
    for wanted, text, fitting in _ADVICE_BY_TEXT:
        if text in message and wanted in ("", code):
            return fitting
    words = ADVICE.get(code)
    if words and "NAMESPACE" in words and "namespace '" in message:
        words = words.replace("NAMESPACE", message.split("namespace '", 1)[1].split("'", 1)[0])
    return words
