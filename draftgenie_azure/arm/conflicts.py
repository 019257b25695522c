"""Find what Azure refuses in a write although the configuration alone is right: values of others that it keeps.

Azure answers such a write with a refusal, where `validateResources` may accept it; a plan says so beforehand.
"""

from __future__ import annotations

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.diff import at
from draftgenie_azure.errors import ConflictError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    Body = Mapping[str, Any]

_SINGLE = "single"


def check(key: str, resource_id: str, whole: Callable[[], Body]) -> None:
    """Check a write to an existing resource.

    Args:
        whole: returns the full body of the write.

    Raises:
        ConflictError: Azure would refuse it.
    """
    find = _CHECKS.get(ids.resource_type(resource_id))
    for problem, advice in find(whole()) if find is not None else ():
        raise ConflictError(
            f"{key} {ids.last_name(resource_id)}: Azure would refuse {problem}",
            hint=f"The configuration alone has no such conflict: the write keeps what others set. {advice}, or run "
            "with --refresh where the configuration has another value.",
        )


def _of_app(body: Body) -> Iterator[tuple[str, str]]:
    yield from _restrictions(at(body, "properties.configuration.ingress.ipSecurityRestrictions") or [])
    affinity = at(body, "properties.configuration.ingress.stickySessions.affinity")
    mode = at(body, "properties.configuration.activeRevisionsMode")
    if str(affinity).lower() == "sticky" and str(mode or _SINGLE).lower() != _SINGLE:
        # learn.microsoft.com/azure/container-apps/sticky-sessions
        yield (
            "session affinity with several active revisions",
            "Turn it off (az containerapp ingress sticky-sessions set --affinity none)",
        )
    is_tcp = str(at(body, "properties.configuration.ingress.transport")).lower() == "tcp"
    if is_tcp and at(body, "properties.configuration.ingress.allowInsecure"):
        # learn.microsoft.com/azure/container-apps/ingress-overview
        yield "allowInsecure with transport tcp", "Disable the ingress of theirs (az containerapp ingress disable)"
    scale = at(body, "properties.template.scale") or {}
    yield from _range(scale, "minReplicas", "maxReplicas", "replicas")


def _restrictions(rules: list[Body]) -> Iterator[tuple[str, str]]:
    """All allow, or all deny (learn.microsoft.com/azure/container-apps/ip-restrictions)."""
    names: dict[str, list[str]] = {}
    for rule in rules:
        names.setdefault(str(rule.get("action")).lower(), []).append(str(rule.get("name")))
    if len(names) > 1:
        words = "; ".join(f"{', '.join(found)}: {action}" for action, found in sorted(names.items()))
        yield (
            f"access rules of which some allow and some deny ({words})",
            "Delete theirs (az containerapp ingress access-restriction remove), or have ip_restrictions agree with "
            "them",
        )


def _of_environment(body: Body) -> Iterator[tuple[str, str]]:
    for profile in at(body, "properties.workloadProfiles") or []:
        yield from _range(profile, "minimumCount", "maximumCount", f"machines of the profile {profile.get('name')}")


def _range(facts: Body, least: str, most: str, what: str) -> Iterator[tuple[str, str]]:
    low, high = facts.get(least), facts.get(most)
    if isinstance(low, int) and isinstance(high, int) and low > high:
        yield f"at least {low} and at most {high} {what}", f"Correct {least} or {most} in Azure"


_CHECKS: dict[str, Callable[[Body], Iterator[tuple[str, str]]]] = {
    "Microsoft.App/containerApps": _of_app,
    "Microsoft.App/managedEnvironments": _of_environment,
}
