"""The application's secrets: given, generated or composed, put in the vault one at a time, never kept by value."""

from __future__ import annotations

import hashlib
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
from draftgenie_azure.digests import slow_digest
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
    from draftgenie_azure.arm.transport import Reply
    from draftgenie_azure.config.validated.vault_secrets import VaultSecret
    from draftgenie_azure.session import Session

GENERATED_LENGTH = 32
DATA_PLANE_VERSION = "7.4"
NO_STEP = ""
READER = "role/deployer-secrets"
LOG_WAIT = 60.0  # seconds for the role to take effect where only the log of an application would be shown
STAGED = "-next"  # what the second name of a secret ends with while it is rotated
SECRETS_USER = "Key Vault Secrets User"


def generate() -> str:
    """A new secret of letters and digits, which fits into a URL and satisfies PostgreSQL's rule of three classes."""
    alphabet = string.ascii_letters + string.digits
    while True:
        value = "".join(secrets.choice(alphabet) for _ in range(GENERATED_LENGTH))
        if any(c.islower() for c in value) and any(c.isupper() for c in value) and any(c.isdigit() for c in value):
            MASK.add(value)
            return value


def open_vault(session: Session, key_vault: Mapping[str, Any]) -> Vault:
    """The configured vault, once `create_key_vault` has published it.

    Its address is made of its name and the cloud's suffix: the token goes there, whatever was published.
    """
    if not key_vault or session.config.key_vault is None:
        raise DeployerError("secrets need a vault", hint="Add the section key_vault to the configuration.")
    return Vault(session, *addresses.vault(session))


class Vault:
    """Secrets of one vault: written by ARM, read (where it cannot be helped) by the data plane.

    Args:
        vault_id: the vault's resource id.
        vault_uri: its address, with a slash at the end.
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
        """The current version of a secret, or None where there is no such secret."""
        live = self._arm.live.current(f"{self.id}/secrets/{name}", bulk=True)
        if live is None:
            return None
        return ids.last_name(str(live["properties"]["secretUriWithVersion"]))

    def ensure_given(self, name: str, value: str, *, keep_foreign: bool = False) -> str:
        """Have the vault hold `value`; returns the secret's version. Sends nothing where it surely does already.

        Args:
            keep_foreign: keep what somebody else put there since this deployment put the same value.
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
            self._tell_foreign(name)
        else:
            self._values[name] = value
        self._record(name, digest, current, generated=False, foreign=foreign)
        return current

    def ensure_existing(self, secret: VaultSecret) -> str:
        """The version of a secret that the vault has already; its value is neither read nor written.

        Raises:
            DeployerError: there is none, and no value that the emulator's vault would get.
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
            self._tell_foreign(name)
        self._record(name, None, current, generated=False, foreign=foreign)
        return current

    def _tell_foreign(self, name: str) -> None:
        self._session.warn(
            f"the secret {name} was changed in the vault by someone else; the vault's value is kept and used "
            f"(another value in the configuration replaces it)"
        )

    def ensure_generated(self, name: str, *, rotates: bool = True) -> str:
        """Have the vault hold some value, made once; one that is there is kept, whoever made it.

        Args:
            rotates: make a new one where `--rotate-secret` asked for it.
        """
        current = self.version(name)
        if current is None or (rotates and name in self._records.rotating):
            version = self._put(name, generate(), None, generated=True)
            self._records.rotated(name)
            return version
        self._record(name, None, current, generated=True)
        return current

    def stage(self, name: str) -> str:
        """Put a new value under a second name, unless an interrupted rotation did so already; returns the value.

        Container Apps read the vault again by themselves within half an hour (learn.microsoft.com, manage-secrets), so
        the value must not be under its own name before the server knows it; and it must be somewhere by then.
        """
        staged = f"{name}{STAGED}"
        live = self._arm.read(f"{self.id}/secrets/{staged}")
        if live is None or live["properties"].get("attributes", {}).get("enabled") is False:
            self._put(staged, generate(), None, generated=True)
        return self.value(staged)

    def promote(self, name: str) -> str:
        """Put the staged value under its own name; returns the version."""
        return self._put(name, self.value(f"{name}{STAGED}"), None, generated=True)

    def unstage(self, name: str) -> None:
        """Disable the second name. It is not deleted: a deleted name would be refused at the next rotation."""
        staged = f"{name}{STAGED}"
        body = {"properties": {"value": "used", "attributes": {"enabled": False}}}
        self._arm.send(f"{self.id}/secrets/{staged}", body)
        self._values.pop(staged, None)
        self._records.secret_removed(staged)

    def ensure_composed(self, name: str, template: str, plain: Mapping[str, str], versions: Mapping[str, str]) -> str:
        """Have the vault hold a text in which other secrets stand.

        Args:
            template: the text with `{{ names }}`.
            plain: what the names stand for that are no secrets.
            versions: vault secret -> its version.
        """
        used = names(template)
        parts = {key: vault_name_of(key) for key in used if is_secret_name(key)}
        basis = {
            "template": template,
            "plain": {key: plain[key] for key in sorted(used) if key not in parts},
            "versions": {key: versions[parts[key]] for key in sorted(used) if key in parts},
        }
        digest = hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()

        def compose() -> str:
            values = {key: self.value(parts[key]) if key in parts else plain[key] for key in used}
            return render(template, values)

        return self._ensure(name, digest, compose, generated=False)

    def value(self, name: str) -> str:
        """A secret's value: the one this run put or was given, else read from the vault.

        Raises:
            AzureError: it may not be read, and the role for that could not be given; the message names the role.
        """
        if name not in self._values:
            self._values[name] = self._read(name)
            MASK.add(self._values[name])
        return self._values[name]

    def know(self, name: str, *, takes_role: bool) -> None:
        """Have the mask know a secret's value.

        Args:
            takes_role: take the role that reading needs where it is missing, and wait a minute for its effect.

        Raises:
            AzureError: it may not be read.
        """
        if name not in self._values:
            reply = self._reply(name, LOG_WAIT if takes_role else None, accept=(403, 404))
            if reply.status == 403:
                raise self._unreadable(name)
            if reply.status != 404:
                MASK.add(str(reply.body["value"]))

    def ensure_reader(self) -> None:
        """Give whoever wrote secrets the role to read them, unless the state says that it was given.

        A later run hides in an application's log what it did not make itself, and a new role takes minutes.
        """
        given = self._records.resources.get(READER, {}).get("id")
        if not self._wrote or given == self._reader_role():
            return
        try:
            self._take_role()
        except AzureError as error:  # nothing of the deployment needs it
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
        """Tell that a secret would be new or changed, never to what; what its version would be."""
        self._wrote = True
        secret_id = f"{self.id}/secrets/{name}"
        changes = [Change(("secrets", name), SECRET)] if current is not None else []
        plan.add(Entry(plan.step, f"secret/{name}", secret_id, CHANGE if current else CREATE, changes=changes))
        return known_after(plan)

    def _put(self, name: str, value: str, digest: str | None, *, generated: bool) -> str:
        """Write a value and record its version. The same value again makes no new one.

        Source: github.com/Azure/azure-resource-manager-schemas/issues/1494 (the Key Vault team).
        """
        self._wrote = True
        if self._arm.plan is not None:
            return self._announce(name, self.version(name), self._arm.plan)
        MASK.add(value)  # composed ones are made here
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
        """What the vault says of a secret.

        Args:
            role_wait: take the role where it is missing, and wait so many seconds for its effect; None to do neither.
        """
        reply = self._get(name, accept=accept)
        if reply.status != 403 or role_wait is None:
            return reply
        self._check_roles_count(name)
        vault = ids.last_name(self.id)
        self._session.logger.warning("taking the role '%s' on %s, to read its secrets", SECRETS_USER, vault)
        role = self._take_role()

        def look() -> bool | None:
            nonlocal reply
            reply = self._get(name, accept=accept)
            if reply.status != 403 or not self._arm.any_young([role]):
                return True
            self._session.control.tell(f"{vault}: the role '{SECRETS_USER}' is not effective yet")
            return None

        poll(look, control=self._session.control, limit=role_wait, pause=role_pace)
        return reply

    def _get(self, name: str, *, accept: tuple[int, ...]) -> Reply:
        url, params = f"{self.uri}secrets/{name}", {"api-version": DATA_PLANE_VERSION}
        scope = self._session.transport.endpoints.vault_scope
        return self._session.transport.other("GET", url, scope=scope, params=params, accept=accept)

    def _unreadable(self, name: str) -> AzureError:
        return AzureError(
            f"the secret {name} may not be read from {self.uri}",
            code="Forbidden",
            status=403,
            hint=f"Give yourself the role '{SECRETS_USER}' on the vault, then run again.",
        )

    def _check_roles_count(self, name: str) -> None:
        """A vault that goes by access policies does not look at roles: none is worth waiting for."""
        live = self._arm.read(self.id)
        if live is None or live["properties"].get("enableRbacAuthorization") is True:
            return
        raise AzureError(
            f"the secret {name} may not be read: the vault {ids.last_name(self.id)} goes by access policies",
            code="Forbidden",
            status=403,
            hint="Run with --adopt, which has it go by roles; or give yourself an access policy to get secrets.",
        )

    def _reader_role(self) -> str:
        """The id of the role assignment by which whoever runs this reads the vault."""
        return self._session.scope.role_assignment(self.id, self._session.principal[0], SECRETS_USER)

    def _take_role(self) -> str:
        """Give whoever runs this the role that reading needs; returns the assignment's id."""
        object_id, kind = self._session.principal
        role = self._reader_role()
        body = role_assignment(self._session.scope.role_definition(SECRETS_USER), object_id, kind)
        wanted = Resource(READER, role, body, create_only=True)
        plan = self._arm.plan
        # Of no step: it stays, whatever a step ensures next time.
        self._arm.ensure([wanted], step=NO_STEP if plan is None else plan.step)
        return role
