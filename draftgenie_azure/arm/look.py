"""A resource as it was read and compared: the action that it needs, and the request for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from draftgenie_azure.arm import diff
from draftgenie_azure.arm.diff import SECRET, Change, Comparison
from draftgenie_azure.arm.merge import merged, patch, with_more
from draftgenie_azure.arm.plan import RESEND, UNCHANGED
from draftgenie_azure.arm.properties import traits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.arm.replies import Reply
    from draftgenie_azure.arm.resource import Beside, Resource

    Body = dict[str, Any]

_SUFFIX = "properties.template.revisionSuffix"


@dataclass
class Look:
    """The live resource, and the action that it needs.

    Attributes:
        wanted: the desired body, including the tag with its creation id.
        live: the live resource, or None.
        action: one of the actions of a plan.
        changes: the changes to write.
        beside: what a write contains in addition to them.
        reply: the reply to the write, and its monotonic time.
    """

    wanted: Body
    live: Body | None
    action: str = UNCHANGED
    changes: list[Change] = field(default_factory=list)
    comparison: Comparison = field(default_factory=Comparison)
    beside: Beside | None = None
    reply: Reply | None = None
    answered: float = 0.0

    @property
    def lasting(self) -> Body:
        """The lasting additions of a write to its changes."""
        return self.beside.body if self.beside is not None and self.beside.stays else {}

    def written(self, resource_type: str) -> list[Change]:
        """Return the changes of a write, including its lasting additions."""
        lasting = self.lasting
        if self.live is None or not lasting:
            return self.changes
        more = diff.between(resource_type, self.live, with_more(self.live, lasting))
        paths = {change.path for change in more}
        return [*(change for change in self.changes if change.path not in paths), *more]

    def request(self, resource: Resource) -> tuple[str, Body]:
        """Return method and body of the write."""
        if self.live is None:
            more = resource.at_creation() if resource.at_creation is not None else {}
            return "PUT", with_more(self.wanted, more)
        known = traits(resource.type)
        by_put = self.action == RESEND and known.repair_by_put
        if by_put or not all(known.is_patched(diff.pattern_of(change.path)) for change in self.changes):
            secret = [Change(tuple(path.split(".")), SECRET) for path in known.write_only]
            method, body = "PUT", merged(resource.type, self.wanted, self.live, [*self.changes, *secret])
        else:
            method, body = "PATCH", patch(resource.type, self.wanted, self.live, self.changes)
            if "template" in (body.get("properties") or {}) and diff.at(self.live, _SUFFIX):
                body["properties"]["template"]["revisionSuffix"] = None  # a suffix cannot be reused
        return method, body if self.beside is None else with_more(body, self.beside.body)

    def whole(self, resource: Resource) -> Body:
        """Return the full body of the planned write."""
        if self.live is None:
            return self.request(resource)[1]
        body: Body = with_more(merged(resource.type, self.wanted, self.live, self.changes), self.lasting)
        return body
