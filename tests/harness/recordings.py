"""Recorded exchanges with Azure, and how an answer differs from a recorded one.

An exchange agrees if the emulator answers with the recorded status, the same kinds of polling headers, the same error
code and words of state, and with every recorded property in the same JSON type. Values are masked: they are minted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from emulator_client import Json

from azure_emulator.core.versions import ACTION_VERSIONS, VERSIONS, canonical_type

SHARED = Path(__file__).resolve().parents[3] / "shared"
RECORDINGS = SHARED / "azure-recordings"
TYPES = SHARED / "azure-types"

# Of kinds that the emulator does not serve: template deployments, storage accounts; or other files again (errors).
NOT_OURS = {"deployments", "deployment-stacks", "storage-blobs", "errors", "errors-cli"}
PLACE = "eastus2"
MASKS = ("PLACEHOLDER", "SANITIZED")
WORDS = {"provisioningState", "resourceState", "status", "type", "code", "nameAvailable", "reason", "operation"}
HEADERS = ("Azure-AsyncOperation", "Location", "x-ms-async-operation-timeout", "x-ms-failure-cause", "WWW-Authenticate")

# Recordings of locks and registrations use types that are not served here; what they show holds for any type.
STAND_INS = [
    (
        r"(?i)Microsoft\.Network/virtualNetworks/[\w.-]+(?![\w.-]|/subnets)",
        "Microsoft.ManagedIdentity/userAssignedIdentities/scope",
    ),
    (r"(?i)Microsoft\.Storage/storageAccounts/[\w.-]+", "Microsoft.ManagedIdentity/userAssignedIdentities/scope"),
    (r"Microsoft\.Relay/namespaces/", "Microsoft.Cache/redis/"),
    (r"Microsoft\.ApiCenter/services/", "Microsoft.Cache/redis/"),
    (r"Microsoft\.(Relay|ApiCenter|ClassicInfrastructureMigrate)", "Microsoft.Cache"),
]


class Exchange(NamedTuple):
    """One recorded request with its answer; `name` is the file's and its place in it."""

    name: str
    kind: str
    blob: str
    method: str
    host: str
    path: str
    headers: Json
    body: Any
    status: int
    answer_headers: Json
    answer: Any

    @property
    def family(self) -> str:
        return self.name.partition("#")[0]


class Outcome(NamedTuple):
    exchange: Exchange
    differences: list[str]


def load(folder: Path) -> Iterator[Exchange]:
    for file in sorted(folder.glob("*.json")):
        if file.stem in NOT_OURS:
            continue
        lines = json.loads(file.read_text(encoding="utf-8"))
        found: list[Exchange] = []
        for index, line in enumerate(lines):
            request, response = line["request"], line["response"]
            found.append(
                Exchange(
                    f"{file.stem}#{index}",
                    line["kind"],
                    f"{file.stem} {line['blob']}",
                    request["method"],
                    request.get("host", ""),
                    request["path"],
                    {key.lower(): value for key, value in request["headers"].items()},
                    whole(request["body"]),
                    response["status"],
                    {key.lower(): value for key, value in response["headers"].items()},
                    whole(response["body"]),
                )
            )
        # In the order in which they were sent.
        order = {item.name: int(line["source"].rpartition("#")[2]) for item, line in zip(found, lines, strict=True)}
        yield from sorted(found, key=lambda item: (item.blob, order[item.name]))


def whole(value: Any) -> Any:
    """Without the marks where a recording was cut, and without rows of types that the emulator does not serve."""
    if isinstance(value, list):
        return [whole(item) for item in value if not _left_out(item)]
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    return value


def served(exchange: Exchange) -> bool:
    """Return whether an exchange is about a type of the emulator."""
    path = exchange.path.lower()
    foreign = ("microsoft.network/networksecuritygroups", "microsoft.resources/deployments")
    if any(name in path for name in foreign):
        return False
    # Results of template deployments (what-if) and of deletions of deployments.
    return exchange.family != "operation-results" or (exchange.status == 200 and exchange.answer is None)


def _left_out(item: Any) -> bool:
    if isinstance(item, str):
        return item.startswith("(cut:")
    kind = item.get("type") if isinstance(item, dict) else None
    foreign = ("Microsoft.Storage/", "Microsoft.Web/", "Microsoft.Network/")
    return isinstance(kind, str) and kind.startswith(foreign)


# Comparison


def compare(recorded: Any, answered: Any, at: str = "") -> list[str]:
    """Return what of a recorded body is missing in a reply, or has another JSON type."""
    if isinstance(recorded, dict) and isinstance(answered, dict):
        found = []
        for key, value in recorded.items():
            if key not in answered:
                found.append(f"{at}.{key} is missing")
            else:
                found += compare(value, answered[key], f"{at}.{key}")
        return found
    if isinstance(recorded, list) and isinstance(answered, list):
        return [problem for item in recorded for problem in _nearest(item, answered, f"{at}[]")]
    anonymous = isinstance(recorded, str) and (recorded in MASKS or re.match(r"other\d+x\d+", recorded))
    if anonymous and answered is not None:
        return []
    if _kind(recorded) != _kind(answered):
        return [f"{at} is {_kind(answered)}, recorded as {_kind(recorded)}"]
    if at.rpartition(".")[2] in WORDS and recorded != answered:
        return [f"{at} is {answered!r}, recorded as {recorded!r}"]
    return []


def _nearest(item: Any, answered: list[Any], at: str) -> list[str]:
    if not answered:
        return [f"{at} is empty"]
    return min((compare(item, other, at) for other in answered), key=len)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {dict: "object", list: "array", str: "string"}.get(type(value), "null")


RUNNING = ("InProgress", "Pending", "Creating", "Updating", "Queued", "Deleting")


BEGUN = ("RegisteringDns", "Creating", "Waiting", "Updating", "Restoring", "InProgress", "UpdatingManagedIdentity")


def differences(exchange: Exchange, status: int, headers: Json, body: Any) -> list[str]:
    found = []
    if status != exchange.status:
        said = json.dumps(body)[:300] if status >= 400 else ""
        found.append(f"status is {status}, recorded as {exchange.status} {said}".rstrip())
    answered = {key.lower() for key in headers}
    for header in HEADERS:
        recorded, there = header.lower() in exchange.answer_headers, header.lower() in answered
        if recorded != there:
            found.append(f"{header} is {'there' if there else 'missing'}, recorded {'with' if recorded else 'without'}")
    if exchange.answer is None and body is not None:
        found.append("the body is not empty")
    return found + compare(exchange.answer, body) if exchange.answer is not None else found


def type_of(path: str) -> tuple[str, str]:
    """Type in Azure's spelling and action of a path."""
    path = re.sub("(?i)/providers/", "/providers/", path)
    parts = [part for part in path.rpartition("/providers/")[2].split("/") if part]
    if "/providers/" not in path.lower() or path.lower().count("/providers/") == 0:
        return ("Microsoft.Resources/resourceGroups", "")
    if len(parts) == 1:
        return ("Microsoft.Resources/providers", "")
    known, position = parts[0], 1
    while position < len(parts) and canonical_type(f"{known}/{parts[position]}"):
        known, position = f"{known}/{parts[position]}", position + 2
    return (
        canonical_type(known) or "Microsoft.Resources/resources",
        parts[position].lower() if position < len(parts) else "",
    )


def fitting_version(path: str, wanted: str) -> str:
    """The recorded version where the emulator takes it, else the nearest one that it takes."""
    path = re.sub("(?i)/providers/", "/providers/", path)
    kind, action = type_of(path)
    if kind == "Microsoft.Resources/resources" and re.search(r"/providers/[\w.]+/(un)?register$", path):
        kind = "Microsoft.Resources/providers"
    if "/locations/" in path and kind == "Microsoft.Resources/resources":
        kind = path.rpartition("/providers/")[2].split("/")[0] + "/locations"
    if kind == "Microsoft.Resources/resourceGroups" and not re.search("(?i)/resourcegroups", path):
        kind = "Microsoft.Resources/subscriptions"
    if path.lower().endswith("/resources"):
        kind = "Microsoft.Resources/resources"
    versions = ACTION_VERSIONS.get((kind.lower(), action)) or VERSIONS[kind]
    if wanted in versions:
        return wanted
    earlier = sorted(version for version in versions if version <= wanted)
    if not wanted:
        return max([version for version in versions if "preview" not in version] or versions)
    return earlier[-1] if earlier else min(versions)


def state_of(body: Any) -> str:
    properties = body.get("properties") if isinstance(body, dict) else None
    return str((properties or {}).get("provisioningState", "")) if isinstance(properties, dict) else ""


def resource_of(path: str) -> str | None:
    """Return the resource id in a path, without collection or action, or None."""
    head, separator, tail = re.sub("(?i)/providers/", "/providers/", path).rpartition("/providers/")
    if not separator or not re.search("(?i)/resourcegroups/", head):
        return None
    parts = [part for part in tail.split("/") if part]
    known, own = parts[0], [parts[0]]
    position = 1
    while position + 1 < len(parts) and canonical_type(f"{known}/{parts[position]}"):
        known = f"{known}/{parts[position]}"
        own += parts[position : position + 2]
        position += 2
    return f"{head}/providers/{'/'.join(own)}" if len(own) > 1 else None
