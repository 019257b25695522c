"""The page of `--status`: what is deployed, who is working on it, and leftovers."""

from __future__ import annotations

import time

from draftgenie_azure.cli.events import shortened
from draftgenie_azure.cli.summary import pinned
from draftgenie_azure.cli.views import under_way
from draftgenie_azure.printable import duration, image_name
from draftgenie_azure.state.document import last_outputs, last_success

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

_DEPLOYING = ("deploy_infrastructure_services", "deploy_application_services")


def page(
    state: Mapping[str, Any], steps: Sequence[str], where: str, holder: str | None
) -> tuple[list[str], dict[str, Any]]:
    """Return the page as lines, and as a document for programs.

    Args:
        state: the state document.
        steps: names of all steps, in order.
        where: location of the state, for display.
        holder: holder of the lock, or None.
    """
    document = {
        "event": "status",
        "state": where,
        "serial": state["serial"],
        "last_updated": state.get("last_updated"),
        "target": state["target"],
        "locked_by": holder,
        "services": services(state),
        "steps": {name: _step(state, name, holder is not None) for name in steps},
        "operations": under_way(state),
        "orphans": _orphans(state),
        "unfinished_migrations": _unfinished(state),
        "unrestricted": _unrestricted(state),
        "pin": state.get("pin"),
        "rotating": sorted(state.get("rotating", {})),
        "resources": {key: record["id"] for key, record in sorted(state["resources"].items())},
    }
    return list(_lines(document)), document


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    target = document["target"]
    names = (target.get("cloud"), target.get("subscription_id"), target.get("resource_group"))
    yield f"Target   {' / '.join(str(name) for name in names if name) or 'not known yet'}"
    yield f"State    {document['state']}, serial {document['serial']}, last changed {document['last_updated']}"
    if document["locked_by"]:
        yield f"Locked   by {document['locked_by']}"
    if document["pin"]:
        yield f"Pinned   {pinned(document['pin'])}"
    yield ""
    for name, facts in document["services"].items():
        yield f"  {name:20} {facts['url'] or '(no ingress)'}"
        if facts["image"]:
            yield f"      {image_name(facts['image'])}"
    yield ""
    for name, step in document["steps"].items():
        took = duration(step["seconds"]) if step["seconds"] is not None else ""
        why = [reason for reason in step["reasons"] if reason != "never ran"]
        words = (name, step["status"], step["since"] or "", took, shortened(why))
        yield "  {:32} {:11} {:21} {:12} {}".format(*words).rstrip()
        if step["error"]:
            yield f"      {str(step['error']).splitlines()[0]}"
    yield from _section("In progress in Azure", document["operations"])
    yield from _section("Migrations that did not finish", document["unfinished_migrations"])
    yield from _section(
        "Left the configuration, still in Azure (--prune deletes them)",
        [f"{one['key']} {one['name']}{_since(one['since'])}" for one in document["orphans"]],
    )
    yield from _section("Secrets that the next run gives a new value (--rotate-secret)", document["rotating"])
    yield from _section("Access that --adopt would restrict", document["unrestricted"])


def _section(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield ""
        yield f"{title}:"
        yield from (f"  {item}" for item in items)


def _since(timestamp: str | None) -> str:
    if not timestamp:
        return ""
    try:
        then = time.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return ""
    seconds = time.time() - (time.mktime((*then[:8], 0)) - time.timezone)  # as UTC; calendar costs the no-op run 2 ms
    return f", for {duration(max(0.0, seconds))}"


def _step(state: Mapping[str, Any], name: str, locked: bool) -> dict[str, Any]:
    """Return the record of a step. It is running only while the lock is held; otherwise the run was interrupted."""
    record = state["steps"].get(name, {})
    success = last_success(state, name) or {}
    status = record.get("status", "never ran")
    return {
        "status": "interrupted" if status == "running" and not locked else status,
        "since": success.get("timestamp"),
        "seconds": success.get("duration_seconds"),
        "reasons": record.get("metadata", {}).get("reasons", []),
        "outputs": success.get("outputs", {}),
        "error": record.get("error"),
    }


def services(state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return URL and image of each service, as far as recorded."""
    images = last_outputs(state, "build_and_push_images")
    found = {}
    for step in _DEPLOYING:
        for key, facts in last_outputs(state, step).items():
            if isinstance(facts, dict):
                image = images.get(key)
                reference = image.get("reference") if isinstance(image, dict) else facts.get("image")
                found[key] = {"url": _text(facts.get("url")), "image": _text(reference)}
    return dict(sorted(found.items()))


def _text(value: object) -> str | None:
    """Return a recorded text; None for anything else, since a state may have been edited."""
    return value if isinstance(value, str) else None


def _orphans(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "name": record["name"], "id": record["id"], "since": record.get("orphaned_at")}
        for key, record in sorted(state["resources"].items())
        if record.get("orphaned")
    ]


def _unfinished(state: Mapping[str, Any]) -> list[str]:
    return [
        f"{key.split('/', 1)[1]} ({record['name']})"
        for key, record in sorted(state["resources"].items())
        if key.startswith("job/") and not record.get("succeeded") and not record.get("orphaned")
    ]


def _unrestricted(state: Mapping[str, Any]) -> list[str]:
    return [
        f"{key}: {record['left_open']}"
        for key, record in sorted(state["resources"].items())
        if record.get("left_open")
    ]
