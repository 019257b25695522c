"""Compare the earlier script's state with the configuration: what is adopted, and what differs.

That state has names, no resource ids, and passwords, which are neither read nor kept. Names are compared before
anything is written, because a different name means a second server without the data of the first.
"""

from __future__ import annotations

import json
import os

from draftgenie_azure.errors import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.config.raw import RawConfig

# Kind in the earlier state -> title, field of its name, configuration key, whether it stores data.
_KINDS = {
    "log_analytics": ("the workspace", "name", "monitoring.log_workspace", False),
    "app_insights": ("Application Insights", "name", "monitoring.app_insights", False),
    "container_registry": ("the registry", "name", "container_registry.name", True),
    "key_vault": ("the vault", "name", "key_vault.name", True),
    "postgresql": ("the PostgreSQL server", "server_name", "postgresql.server_name", True),
    "redis": ("Redis", "name", "redis.name", True),
    "container_apps_env": ("the environment", "name", "container_apps.environment_name", False),
}


# Keys found only in configurations of the earlier script.
_EARLIER_KEYS = (
    "advanced.cleanup_on_failure", "advanced.retry_attempts", "advanced.retry_delay", "advanced.save_state",
    "deployment.resume",
)  # fmt: skip


def is_configuration(raw: RawConfig) -> bool:
    """Return whether a configuration was written for the earlier script."""
    return any(raw.get(key) is not None for key in _EARLIER_KEYS)


class Findings:
    """Findings to report before a deployment adopts the earlier script's resources.

    Attributes:
        lines: lines for the user, in order of creation.
        faults: settings that would create a second resource beside one with data.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.faults: list[Fault] = []


def find(documents: Mapping[str, bytes], raw: RawConfig) -> Findings:
    """Compare earlier states with the configuration, without querying Azure.

    Args:
        documents: path -> bytes of each earlier state.
        raw: the configuration as read.
    """
    findings = Findings()
    for path, data in documents.items():
        created = _created(data)
        findings.lines.append(f"{os.path.basename(path)} is the state of the earlier script:")
        for kind, (title, field, key, holds_data) in _KINDS.items():
            name = (created.get(kind) or {}).get(field)
            if isinstance(name, str) and name:
                _compare(findings, raw, title, name, key, holds_data)
        _databases(findings, created.get("postgresql") or {})
    return findings


def _created(data: bytes) -> dict[str, Any]:
    """Return the resources of an earlier state: `created_resources`, and in some files also `resources`."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    found: dict[str, Any] = {}
    for section in ("resources", "created_resources"):
        part = document.get(section) if isinstance(document, dict) else None
        facts_by_kind = part if isinstance(part, dict) else {}
        found |= {kind: facts for kind, facts in facts_by_kind.items() if isinstance(facts, dict)}
    return found


def _compare(findings: Findings, raw: RawConfig, title: str, name: str, key: str, holds_data: bool) -> None:
    wanted = raw.get(key)
    if str(wanted or "").lower() == name.lower():
        findings.lines.append(f"  taken over: {title} {name}")
        return
    section = key.split(".", 1)[0]
    says = f"{key} says {wanted}" if wanted else f"the configuration has no {key}"
    if not holds_data or (not wanted and section == "redis"):
        findings.lines.append(f"  differs: {title} was {name}, {says}; the earlier one stays in Azure unchanged")
        return
    message = f"{title} of the earlier script is {name}, {says}: a second one would be made, without its data"
    file, line = raw.place(tuple(key.split(".")))
    findings.faults.append(Fault(f"{message}; set {key}: {name}", key=key, file=file, line=line))


def _databases(findings: Findings, postgresql: Mapping[str, Any]) -> None:
    database, login = postgresql.get("database_name"), postgresql.get("admin_user")
    if isinstance(login, str) and login:
        findings.lines.append(f"  stays: the server's login {login}, which Azure cannot change")
    if isinstance(database, str) and database:
        findings.lines.append(
            f"  stays, unused: the database {database}; each service gets its own (docs/moving.md says how to copy it)"
        )
