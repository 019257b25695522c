"""What a step depends on, as names with a SHA-256 each, and the hash over them.

Everything here works on the values as read from the files, so that a run in which nothing changed needs no validation
library and no SDK. The names are part of what is hashed: two values that change places are seen.

    file:<path>         content of a file of the application, relative to the build context
    mode:<path>         `x` or `-`: whether its owner may execute it
    link:<path>         the text of a symbolic link
    tool:<path>         content of one of the command's own modules, relative to the command
    config:<key>        a value as read, as JSON with sorted keys and no spaces; `null` where absent
    secret:<key>        the same, by scrypt with the state's salt
    output:<step>       outputs of a step it needs, as JSON in the same form

A step's hash is SHA-256 over the lines `<name>=<hash>`, sorted bytewise and joined by newlines.
"""

from __future__ import annotations

import hashlib
import json
import os

from draftgenie_azure.config import is_secret_key
from draftgenie_azure.errors import DeployerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from draftgenie_azure.config import RawConfig
    from draftgenie_azure.context import Context, Tree

HASH_FORMAT = 1
TOOL_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INFRASTRUCTURE, APPLICATION = "infrastructure", "application"


class Step:
    """One row of the table of steps.

    Attributes:
        name: as `--force-step` takes it; its method is `_step_<name>`.
        title: what it does, for people.
        needs: steps whose outputs it reads or whose effect it relies on.
        config: configuration keys and sections that it reads.
        services: service kind (or `None` for all) -> keys of a service that it reads.
        tools: modules that make what it sends.
        images: whether it depends on the files that the services' Dockerfiles ship.
        references: how far it depends on the services' and migrations' variables: `all` of them, only those in which a
            `secret` or placeholder may stand, or only on the `databases` of those that use PostgreSQL.
        migrations: whether it depends on the list of migrations.
    """

    __slots__ = (
        "config", "images", "migrations", "name", "needs", "references", "services", "title", "tools",
    )

    def __init__(
        self,
        name: str,
        title: str,
        *,
        needs: tuple[str, ...] = (),
        config: tuple[str, ...] = (),
        services: tuple[str | None, tuple[str, ...]] | None = None,
        tools: tuple[str, ...] = (),
        images: bool = False,
        references: str | None = None,
        migrations: bool = False,
    ) -> None:
        self.name = name
        self.title = title
        self.needs = needs
        self.config = config
        self.services = services
        self.tools = ("deployer.py", *tools)
        self.images = images
        self.references = references
        self.migrations = migrations


class Hasher:
    """Hashes the dependencies of steps; each file and value once, however many steps share it.

    Args:
        raw: the configuration as read.
        salt: the state's salt, in hex.
        known_secrets: `secret:` lines that are still true, since no secret changed.
        exclude: absolute paths of the command's own files, which are in no build context.
    """

    def __init__(
        self,
        raw: RawConfig,
        salt: str,
        *,
        known_secrets: Mapping[str, str] | None = None,
        exclude: tuple[str, ...] = (),
    ) -> None:
        self.raw = raw
        self._salt = salt
        self._known_secrets = known_secrets or {}
        self._exclude = exclude
        self._tools: dict[str, str] = {}
        self._scrypts: dict[bytes, str] = {}
        self._tree: Tree | None = None
        self._contexts: dict[str, Context] = {}

    def dependencies(self, step: Step, outputs: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Every dependency of a step, by name.

        Args:
            outputs: of the steps that it needs, by step; those that are not known yet are left out.

        Raises:
            DeployerError: a file that it depends on cannot be read.
        """
        lines = {f"tool:{path}": self._tool(path) for path in step.tools}
        for key, value in self._values(step):
            lines[self._name(key)] = self._value(key, value)
        if step.images:
            for service in self.services(APPLICATION):
                if not self._section("services", service).get("image"):
                    lines.update(self._files(step, service))
        for need in step.needs:
            if need in outputs:
                lines[f"output:{need}"] = sha256(canonical(outputs[need]))
        return lines

    def services(self, kind: str | None) -> list[str]:
        """Keys of the services of a kind; of all where it is None."""
        services = self._section("services")
        return [key for key in services if kind is None or kind_of(self._section("services", key)) == kind]

    def context(self, service: str) -> Context:
        """The build context of a service's image."""
        if service not in self._contexts:
            from draftgenie_azure.context import Tree

            build_context = os.path.expanduser(str(self.raw.get("docker.build_context") or "."))
            root = os.path.join(self.raw.directory, build_context)
            self._tree = self._tree or Tree(root)
            described = self._section("services", service)
            dockerfile = described.get("dockerfile") or self._section("docker", "dockerfiles").get(service)
            target = described.get("target")
            self._contexts[service] = self._tree.context(
                str(dockerfile or "Dockerfile"),
                target=str(target) if target else None,
                exclude=self._exclude,
                every_stage=True,  # the registry's builder makes the stages that are not needed, too (Azure/acr#721)
            )
        return self._contexts[service]

    # --- values ---

    def _values(self, step: Step) -> Iterator[tuple[str, Any]]:
        for key in step.config:
            yield from leaves(key, self.raw.get(key))
        if step.services is not None:
            kind, keys = step.services
            for service in self.services(kind):
                for key in keys:
                    dotted = f"services.{service}.{key}"
                    yield from leaves(dotted, self._section("services", service).get(key))
        if step.references is not None:
            yield from self._references(step.references)
        if step.migrations:
            yield "migrations", _without_secrets(self.raw.get("migrations"))

    def _references(self, which: str) -> Iterator[tuple[str, Any]]:
        """The services' and migrations' variables, as far as `Step.references` says."""
        owners = [(f"services.{key}", self._section("services", key)) for key in self.services(None)]
        migrations = self.raw.get("migrations")
        if isinstance(migrations, list):
            owners += [(f"migrations.{index}", item) for index, item in enumerate(migrations) if isinstance(item, dict)]
        for dotted, owner in owners:
            if which != "databases":
                yield f"{dotted}.name", owner.get("name")
            texts = []
            for section in ("environment", "secrets"):
                variables = owner.get(section)
                for name, value in variables.items() if isinstance(variables, dict) else ():
                    texts.append(str(value))
                    if which == "all" or (which == "secret" and (section == "secrets" or "{{" in str(value))):
                        yield f"{dotted}.{section}.{name}", value
            if any("postgresql." in text for text in texts):
                yield f"{dotted}.database", owner.get("database")

    def _name(self, key: str) -> str:
        return f"secret:{key}" if is_secret_key(key) else f"config:{key}"

    def _value(self, key: str, value: Any) -> str:
        if not is_secret_key(key) or value is None:
            return sha256(canonical(value))
        known = self._known_secrets.get(f"secret:{key}")
        return known if known is not None else self.scrypt(canonical(value))

    def scrypt(self, data: bytes) -> str:
        """The slow, salted hash of a secret, in hex."""
        if data not in self._scrypts:
            salt = bytes.fromhex(self._salt)
            self._scrypts[data] = hashlib.scrypt(data, salt=salt, n=2**12, r=8, p=1, dklen=32).hex()
        return self._scrypts[data]

    def _section(self, *keys: str) -> dict[str, Any]:
        value: Any = self.raw.values
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, dict) else {}

    # --- files ---

    def _tool(self, path: str) -> str:
        if path not in self._tools:
            with open(os.path.join(TOOL_ROOT, path), "rb") as file:
                self._tools[path] = sha256(file.read())
        return self._tools[path]

    def _files(self, step: Step, service: str) -> dict[str, str]:
        try:
            return self.context(service).dependencies()
        except DeployerError as error:
            error.message = f"{step.name}: {service}: {error.message}"
            error.args = (error.message,)
            raise


def kind_of(service: Mapping[str, Any]) -> str:
    """Infrastructure where there is an image, else application, unless the service says."""
    return str(service.get("kind") or (INFRASTRUCTURE if service.get("image") else APPLICATION))


def step_hash(dependencies: Mapping[str, str]) -> str:
    """The hash over all dependencies of a step."""
    lines = sorted(f"{name}={value}".encode("utf-8", "surrogateescape") for name, value in dependencies.items())
    return sha256(b"\n".join(lines))


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Each dependency that changed, appeared or vanished, in words."""
    words = []
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            words.append(f"{name} is new")
        elif name not in after:
            words.append(f"{name} is gone")
        elif before[name] != after[name]:
            words.append(f"{name} changed")
    return words


def canonical(value: Any) -> bytes:
    """A value as JSON with sorted keys, no spaces, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogateescape")


def sha256(data: bytes) -> str:
    """SHA-256 in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The values below a key, by dotted key; lists whole, an absent key as itself with None."""
    if isinstance(value, dict) and value:
        for name, below in value.items():
            yield from leaves(f"{key}.{name}", below)
    else:
        yield key, value


def secret_values(raw: RawConfig) -> dict[str, Any]:
    """Every value of the configuration that may be a secret, by dotted key."""
    found: dict[str, Any] = {}
    for section, value in raw.values.items():
        if isinstance(value, list):
            for index, item in enumerate(value):
                found |= {key: leaf for key, leaf in leaves(f"{section}.{index}", item) if is_secret_key(key)}
        else:
            found |= {key: leaf for key, leaf in leaves(str(section), value) if is_secret_key(key)}
    return found


def _without_secrets(migrations: Any) -> Any:
    """The list of migrations without their secrets, which have lines of their own."""
    if not isinstance(migrations, list):
        return migrations
    return [
        {key: value for key, value in item.items() if key != "secrets"} if isinstance(item, dict) else item
        for item in migrations
    ]
