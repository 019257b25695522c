"""Check the build contexts of the images before a run writes anything."""

from __future__ import annotations

from draftgenie_azure.build_context import buildkit, findings
from draftgenie_azure.changes.reasons import FILES, builders
from draftgenie_azure.errors import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from draftgenie_azure.build_context.context import Context
    from draftgenie_azure.changes.dependencies import Hasher


def faults(hasher: Hasher) -> list[Fault]:
    """Return a fault, with file and line, for each source named in a Dockerfile but not shipped."""
    found: dict[tuple[str, int | None, str], Fault] = {}
    for service in hasher.built():
        context = _as_built(hasher, service)
        for fault in findings.faults(context):
            fault.key = f"services.{service}"
            found.setdefault((fault.file, fault.line, fault.message), fault)
    return list(found.values())


def notices(hasher: Hasher) -> Iterator[str]:
    """Yield warnings about files that images should not ship, with lines for their ignore files."""
    services: dict[tuple[str, str], tuple[list[str], str, int, str]] = {}
    for service in hasher.built():
        context = hasher.context(service)
        for line, (what, count, first) in findings.unwanted(context).items():
            entry = services.setdefault((line, context.ignore_file), ([], what, count, first))
            entry[0].append(service)
    for (line, ignore_file), (users, what, count, first) in services.items():
        thing = f"`{first}`" if count == 1 else f"{count:,} files such as `{first}`"
        yield (
            f"{'the image of' if len(users) == 1 else 'the images of'} {', '.join(users)} would ship {thing}, which "
            f"usually {'is' if what != 'packages' else 'are'} {what}; to leave it out, add `{line}` to {ignore_file} "
            f"(`!{line}` there confirms that it is intended)"
        )


def _as_built(hasher: Hasher, service: str) -> Context:
    """Return the context with the stages that its builder builds: BuildKit skips those the target does not need."""
    context = hasher.context(service)
    if not _by_buildkit(hasher, context):
        return context
    only = context.unread()
    only.every_stage = False
    return only


def _by_buildkit(hasher: Hasher, context: Context) -> bool:
    builder: Any = hasher.raw.get("docker.builder")
    wanted: Any = hasher.raw.get("docker.buildkit")
    if builder == "docker" or str(wanted).lower() == "true":
        return True
    if str(wanted).lower() == "false":
        return False
    return bool(buildkit.needs(context.dockerfile_text, target=context.target))


def changed(hasher: Hasher, before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """Return the services whose image would change, from the build step's recorded and current lines."""
    different = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    services = hasher.built()
    found: set[str] = set()
    for name in different:
        kind, _, key = name.partition(":")
        parts = key.split(".")
        if kind in FILES:
            found.update(builders(name, hasher.images()))
        elif parts[0] == "services" and len(parts) > 1:
            found.add(parts[1])
        else:
            found.update(services)
    return found.intersection(services)
