"""The application's secrets: given, generated or composed, stored in the vault one at a time, never kept by value."""

from __future__ import annotations

import json
import secrets
import string

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.client import Resource
from draftgenie_azure.arm.diff import SECRET, Change
from draftgenie_azure.arm.operations import ROLE_WAIT, role_pace
from draftgenie_azure.arm.plan import CHANGE, CREATE, Entry, known_after
from draftgenie_azure.config.placeholders import is_secret_name, names, render
from draftgenie_azure.config.validated.vault_secrets import vault_name_of
from draftgenie_azure.digests import sha256, slow_digest
from draftgenie_azure.errors import AzureError, DeployerError
from draftgenie_azure.masking import MASK
from draftgenie_azure.provision import addresses
from draftgenie_azure.provision.bodies.roles import role_assignment
from draftgenie_azure.provision.bodies.vault import vault_secret
from draftgenie_azure.run.poll import poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from draftgenie_azure.arm.plan import Plan
    from draftgenie_azure.arm.replies import Reply
    from draftgenie_azure.config.validated.vault_secrets import VaultSecret
    from draftgenie_azure.session import Session

GENERATED_LENGTH = 32
DATA_PLANE_VERSION = "7.4"
NO_STEP = ""
READER = "role/deployer-secrets"
LOG_WAIT = 60.0  # seconds for the role to take effect if it only serves to show an application's log
STAGED = "-next"  # suffix of a secret's second name during rotation
SECRETS_USER = "Key Vault Secrets User"


def generate() -> str:
    """Return a new secret of letters and digits, safe in a URL and satisfying PostgreSQL's rule of three classes."""
    alphabet = string.ascii_letters + string.digits
    while True:
        value = "".join(secrets.choice(alphabet) for _ in range(GENERATED_LENGTH))
        if any(c.islower() for c in value) and any(c.isupper() for c in value) and any(c.isdigit() for c in value):
            MASK.add(value)
            return value


def open_vault(session: Session, key_vault: Mapping[str, Any]) -> Vault:
    """Return the configured vault, once `create_key_vault` has published it.

    Its URL is derived from its name and the cloud's suffix: the token is sent only there, whatever was published.
    """
    if not key_vault or session.config.key_vault is None:
        raise DeployerError("secrets need a vault", hint="Add the section key_vault to the configuration.")
    return Vault(session, *addresses.vault(session))


class Vault:
    """Secrets of one vault: written by ARM, read (only if necessary) by the data plane.

    Args:
        vault_id: the vault's resource id.
        vault_uri: its URL, with a trailing slash.
    """

    def __init__(self, session: Session, vault_id: str, vault_uri: str) -> None:
        self._session = session
        self._arm = session.arm
        self._records = session.records
        self.id = vault_id
        self.uri = vault_uri
        self._values: dict[str, str] = {}
        self._wrote = False

    def version(self, name: str) -> str | None:
        """Return the current version of a secret, or None if it does not exist."""
        live = self._arm.live.current(f"{self.id}/secrets/{name}", bulk=True)
        if live is None:
            return None
        return ids.last_name(str(live["properties"]["secretUriWithVersion"]))

    def ensure_given(self, name: str, value: str, *, keep_foreign: bool = False) -> str:
        """Ensure that the vault has `value`; return the version. Sends nothing if it certainly has it.

        Args:
            keep_foreign: keep a value that others stored since this deployment stored the same one.
        """
        digest = slow_digest(value, self._records.salt)
        record = self._records.secrets.get(name, {})
        current = self.version(name)
        if current is None or record.get("digest") != digest:
            return self._put(name, value, digest, generated=False)
        foreign = record["version"] != current or bool(record.get("foreign"))
        if foreign and not keep_foreign:
            return self._put(name, value, digest, generated=False)
        if foreign:
            self._report_foreign(name)
        else:
            self._values[name] = value
        self._record(name, digest, current, generated=False, foreign=foreign)
        return current

    def ensure_existing(self, secret: VaultSecret) -> str:
        """Return the version of an existing secret; its value is neither read nor written.

        Raises:
            DeployerError: it does not exist, and there is no value for an emulated vault.
        """
        name, expected = secret.name, secret.origin == "existing"
        current = self.version(name)
        if current is None and secret.value is not None:
            return self._put(name, secret.value, None, generated=False)
        if current is None:
            message = f"the secret {name} is not in the vault {ids.last_name(self.id)}, and no value is given"
            raise DeployerError(message, hint=secret.remedy)
        record = self._records.secrets.get(name, {})
        foreign = not expected and (record.get("version", current) != current or bool(record.get("foreign")))
        if foreign:
            self._report_foreign(name)
        self._record(name, None, current, generated=False, foreign=foreign)
        return current

    def _report_foreign(self, name: str) -> None:
        self._session.warn(
            f"the secret {name} was changed in the vault by someone else; the vault's value is kept and used "
            f"(another value in the configuration replaces it)"
        )

    def ensure_generated(self, name: str, *, rotates: bool = True) -> str:
        """Ensure a generated value; an existing one is kept, whatever its origin.

        Args:
            rotates: generate a new one if `--rotate-secret` requested it.
        """
        current = self.version(name)
        if current is None or (rotates and name in self._records.rotating):
            version = self._put(name, generate(), None, generated=True)
            self._records.rotated(name)
            return version
        self._record(name, None, current, generated=True)
        return current

    def stage(self, name: str) -> str:
        """Store a new value under a second name, unless an interrupted rotation already did; return the value.

        Container Apps re-read the vault within half an hour (learn.microsoft.com, manage-secrets), so the value must
        not be under its own name before the server has it; and it must be stored somewhere by then.
        """
        staged = f"{name}{STAGED}"
        live = self._arm.read(f"{self.id}/secrets/{staged}")
        if live is None or live["properties"].get("attributes", {}).get("enabled") is False:
            self._put(staged, generate(), None, generated=True)
        return self.value(staged)

    def announce_rotation(self, name: str, plan: Plan) -> str:
        """Add to the plan that a secret changes by way of a second name; return the version that it would have."""
        staged = f"{name}{STAGED}"
        action, note = (CHANGE if self.version(staged) else CREATE), "the new value, until the server has it"
        plan.add(Entry(plan.step, f"secret/{staged}", f"{self.id}/secrets/{staged}", action, note=note))
        return self._announce(name, self.version(name), plan)

    def promote(self, name: str) -> str:
        """Store the staged value under its own name; return the version."""
        return self._put(name, self.value(f"{name}{STAGED}"), None, generated=True)

    def unstage(self, name: str) -> None:
        """Disable the second name. It is not deleted: a deleted name would be refused at the next rotation."""
        staged = f"{name}{STAGED}"
        body = {"properties": {"value": "used", "attributes": {"enabled": False}}}
        self._arm.send(f"{self.id}/secrets/{staged}", body)
        self._values.pop(staged, None)
        self._records.secret_removed(staged)

    def ensure_composed(self, name: str, template: str, plain: Mapping[str, str], versions: Mapping[str, str]) -> str:
        """Ensure a value composed of other secrets.

        Args:
            template: the text with `{{ names }}`.
            plain: values of names that are not secret.
            versions: vault secret -> its version.
        """
        used = names(template)
        parts = {key: vault_name_of(key) for key in used if is_secret_name(key)}
        basis = {
            "template": template,
            "plain": {key: plain[key] for key in sorted(used) if key not in parts},
            "versions": {key: versions[parts[key]] for key in sorted(used) if key in parts},
        }
        digest = sha256(json.dumps(basis, sort_keys=True).encode())

        def compose() -> str:
            values = {key: self.value(parts[key]) if key in parts else plain[key] for key in used}
            return render(template, values)

        return self._ensure(name, digest, compose, generated=False)

    def value(self, name: str) -> str:
        """Return a secret's value: as stored by or given to this run, else read from the vault.

        Raises:
            AzureError: reading is not allowed, and the role could not be assigned; the message names the role.
        """
        if name not in self._values:
            self._values[name] = self._read(name)
            MASK.add(self._values[name])
        return self._values[name]

    def know(self, name: str, *, takes_role: bool) -> None:
        """Register a secret's value with the mask.

        Args:
            takes_role: assign the role for reading if it is missing, and wait a minute for it to take effect.

        Raises:
            AzureError: reading is not allowed.
        """
        if name not in self._values:
            reply = self._reply(name, LOG_WAIT if takes_role else None, accept=(403, 404))
            if reply.status == 403:
                raise self._unreadable(name)
            if reply.status != 404:
                MASK.add(str(reply.body["value"]))

    def ensure_reader(self) -> None:
        """Give the principal that wrote secrets the role to read them, unless the state records it.

        A later run masks in an application's log secrets it did not create itself, and a new role takes minutes.
        """
        given = self._records.resources.get(READER, {}).get("id")
        if not self._wrote or given == self._reader_role():
            return
        try:
            self._take_role()
        except AzureError as error:  # the deployment does not need it
            if error.status != 403:
                raise
            self._session.logger.info("logs of containers may be withheld later: %s", error.message)

    def _ensure(self, name: str, digest: str, value: Callable[[], str], *, generated: bool) -> str:
        current = self.version(name)
        record = self._records.secrets.get(name, {})
        if current is not None and record.get("digest") == digest and record.get("version") == current:
            return current
        if self._arm.plan is not None:
            return self._announce(name, current, self._arm.plan)
        return self._put(name, value(), digest, generated=generated)

    def _announce(self, name: str, current: str | None, plan: Plan) -> str:
        """Add a new or changed secret, without its value, to the plan; return its predicted version."""
        self._wrote = True
        secret_id = f"{self.id}/secrets/{name}"
        changes = [Change(("secrets", name), SECRET)] if current is not None else []
        plan.add(Entry(plan.step, f"secret/{name}", secret_id, CHANGE if current else CREATE, changes=changes))
        return known_after(plan)

    def _put(self, name: str, value: str, digest: str | None, *, generated: bool) -> str:
        """Write a value and record its version. Writing the same value again creates no new one.

        Source: github.com/Azure/azure-resource-manager-schemas/issues/1494 (the Key Vault team).
        """
        self._wrote = True
        if self._arm.plan is not None:
            return self._announce(name, self.version(name), self._arm.plan)
        MASK.add(value)  # composed ones are created here
        self._values[name] = value
        digest = digest or slow_digest(value, self._records.salt)
        reply = self._arm.send(f"{self.id}/secrets/{name}", vault_secret(value, digest))
        version = ids.last_name(str(reply.body["properties"]["secretUriWithVersion"]))
        self._arm.live.note(f"{self.id}/secrets/{name}", dict(reply.body))
        self._record(name, digest, version, generated=generated)
        return version

    def _record(
        self, name: str, digest: str | None, version: str, *, generated: bool, foreign: bool = False
    ) -> None:
        old = self._records.secrets.get(name)
        new = {"digest": digest or (old or {}).get("digest"), "version": version, "generated": generated}
        if foreign:
            new["foreign"] = True
        if old != new:
            self._records.secret_stored(name, new)

    def _read(self, name: str) -> str:
        reply = self._reply(name, ROLE_WAIT, accept=(403,))
        if reply.status == 403:
            raise self._unreadable(name)
        return str(reply.body["value"])

    def _reply(self, name: str, role_wait: float | None, *, accept: tuple[int, ...]) -> Reply:
        """Return the vault's reply for a secret.

        Args:
            role_wait: assign the role if missing, and wait up to these seconds for it; None to do neither.
        """
        reply = self._get(name, accept=accept)
        if reply.status != 403 or role_wait is None:
            return reply
        self._check_roles_count(name)
        vault = ids.last_name(self.id)
        self._session.logger.warning("assigning the role '%s' on %s to read its secrets", SECRETS_USER, vault)
        role = self._take_role()

        def look() -> bool | None:
            nonlocal reply
            reply = self._get(name, accept=accept)
            if reply.status != 403 or not self._arm.any_young([role]):
                return True
            self._session.control.report(f"{vault}: the role '{SECRETS_USER}' is not effective yet")
            return None

        poll(look, control=self._session.control, limit=role_wait, pause=role_pace)
        return reply

    def _get(self, name: str, *, accept: tuple[int, ...]) -> Reply:
        url, params = f"{self.uri}secrets/{name}", {"api-version": DATA_PLANE_VERSION}
        scope = self._session.transport.endpoints.vault_scope
        return self._session.transport.other("GET", url, scope=scope, params=params, accept=accept)

    def _unreadable(self, name: str) -> AzureError:
        return AzureError(
            f"the secret {name} cannot be read from {self.uri}: access denied",
            code="Forbidden",
            status=403,
            hint=f"Assign yourself the role '{SECRETS_USER}' on the vault, then run again.",
        )

    def _check_roles_count(self, name: str) -> None:
        """Raise an error for a vault with access policies, which ignores roles."""
        live = self._arm.read(self.id)
        if live is None or live["properties"].get("enableRbacAuthorization") is True:
            return
        raise AzureError(
            f"the secret {name} cannot be read: the vault {ids.last_name(self.id)} uses access policies",
            code="Forbidden",
            status=403,
            hint="Run with --adopt to switch it to roles; or give yourself an access policy to get secrets.",
        )

    def _reader_role(self) -> str:
        """Return the id of the current principal's role assignment for reading the vault."""
        return self._session.scope.role_assignment(self.id, self._session.principal[0], SECRETS_USER)

    def _take_role(self) -> str:
        """Assign the current principal the role for reading; return the assignment's id."""
        object_id, kind = self._session.principal
        role = self._reader_role()
        body = role_assignment(self._session.scope.role_definition(SECRETS_USER), object_id, kind)
        wanted = Resource(READER, role, body, create_only=True)
        plan = self._arm.plan
        # Of no step, so that no step orphans it.
        self._arm.ensure([wanted], step=NO_STEP if plan is None else plan.step)
        return role
