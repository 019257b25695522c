"""Find the files of any deployment next to a configuration, which are excluded from build contexts.

One deployment's state in another one's image would change with each run, so that both would rebuild forever.
"""

from __future__ import annotations

import json
import os
import re

from draftgenie_azure.constants import LOG_SUFFIX, REPORT_MARK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from draftgenie_azure.config.raw import RawConfig

RECORDED = "files"  # the key of the state with the files that its runs read and wrote, relative to the configuration
_LIMIT = 65_536
_WHOLE = 20_000_000
_SECTIONS = frozenset(
    (
        "azure", "locations", "container_registry", "key_vault", "monitoring", "postgresql", "redis", "mongodb",
        "container_apps", "services", "secrets", "migrations", "deployment", "docker", "networking", "tags", "advanced",
        "registries",
    )
)  # fmt: skip
# Patterns are compiled by `re` when they are first used: few files need any of them.
_TOP_KEY = rb"(?m)^([A-Za-z0-9_-]+)[ \t]*:"
# Keys that identify our files: `services:` alone may belong to Compose.
_OUR_KEY = (
    rb"(?m)(?:^[ \t]+|[{,][ \t]*)(?:resource_group|project_name|environment_name|server_name|log_workspace|"
    rb"app_insights|min_replicas|max_replicas|cpu|ingress|state_file|state_storage|state_blob_\w+|soft_delete_retention_days|purge_protection|"
    rb"skip_build|skip_migrations|build_context|exposed_port|startup_seconds|health_path|operation_timeout|gemini_api_key|"
    rb"instanote_api_key|jwt_secret|rabbitmq_password)[ \t]*:"
)
_LOG_LINE = (
    rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?:DEBUG|INFO|WARNING|ERROR|CRITICAL) "
    rb"(?:MainThread|sign_in|check_prerequisites|(?:create|store|build|deploy|configure|run|verify)_[a-z_]+) "
)


def own_files(raw: RawConfig, state: Mapping[str, Any], state_file: str, log_file: str | None) -> tuple[str, ...]:
    """Return the absolute paths of the files of this deployment and of others next to its configuration.

    Args:
        state: state document of this deployment.
        state_file: path of the state.
        log_file: log file of this run.
    """
    mine = [*raw.paths, raw.env_file, os.path.realpath(state_file), log_file and os.path.abspath(log_file)]
    mine += [state_file + LOG_SUFFIX, raw.report, *_recorded(state, raw.directory)]
    context = raw.file(str(raw.get("docker.build_context") or "."))
    if _is_within(raw.directory, context):
        mine += _beside(raw.directory)
    return tuple(dict.fromkeys(filter(None, mine)))


def record(raw: RawConfig, state: dict[str, Any], log_file: str | None) -> None:
    """Record the files of this run in a state document, so that other deployments know them too."""
    written = (raw.report, log_file and os.path.abspath(log_file))
    paths = [path for path in (*raw.paths, raw.env_file, *written) if path]
    near = {os.path.relpath(path, raw.directory).replace(os.sep, "/") for path in paths if os.path.isabs(path)}
    known = state.get(RECORDED)
    near = {path for path in near if not path.startswith("../")}
    state[RECORDED] = sorted(near.union(known if isinstance(known, list) else ()))


def _recorded(state: Mapping[str, Any], directory: str) -> Iterator[str]:
    names = state.get(RECORDED)
    for name in names if isinstance(names, list) else ():
        if isinstance(name, str) and name:
            yield os.path.normpath(os.path.join(directory, name))


def _is_within(directory: str, context: str) -> bool:
    try:
        return os.path.commonpath((os.path.realpath(directory), os.path.realpath(context))) == os.path.realpath(context)
    except ValueError:  # another drive
        return False


def _beside(directory: str) -> Iterator[str]:
    """Yield the files of a directory that are ours by content, and those that states there record."""
    try:
        with os.scandir(directory) as entries:
            files = [entry.path for entry in entries if entry.is_file(follow_symlinks=False)]
    except OSError:
        return
    for path in files:
        data = _beginning(path)
        if _is_state(data):
            yield path
            yield from _recorded(_document(path), directory)
        elif _is_configuration(path, data) or re.match(_LOG_LINE, data) or REPORT_MARK.encode() in data[:300]:
            yield path


def _beginning(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError:
        return b""
    try:
        return os.read(descriptor, _LIMIT)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _is_state(data: bytes) -> bool:
    head = data[:8192]
    return head.lstrip()[:1] == b"{" and all(key in head for key in (b'"lineage"', b'"hash_format"', b'"last_updated"'))


def _document(path: str) -> dict[str, Any]:
    try:
        if os.path.getsize(path) > _WHOLE:
            return {}
        with open(path, "rb") as file:
            document = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _is_configuration(path: str, data: bytes) -> bool:
    if not path.endswith((".yaml", ".yml")):
        return False
    keys = {key.decode() for key in re.findall(_TOP_KEY, data) if not key.startswith(b"x-")}
    return bool(keys) and keys <= _SECTIONS and re.search(_OUR_KEY, data) is not None
