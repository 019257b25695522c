"""The dependencies of a step, as names with a SHA-256 each, and the hash over them.

Everything here works on the values as read from the files, so that a run without changes needs no validation library
and no SDK. The names are part of what is hashed, so that swapped values are detected.

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

import json
import os
import re

from draftgenie_azure.build_context.context import Tree
from draftgenie_azure.build_context.names import escape
from draftgenie_azure.changes import placeholder_dependencies as references
from draftgenie_azure.config.keys import is_secret_key
from draftgenie_azure.config.placeholders import is_secret_name
from draftgenie_azure.digests import NULL, sha256, slow_digest
from draftgenie_azure.errors import BuildError, DeployerError
from draftgenie_azure.steps import APPLICATION, INFRASTRUCTURE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from typing import Any

    from draftgenie_azure.build_context.context import Context
    from draftgenie_azure.config.raw import RawConfig
    from draftgenie_azure.steps import Step

TOOL_ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
_SHARE = ("type", "account_name", "account_key", "share_name")
_ATTEMPTS = 3
# Patterns in the name or value of a variable that suggest an undeclared secret.
_MAY_BE_SECRET = re.compile(r"pass|pwd|secret|token|key|credential|connection|dsn|auth|://[^/]*@", re.IGNORECASE)
_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_TREES: dict[str, Tree] = {}  # by root: a run decides up to three times in quick succession
_SCRYPTS: dict[tuple[str, bytes], str] = {}  # by salt and secret: a run decides twice, and each hash costs 10 ms


class Hasher:
    """Hash the dependencies of steps; each file and value once, however many steps share it.

    Args:
        raw: the configuration as read.
        salt: the state's salt, in hex.
        exclude: absolute paths of the command's own files, which are never part of a build context.

    Attributes:
        known_secrets: `secret:` lines that are still valid because no secret changed; set by the caller.
        recorded: step -> its recorded lines; those of secrets that are not given are reused. Set by the caller.
        not_given: names of the lines of secrets without a value in the configuration.
    """

    def __init__(self, raw: RawConfig, salt: str, *, exclude: tuple[str, ...] = ()) -> None:
        self.raw = raw
        self.known_secrets: Mapping[str, str] = {}
        self.recorded: Mapping[str, Mapping[str, str]] = {}
        self.not_given = frozenset(name_of(".".join(map(str, key))) for key in raw.not_given())
        self._salt = salt
        self._exclude = exclude
        self._tools: dict[str, str] = {}
        self._lines: dict[str, dict[str, str]] = {}  # step -> lines of its values: it is decided on several times
        self._tree: Tree | None = None
        self._contexts: dict[str, Context] = {}
        self._shipped: dict[str, str] | None = None

    def read_ahead(self, steps: Iterable[Step]) -> None:
        """Hash the files that steps depend on; errors are raised when their step is decided."""
        try:
            for step in steps:
                for path in step.tools:
                    self._tool(path)
                if step.images:
                    self._files(step)
        except DeployerError:
            return

    def dependencies(self, step: Step, outputs: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Return every dependency of a step, by name.

        Args:
            outputs: outputs of the steps it needs, by step; unknown ones are omitted.

        Raises:
            DeployerError: a file that it depends on cannot be read.
        """
        if step.name not in self._lines:
            self._lines[step.name] = {name_of(key): self.hash(key, value) for key, value in self._values(step)}
        lines = {f"tool:{path}": self._tool(path) for path in step.tools} | self._lines[step.name]
        recorded = self.recorded.get(step.name, {})
        for name in self.not_given:
            if recorded.get(name, NULL) != NULL:
                lines[name] = recorded[name]
        if step.images:
            lines.update(self._files(step))
        for need in step.needs:
            if need in outputs:
                lines[f"output:{need}"] = sha256(canonical(outputs[need]))
        return lines

    def plain_values(self, step: Step) -> dict[str, Any]:
        """Return the values behind a step's `config:` lines that may be recorded and shown."""
        hidden = {".".join(map(str, key)) for key in self.raw.from_environment}
        return {
            name_of(key).removeprefix("config:"): value
            for key, value in self._values(step)
            if value is not None and is_plain(key, value, hidden)
        }

    def whole_services(self, step: Step) -> frozenset[str]:
        """Return the services that a step depends on as a whole."""
        if step.images:
            return frozenset(self.built())
        if step.services is not None:
            return frozenset(self.services(step.services[0]))
        return frozenset(self.services(None)) if step.variables == "all" else frozenset()

    def images(self) -> dict[str, frozenset[str]]:
        """Return service -> names of the lines for the content of its image."""
        return {service: frozenset(self.context(service).dependencies()) for service in self.built()}

    def services(self, kind: str | None) -> list[str]:
        """Return the keys of the services of a kind; of all if it is None."""
        services = self._section("services")
        return [
            key
            for key, service in services.items()
            if service is not None and (kind is None or kind_of(self._section("services", key)) == kind)
        ]

    def built(self) -> list[str]:
        """Return the keys of the services that are built from a Dockerfile."""
        return [key for key in self.services(APPLICATION) if not self._section("services", key).get("image")]

    def context(self, service: str) -> Context:
        """Return the build context of a service's image."""
        if service not in self._contexts:
            root = self.raw.file(str(self.raw.get("docker.build_context") or "."))
            self._tree = self._tree or _tree_of(root)
            described = self._section("services", service)
            dockerfile = described.get("dockerfile") or self._section("docker", "dockerfiles").get(service)
            target = described.get("target")
            self._contexts[service] = self._tree.context(
                str(dockerfile or "Dockerfile"),
                target=str(target) if target else None,
                exclude=self._exclude,
                every_stage=True,  # the registry's builder also builds stages that are not needed (Azure/acr#721)
            )
        return self._contexts[service]

    # --- values ---

    def _values(self, step: Step) -> Iterator[tuple[str, Any]]:
        for key in step.config:
            yield from self._leaves(key)
        if step.services is not None:
            kind, keys = step.services
            for service in self.services(kind):
                for key in keys:
                    yield from self._leaves(f"services.{service}.{key}")
        if step.images:
            for service in self.built():
                for key in ("name", "dockerfile", "target", "build_args"):
                    yield from self._leaves(f"services.{service}.{key}")
                if not self._section("services", service).get("dockerfile"):
                    yield from self._leaves(f"docker.dockerfiles.{service}")
        if step.storages:
            for service in self.services(None):
                if self._section("services", service, "volume").get("type") == "azure_file":
                    for key in ("name", *(f"volume.{part}" for part in _SHARE)):
                        yield from self._leaves(f"services.{service}.{key}")
        if step.variables == "databases":
            yield from self._databases()
        elif step.variables is not None:
            yield from self._variables(step.variables)

    def _leaves(self, key: str) -> Iterator[tuple[str, Any]]:
        """Yield the values at and below a key, or null. Null and empty count as absent, except for a secret."""
        found = False
        for name, value in leaves(key, self.raw.get(key)):
            if value != {} and (value is not None or key == "secrets"):
                found = True
                yield name, value
        if not found:
            yield key, None

    def _owners(self) -> list[_Owner]:
        """Return everything that has variables: the services, then the migrations by position."""
        owners = [_Owner(("services", key), key, self._section("services", key)) for key in self.services(None)]
        migrations = self.raw.get("migrations")
        for index, item in enumerate(migrations if isinstance(migrations, list) else ()):
            if isinstance(item, dict):
                owners.append(_Owner(("migrations", index), str(item.get("service")), item))
        return owners

    def _databases(self) -> Iterator[tuple[str, Any]]:
        """Yield each service that needs a database, and its name; the service's own by default."""
        if self.raw.get("postgresql") is None:
            return
        for owner in self._owners():
            names = {name for _, _, value in self._own_variables(owner) for name in references.names(value)}
            if owner.values.get("database") or any(name.startswith("postgresql.") for name in names):
                yield f"{owner.dotted}.database", owner.values.get("database")
                if owner.is_migration:
                    yield f"{owner.dotted}.service", owner.values.get("service")

    def _variables(self, which: str) -> Iterator[tuple[str, Any]]:
        """Yield variables with the values behind their placeholders, as far as `Step.variables` includes them."""
        owners = self._owners()
        migrated = {owner.service for owner in owners if owner.is_migration}
        for owner in owners:
            if owner.is_migration and which == "all":
                continue
            if not owner.is_migration and which == "migrations":
                if owner.service not in migrated:
                    continue
                for key in ("image", "cpu", "memory", "workload_profile", "database"):
                    yield f"{owner.dotted}.{key}", owner.values.get(key)
            if which == "all":
                yield f"{owner.dotted}.name", owner.values.get("name")
            if owner.is_migration:
                # Inherited values are resolved again if its database differs.
                for key, value in owner.values.items():
                    wanted = key in ("service", "database") or which == "migrations"
                    if wanted and value is not None and key not in ("environment", "secrets"):
                        yield f"{owner.dotted}.{key}", value
            for section, name, value in self._own_variables(owner):
                names = references.names(value)
                secret = section == "secrets" or any(map(is_secret_name, names))
                if which == "secret" and not secret:
                    continue
                yield f"{owner.dotted}.{section}.{name}", value
                if which == "secret" or not secret:  # otherwise only the secret's name is sent, which reveals no value
                    yield from self._behind(owner, names)

    def _behind(self, owner: _Owner, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Yield the values behind names in the variables of a service or migration."""
        for name in sorted(names):
            if name in references.DATABASE_NAMES:
                yield f"{owner.dotted}.database", owner.values.get("database")
            for key in references.keys(name):
                yield key, self.raw.get(key)

    def _own_variables(self, owner: _Owner) -> Iterator[tuple[str, str, Any]]:
        """Yield section, name and value of variables. Null means absent, except for an empty `${NAME}`."""
        for section in ("environment", "secrets"):
            variables = owner.values.get(section)
            for name, value in variables.items() if isinstance(variables, dict) else ():
                if value is not None:
                    yield section, name, value
                elif (*owner.key, section, name) in self.raw.from_environment:
                    yield section, name, ""

    def hash(self, key: str, value: Any) -> str:
        """Return the hash of a value, slow and salted if it may be a secret."""
        if not is_secret_key(key) or value is None:
            return sha256(canonical(value))
        known = self.known_secrets.get(name_of(key))
        return known if known is not None else self.scrypt(canonical(value))

    def scrypt(self, data: bytes) -> str:
        """Return the slow, salted hash of a secret, in hex."""
        key = (self._salt, data)
        if key not in _SCRYPTS:
            _SCRYPTS[key] = slow_digest(data, self._salt)
        return _SCRYPTS[key]

    def _section(self, *keys: str) -> dict[str, Any]:
        value: Any = self.raw.values
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, dict) else {}

    # --- files ---

    def _tool(self, path: str) -> str:
        if path not in self._tools:
            try:
                with open(os.path.join(TOOL_ROOT, path), "rb") as file:
                    self._tools[path] = sha256(file.read())
            except OSError as error:
                raise DeployerError(f"cannot read the command's own {path}: {error.strerror}") from error
        return self._tools[path]

    def _files(self, step: Step) -> dict[str, str]:
        """Return the inputs of all images as one snapshot: files that change meanwhile are hashed again."""
        if self._shipped is not None:
            return self._shipped
        for _ in range(_ATTEMPTS):
            lines: dict[str, str] = {}
            for service in self.built():
                try:
                    lines.update(self.context(service).dependencies())
                except DeployerError as error:
                    error.message = f"{step.name}: {service}: {error.message}"
                    error.args = (error.message,)
                    raise
            changed = self._tree.changed() if self._tree else None
            if changed is None:
                self._shipped = lines
                return lines
            self._tree = None
            self._contexts.clear()
        raise BuildError(
            f"{step.name}: {changed} changes while it is hashed",
            hint="Wait until it is no longer being written, or add it to .dockerignore.",
        )


def _tree_of(root: str) -> Tree:
    """Return the tree of a directory; the cached one if nothing in it changed."""
    tree = _TREES.get(root)
    if tree is None or not tree.is_current():
        tree = _TREES[root] = Tree(root)
    return tree


class _Owner:
    """A service or a migration, with its own variables.

    Attributes:
        key: its place in the configuration.
        service: the service's key; for a migration, that of its service.
        values: as read.
    """

    __slots__ = ("dotted", "is_migration", "key", "service", "values")

    def __init__(self, key: tuple[str | int, ...], service: str, values: dict[str, Any]) -> None:
        self.key = key
        self.dotted = ".".join(map(str, key))
        self.is_migration = key[0] == "migrations"
        self.service = service
        self.values = values


def name_of(key: str) -> str:
    """Return the name of the dependency on a value: one line, unique for each key."""
    if "\\" in key or not key.isprintable():
        key = escape(key)
    return f"secret:{key}" if is_secret_key(key) else f"config:{key}"


def is_plain(key: str, value: Any, hidden: Collection[str]) -> bool:
    """Return whether a value may be recorded and shown: not a secret or a value that may contain one, nor from outside.

    Args:
        hidden: keys of values that come, at least in part, from the environment.
    """
    if is_secret_key(key) or any(
        key == other or other.startswith(f"{key}.") or key.startswith(f"{other}.") for other in hidden
    ):
        return False
    parts = key.split(".")
    if parts[0] in ("services", "migrations") and len(parts) > 2:
        free_text = parts[2] in ("environment", "build_args", "command", "args")
        return not (free_text and (parts[2] in ("command", "args") or _MAY_BE_SECRET.search(f"{parts[-1]}={value}")))
    return True


def kind_of(service: Mapping[str, Any]) -> str:
    """Return the kind of a service: as configured, else infrastructure with an image, application without."""
    return str(service.get("kind") or (INFRASTRUCTURE if service.get("image") else APPLICATION))


def step_hash(dependencies: Mapping[str, str]) -> str:
    """Return the hash over all dependencies of a step."""
    lines = sorted(f"{name}={value}".encode("utf-8", "surrogateescape") for name, value in dependencies.items())
    return sha256(b"\n".join(lines))


def canonical(value: Any) -> bytes:
    """Return a value as JSON with sorted keys, no spaces, UTF-8."""
    return _json(value).encode("utf-8", "surrogateescape")


def leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values below a key by dotted key; lists as a whole, an absent key with None."""
    if isinstance(value, dict) and value:
        for name, below in value.items():
            yield from leaves(f"{key}.{name}", below)
    else:
        yield key, value


def secret_values(raw: RawConfig) -> dict[str, Any]:
    """Return every value of the configuration that may be a secret, by dotted key."""
    found: dict[str, Any] = {}
    for section, value in raw.values.items():
        if isinstance(value, list):
            for index, item in enumerate(value):
                found |= {key: leaf for key, leaf in leaves(f"{section}.{index}", item) if is_secret_key(key)}
        else:
            found |= {key: leaf for key, leaf in leaves(str(section), value) if is_secret_key(key)}
    return found
