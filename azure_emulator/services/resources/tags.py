"""Tags at a scope, separate from the tagged resource: `Microsoft.Resources/tags/default`."""

from __future__ import annotations

from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.errors import Refusal, gateway, group_not_found
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import REGISTRY, Call, ResourceType, register
from azure_emulator.core.store import Resource

Json = dict[str, Any]
_RULE: Json = {
    **rules.ENVELOPE,
    "operation": rules.OneOf("Merge", "Replace", "Delete"),
    "properties!": {"tags": rules.Map(rules.TEXT)},
}
_SUBSCRIPTION = "subscription tags"


class Tags(ResourceType):
    """PUT replaces, PATCH merges, replaces or deletes, DELETE empties (learn.microsoft.com/rest/api/resources/tags)."""

    type = "Microsoft.Resources/tags"
    tracked = False
    extension = True
    stored = False
    name_pattern = r"(?i:default)"
    name_error = ("InvalidTagsName", "The tags at a scope are named 'default', not '{name}'.")

    def _current(self, call: Call) -> tuple[Resource | None, Json]:
        """Return the resource or group at the scope, and its tags; for a subscription, only the tags."""
        scope = call.target.scope
        if scope.lower() == call.world.subscription.lower():
            return None, dict((call.world.store.record("meta", _SUBSCRIPTION) or {}).get("tags", {}))
        found = call.world.store.get(scope)
        if found is None:
            raise group_not_found(scope.rsplit("/", 1)[1])
        kind = REGISTRY.get(found.type.lower())
        if kind is not None and not kind.tracked:
            raise gateway(400, "ResourceDoesNotSupportTags", f"The resource '{scope}' does not support tags.")
        return found, dict(found.body.get("tags") or {})

    def _keep(self, call: Call, found: Resource | None, tags: Json) -> None:
        rules.check_tags(tags)
        if found is None:
            call.world.store.set("meta", _SUBSCRIPTION, {"tags": tags})
            return
        found.body["tags"] = tags
        call.world.store.put(found)

    def _shown(self, call: Call, tags: Json) -> Response:
        identifier = f"{call.target.scope}/providers/{self.type}/default"
        return Response(
            200, {"id": identifier, "name": "default", "type": "Microsoft.Resources/tags", "properties": {"tags": tags}}
        )

    def get(self, call: Call) -> Response:
        return self._shown(call, self._current(call)[1])

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        found, _ = self._current(call)
        tags = body["properties"].get("tags", {})
        self._keep(call, found, tags)
        return self._shown(call, tags)

    def patch(self, call: Call) -> Response:
        body = self.sent(call)
        if "operation" not in body:
            raise Refusal(400, "InvalidRequestContent", "The property 'operation' is Merge, Replace or Delete.")
        found, current = self._current(call)
        tags = _changed(body["operation"], current, body["properties"].get("tags", {}))
        self._keep(call, found, tags)
        return self._shown(call, tags)

    def delete(self, call: Call) -> Response:
        found, _ = self._current(call)
        self._keep(call, found, {})
        return Response(200)


def _changed(operation: str, current: Json, sent: Json) -> Json:
    """Apply a change; names are case-insensitive, and Delete also requires equal values."""
    if operation == "Replace":
        return sent
    names = {name.lower(): name for name in current}
    result = dict(current)
    for name, value in sent.items():
        held = names.get(name.lower())
        if operation == "Merge":
            result[held or name] = value
        elif held is not None and current[held] == value:
            del result[held]
    return result


register(Tags())
