"""The advice for errors of Azure."""

from __future__ import annotations

import pytest

from draftgenie_azure.errors import ADVICE, AzureError, ConfigError, Fault

# Codes that end a run: nothing is waited for, so the user must act.
FINAL = (
    "AuthorizationFailed", "ScopeLocked", "RequestDisallowedByPolicy", "MissingSubscriptionRegistration",
    "NoRegisteredProviderFound", "InvalidResourceGroupLocation", "InvalidResourceLocation",
    "LocationNotAvailableForResourceType", "LocationIsOfferRestricted", "ParameterOutOfRange", "InsufficientQuota",
    "SubscriptionIsOverQuotaForSku", "MaxNumberOfRegionalEnvironmentsInSubExceeded", "AlreadyInUse",
    "MaxNumberOfGlobalEnvironmentsInSubExceeded", "ManagedEnvironmentNoAvailableCapacityInRegion",
    "FlagMustBeSetForRestore", "VaultAlreadyExists",
    "RoleAssignmentUpdateNotPermitted", "PrincipalNotFound", "ManagedEnvironmentNotProvisioned",
    "ContainerAppSecretInvalid", "ContainerAppSecretKeyVaultUrlInvalid", "InvalidParameterValueInContainerTemplate",
    "ContainerAppInvalidName", "ManagedEnvironmentInvalidName", "VaultNameNotValid", "InvalidEnvironmentId",
    "TasksOperationsNotAllowed", "ExpiredAuthenticationToken", "InvalidAuthenticationToken", "SubscriptionNotFound",
    "ServerEditionIncompatibleWithSkuSize", "RegistryNameAlreadyInUse", "ServerNameAlreadyExists",
)  # fmt: skip


@pytest.mark.parametrize("code", FINAL)
def test_code_that_ends_a_run_has_advice(code: str) -> None:
    """A sentence that says what to do, or what to look at."""
    assert ADVICE[code].endswith(".") or "az " in ADVICE[code]
    assert AzureError("it failed", code=code).hint == ADVICE[code]


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        ("ConflictError", "A vault with the same name already exists in deleted state", "Recover or purge"),
        ("ContainerAppOperationError", "Failed to pull: MANIFEST_UNKNOWN", "--force-step build_and_push_images"),
        ("ContainerAppOperationError", "Failed to pull: UNAUTHORIZED", "AcrPull"),
        ("ContainerAppOperationError", "Operation expired", "never got ready"),
    ],
)
def test_code_that_means_several_things_is_distinguished_by_its_words(code: str, message: str, words: str) -> None:
    """The same code, another cause."""
    hint = AzureError(message, code=code).hint

    assert hint is not None
    assert words in hint


def test_code_that_is_unknown_is_shown_as_it_is() -> None:
    """No advice is better than a wrong one."""
    error = AzureError("PUT x: 400 StrangeCode: something odd", code="StrangeCode")

    assert error.hint is None
    assert "StrangeCode: something odd" in error.message


def test_faults_of_a_configuration_are_listed_one_per_line() -> None:
    """File, line and key first."""
    error = ConfigError([Fault("is wrong", key="a.b", file="x.yaml", line=3), Fault("is empty", file="y.yaml")])

    assert error.message == (
        "the configuration has 2 faults:\n  x.yaml:3: a.b: is wrong\n  y.yaml: is empty"
    )
