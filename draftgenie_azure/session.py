"""The session with Azure, opened once per run: sign-in, subscription, client, records."""

from __future__ import annotations

import base64
import gc
import json
import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from azure_emulator.attach import EmulatorError, attach
from draftgenie_azure.arm import credentials, ids
from draftgenie_azure.arm.client import ArmClient
from draftgenie_azure.arm.transport import Transport
from draftgenie_azure.constants import EMULATOR_DIRECTORY
from draftgenie_azure.errors import AzureError, DeployerError, NoEmulatorError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from typing import Any

    from azure.core.credentials import TokenCredential

    from azure_emulator.attach import Attached
    from draftgenie_azure.arm.plan import Plan
    from draftgenie_azure.config.clouds import Endpoints
    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.run.control import RunControl
    from draftgenie_azure.state.baseline import Baselines
    from draftgenie_azure.state.resource_records import ResourceRecords


@dataclass
class Session:
    """The context of the modules of `provision`.

    Attributes:
        config: the validated configuration.
        logger: logger of the run.
        control: stop request, lock and parallelism of the run.
        records: resources, secrets and operations of the state.
        transport: sends requests to Resource Manager and to data planes.
        arm: client for Azure Resource Manager.
        scope: the configured resource group, the prefix of every id.
        subscription: the live subscription.
        claims: the token's claims about the signed-in principal.
        adopt: True with `--adopt`.
        emulator: the attached emulator, if the configuration names one.
    """

    config: Config
    logger: logging.Logger
    control: RunControl
    records: ResourceRecords
    transport: Transport
    arm: ArmClient
    scope: ids.Scope
    subscription: dict[str, Any]
    claims: dict[str, Any]
    adopt: bool = False
    emulator: Attached | None = None
    on_warning: Callable[[str], None] = lambda text: None
    secrets_unknown: str | None = None  # see `provision.known_secrets`

    @property
    def tenant_id(self) -> str:
        """The subscription's tenant."""
        return str(self.subscription["tenantId"])

    @property
    def subscription_id(self) -> str:
        """The subscription's id."""
        return str(self.subscription["subscriptionId"])

    @property
    def principal(self) -> tuple[str, str]:
        """Object id and type of the signed-in principal."""
        kind = "User" if self.claims.get("idtyp") == "user" or "scp" in self.claims else "ServicePrincipal"
        return str(self.claims.get("oid", "")), kind

    @property
    def target(self) -> dict[str, Any]:
        """The deployment target that the state is bound to."""
        target: dict[str, Any] = {
            "cloud": self.config.endpoints.name,
            "subscription_id": self.subscription_id,
            "resource_group": self.config.azure.resource_group,
        }
        return target if self.emulator is None else target | {"emulator": self.emulator.emulator_id}

    def warn(self, text: str) -> None:
        """Log a warning that the summary repeats."""
        self.on_warning(text)

    def close(self) -> None:
        """Detach from the emulator, which ends with its last client."""
        if self.emulator is not None:
            self.emulator.close()


@dataclass(frozen=True)
class Mode:
    """The purpose of a session.

    Attributes:
        adopt: True with `--adopt`.
        read_only: an emulator started for this run writes no file.
        repair: revert changes made by others.
        baselines: what Azure returned after our last writes.
        plan: collects planned changes; with a plan nothing is written.
    """

    adopt: bool = False
    read_only: bool = False
    repair: bool = False
    baselines: Baselines | None = None
    plan: Plan | None = None


def open_session(
    config: Config,
    logger: logging.Logger,
    *,
    records: ResourceRecords,
    control: RunControl,
    mode: Mode,
    on_warning: Callable[[str], None] = lambda text: None,
) -> Session:
    """Sign in and find the subscription; on the emulator, start or join it first.

    Raises:
        AzureError: sign-in failed, or the subscription is missing, disabled or in another tenant.
        DeployerError: the emulator cannot be started.
    """
    gc.freeze()  # modules stay: looking through them again and again takes a twentieth of a short run
    gc.enable()  # disabled at the start of the command
    emulator = _attach_emulator(config, mode) if config.is_emulator else None
    subscription_id = config.azure.subscription_id or records.document["target"].get("subscription_id", "")
    if emulator is not None:
        subscription_id = subscription_id or emulator.subscription_id
    try:
        transport = _transport(config, emulator, subscription_id, control, logger)
        transport.versions.remember(records.document.get("api_versions"))
        arm = ArmClient(transport, records, control, baselines=mode.baselines, plan=mode.plan, repair=mode.repair)
        claims = token_claims(transport.token(transport.endpoints.audience))
        subscription_id = subscription_id or _only_subscription(arm)
        subscription = _read_subscription(arm, subscription_id, config.azure.tenant_id)
    except BaseException:  # including a stop: detach from the emulator, then re-raise
        if emulator is not None:
            emulator.close()
        raise
    return Session(
        config=config, logger=logger, control=control, records=records, transport=transport, arm=arm,
        scope=ids.Scope(subscription_id, config.azure.resource_group), subscription=subscription, claims=claims,
        adopt=mode.adopt, emulator=emulator, on_warning=on_warning,
    )  # fmt: skip


def _transport(
    config: Config, emulator: Attached | None, subscription_id: str, control: RunControl, logger: logging.Logger
) -> Transport:
    endpoints = config.endpoints
    if emulator is not None:
        endpoints = replace(endpoints, proxy=emulator.proxy_url, ca_file=str(emulator.ca_file))
    return Transport(
        endpoints=endpoints,
        credential=_credential(config, endpoints, emulator),
        subscription_id=subscription_id or "none",
        control=control,
        logger=logger,
        budget=float(config.advanced.operation_timeout),
    )


def _credential(config: Config, endpoints: Endpoints, emulator: Attached | None) -> credentials.SharedCredential:
    """Return the sign-in to the cloud or the emulator; one of an earlier session, such as a plan's, is reused.

    Another token may take seconds: the Azure CLI is started for each, and CI systems issue an assertion for each.
    """
    key = (endpoints, emulator.emulator_id if emulator is not None else None)
    shared = config.signed_in.get(key)
    if shared is None:
        shared = config.signed_in[key] = credentials.SharedCredential(_sign_in(config, endpoints, emulator))
    assert isinstance(shared, credentials.SharedCredential)
    return shared


def _sign_in(config: Config, endpoints: Endpoints, emulator: Attached | None) -> Callable[[], TokenCredential]:
    """Return the function that creates the credential for the cloud or the emulator."""
    if emulator is None:
        return partial(credentials.for_cloud, endpoints, config.azure.tenant_id)
    return partial(
        credentials.for_service_principal,
        endpoints,
        emulator.tenant_id,
        emulator.client_id,
        emulator.client_secret,
    )


def _attach_emulator(config: Config, mode: Mode) -> Attached:
    """Return the emulator of the first configuration's directory; for a plan without one, an empty emulator."""
    options = config.azure.emulator
    directory = Path(os.path.join(config.directory, EMULATOR_DIRECTORY))
    try:
        attached = attach(
            directory,
            scale=options.scale,
            faults=options.faults,
            images=options.images,
            policies=options.policies,
            dns=options.dns,
            read_only=mode.read_only,
            or_empty=mode.plan is not None,
        )
    except EmulatorError as error:
        hint = f"Correct azure.emulator; the emulator's own log is {EMULATOR_DIRECTORY}/emulator.log."
        raise DeployerError(f"the emulator: {error}", hint=hint) from error
    if attached is None:
        raise NoEmulatorError("there is no emulator yet", hint="Deploy first.")
    return attached


def _only_subscription(arm: ArmClient) -> str:
    version = ids.API_VERSIONS["Microsoft.Resources/subscriptions"]
    found = [item for item in arm.listing("/subscriptions", api_version=version) if item["state"] == "Enabled"]
    if len(found) == 1:
        return str(found[0]["subscriptionId"])
    names = ", ".join(f"{item['displayName']} ({item['subscriptionId']})" for item in found) or "none"
    raise AzureError(
        f"azure.subscription_id is empty and the signed-in principal sees {len(found)} subscriptions: {names}",
        hint="Set azure.subscription_id.",
    )


def _read_subscription(arm: ArmClient, subscription_id: str, tenant_id: str) -> dict[str, Any]:
    live = arm.read(f"/subscriptions/{subscription_id}")
    if live is None:
        raise AzureError(f"subscription {subscription_id} does not exist", code="SubscriptionNotFound")
    if live.get("state", "Enabled") not in ("Enabled", "Warned", "PastDue"):
        raise AzureError(f"subscription {subscription_id} is {live['state']}", hint="Enable it first.")
    if tenant_id and tenant_id.lower() != str(live["tenantId"]).lower():
        raise AzureError(
            f"subscription {subscription_id} belongs to tenant {live['tenantId']}, the configuration says {tenant_id}",
            hint="Correct azure.tenant_id or azure.subscription_id.",
        )
    return live


def token_claims(token: str) -> dict[str, Any]:
    """Return the claims in a token; not verified, since only Azure relies on them."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
