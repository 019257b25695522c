"""A plan and the run after it, compared leaf by leaf with what then is in Azure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hand_sweep import flat
from hypothesis import HealthCheck, Phase, settings
from project import Azure, Project, Result

from draftgenie_azure.arm import diff, ids

HIDDEN = ("administratorLoginPassword", "azureFile.accountKey")  # no GET shows them


def examples(number: int) -> settings:
    """How many random pairs are tried: others each time as PLAN_EXAMPLES says, or the same ones, of this number."""
    return settings(
        derandomize="PLAN_EXAMPLES" not in os.environ,
        max_examples=int(os.environ.get("PLAN_EXAMPLES", number)),
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # a pair begins where the one before it ended, so that none can be made smaller
    )


def live_body(azure: Azure, record: dict[str, Any]) -> dict[str, Any]:
    """Return the body of GET; empty if the resource is gone."""
    answer = azure.ask("GET", record["id"], record["api_version"])
    return {**answer.json(), "id": record["id"]} if answer.status_code == 200 else {}


def bodies(project: Project, azure: Azure, found: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Every recorded resource by its id, as it is; a service that is renamed gives its key to another one.

    Args:
        found: records of resources that others made and the state does not have yet.
    """
    recorded = project.state()["resources"].values() if project.state_file.exists() else ()
    return {record["id"].lower(): live_body(azure, record) for record in (*found, *recorded)}


def planned(project: Project, *arguments: str) -> dict[str, Any]:
    """The plan event of a dry run."""
    result = project.run("--dry-run", "--output", "json", *arguments)
    assert result.code == 0, result.text
    return next(event for event in result.events() if event["event"] == "plan")


def paths(entries: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Id -> the leaves that are announced; not those that Azure never shows."""
    found: dict[str, set[str]] = {}
    for entry in entries:  # entries for a part of a resource count for the resource
        shown = {spelled(change["path"]) for change in entry.get("changes", []) if change["path"] not in HIDDEN}
        found.setdefault(entry["id"].lower(), set()).update(shown)
    return found


def leaves(body: dict[str, Any]) -> dict[str, Any]:
    """The leaves of a body by their names in a plan."""
    found = diff.leaves(ids.resource_type(body["id"]), body) if body else {}
    named = {diff.shown_path(path): value for path, value in found.items()}
    return {spelled(name): value for name, value in named.items()}


def spelled(name: str) -> str:
    """The name of a leaf, without the letter case of a tag's name, which means nothing."""
    return name.lower() if name.startswith("tags") else name


def done(before: dict[str, Any], after: dict[str, Any]) -> dict[str, set[str]]:
    """Id -> names of the leaves that are another."""
    found = {}
    for key in after:
        one, other = leaves(before.get(key, {})), leaves(after[key])
        changed = {name for name in {*one, *other} if one.get(name) != other.get(name)}
        if changed:
            found[key] = changed
    return found


def is_told(name: str, announced: set[str], before: set[str]) -> bool:
    """Return whether a changed leaf is announced: itself, a removed item that contains it, or an added object.

    Azure adds properties to new objects.
    """
    if any(one == name or name.startswith(f"{one}.") for one in announced):
        return True
    parts = re.split(r"(?<=\])\.|\.(?![^\[]*\])", name)
    above = [".".join(parts[:size]) for size in range(1, len(parts) + 1)]
    return any(
        any(one.startswith(f"{top}.") for one in announced) and not any(old.startswith(f"{top}.") for old in before)
        for top in above
    )


def untold(before: dict[str, Any], after: dict[str, Any], announced: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return changes that were not announced."""
    found = {}
    for key, names in done(before, after).items():
        there = set(leaves(before.get(key, {})))
        found[key] = {name for name in names if not is_told(name, announced.get(key, set()), there)}
    return {key: names for key, names in found.items() if names}


def undone(changes: dict[str, set[str]], announced: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return announcements without a change."""
    found = {
        key: {one for one in names if not any(name.startswith(one) for name in changes.get(key, ()))}
        for key, names in announced.items()
    }
    return {key: names for key, names in found.items() if names}


def came_and_went(entries: list[dict[str, Any]], before: dict[str, Any]) -> dict[str, set[str]]:
    """Id -> the leaves that one part of a plan removes after another one has made them."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        there = leaves(before.get(entry["id"].lower(), {}))
        removed = {change["path"] for change in entry.get("changes", []) if change["kind"] == diff.REMOVE}
        gone = {name for name in removed if not any(one.startswith(name) for one in there)}
        found.setdefault(entry["id"].lower(), set()).update(gone)
    return found


def told(entries: list[dict[str, Any]], changes: dict[str, set[str]]) -> dict[str, set[str]]:
    """Id -> the leaves that are announced: all of what is created, and of a job whose content is not known yet."""
    announced = paths(entries)
    created = {entry["id"].lower() for entry in entries if entry["action"] == "create"}
    starts = tuple(entry["id"].lower() for entry in entries if "unless" in entry.get("note", ""))
    roles = {one.rpartition("/")[0] for one in created if "/roleassignments/" in one}  # named after an identity to come
    for key, names in changes.items():
        if key in created or (starts and key.startswith(starts)) or key.rpartition("/")[0] in roles:
            announced[key] = {name.partition(".")[0] for name in names} | announced.get(key, set())
    return announced


def check_run(
    project: Project, azure: Azure, found: Sequence[dict[str, Any]] = ()
) -> dict[str, dict[str, Any]]:
    """Plan, run, compare; what was announced, by key."""
    before = bodies(project, azure, found)
    event = planned(project)
    for entry in event["plan"]["changes"]:  # one that is there already, and not recorded
        if entry["action"] == "change" and ids.resource_type(entry["id"]) in ids.API_VERSIONS:
            record = {"id": entry["id"], "api_version": ids.api_version(entry["id"])}
            before.setdefault(entry["id"].lower(), live_body(azure, record))
    reviewed = ["--expect-plan", event["plan"]["id"]] if "id" in event["plan"] else []  # none where nothing is to do
    result = project.run("--output", "json", *reviewed)
    assert result.code == 0, [event for event in result.events() if event.get("error") or event["event"] == "error"]
    after = bodies(project, azure)
    changes = done(before, after)
    announced = told(event["plan"]["changes"], changes)
    assert untold(before, after, announced) == {}, (untold(before, after, announced), announced)
    passing = came_and_went(event["plan"]["changes"], before)
    resources = {key: names - passing.get(key, set()) for key, names in announced.items() if key in after}
    assert undone(changes, resources) == {}, (undone(changes, resources), changes)
    for key in after.keys() - announced.keys():
        assert after[key] == before.get(key), (key, list(others(before.get(key), after[key])))
    again = {name: one for name, one in planned(project)["steps"].items() if one["verdict"] not in ("skip", "disabled")}
    assert again == {}, again
    gone = {entry["id"].lower() for entry in event["plan"]["changes"] if entry["action"] == "delete"}
    assert not after.keys() & gone, after.keys() & gone
    return check_written(event["plan"]["changes"], result)


def check_refused(project: Project, azure: Azure) -> bool:
    """Return whether a dry run refuses; then the run does, too.

    It writes nothing; but where it is single steps that would fail, others do what the plan says of them.
    """
    refused = project.run("--dry-run", "--output", "json")
    if refused.code == 0:
        return False
    since, before = len(project.requests()), bodies(project, azure)
    assert project.run("--output", "json").code == 1, refused.text
    plan = next((event["plan"] for event in refused.events() if event["event"] == "plan"), None)
    if plan is None:
        assert project.writes(since) == [], refused.text
    else:
        after = bodies(project, azure)
        announced = told(plan["changes"], done(before, after))
        assert untold(before, after, announced) == {}, (untold(before, after, announced), plan)
    return True


def check_written(entries: list[dict[str, Any]], result: Result) -> dict[str, dict[str, Any]]:
    """Check that the run wrote what the plan named; return the plan's entries by key."""
    kinds = ("domains/", "traffic/", "managed_certificate/", "container_app/", "revision/")
    written = {key for event in result.events() if event["event"] == "step_done" for key in event["written"]}
    named = {entry["key"] for entry in entries if entry["action"] != "forget"}
    parts = [{key for key in keys if key.startswith(kinds)} for keys in (written, named)]
    assert parts[0] == parts[1], parts
    return {entry["key"]: entry for entry in entries}


def others(before: Any, after: Any) -> Iterator[tuple[Any, Any]]:
    """For a message: what is another."""
    one, other = dict(flat(before)), dict(flat(after))
    yield from ((at, (one.get(at), other.get(at))) for at in {*one, *other} if one.get(at) != other.get(at))


def check_rest(project: Project, azure: Azure) -> None:
    """Remaining differences on refresh are changes by others; once repaired, nothing remains."""
    drift = planned(project, "--refresh")["plan"]["changes"]
    created = {entry["id"] for entry in drift if entry["action"] == "create"}  # deleted by others, with all its parts
    ours = [
        (entry["key"], change["path"])
        for entry in drift
        for change in entry.get("changes", [])
        if entry["id"] not in created and "changed by others" not in (change.get("note") or "")
    ]
    assert ours == [], [entry for entry in drift if entry["key"] in dict(ours)]
    if drift:
        before = bodies(project, azure)
        result = project.run("--refresh", "--output", "json")
        assert result.code == 0, [event for event in result.events() if event.get("error") or event["event"] == "error"]
        after = bodies(project, azure)
        announced = told(drift, done(before, after))
        assert untold(before, after, announced) == {}, (untold(before, after, announced), announced)
    left = planned(project, "--refresh")["plan"]["changes"]
    assert left == [], left
