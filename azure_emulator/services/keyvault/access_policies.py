"""Access policies of a vault: added, replaced or removed one by one (learn.microsoft.com/rest/api/keyvault)."""

from __future__ import annotations

from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call

Json = dict[str, Any]
POLICIES = [
    {
        "tenantId!": rules.TEXT,
        "objectId!": rules.TEXT,
        "applicationId": rules.TEXT,
        "permissions!": rules.Map(rules.TEXTS),
    }
]
_KINDS = ("add", "replace", "remove")
_RULE: Json = {**rules.ENVELOPE, "location": rules.READ_ONLY, "properties!": {"accessPolicies!": POLICIES}}


def change(call: Call) -> Response:
    """PUT of `accessPolicies/add`, `/replace` or `/remove`."""
    vault = call.must_exist()
    kind = call.rest[1].lower() if len(call.rest) == 2 else ""
    if kind not in _KINDS:
        raise Refusal(400, "BadRequest", f"The operation kind is one of {', '.join(_KINDS)}, not '{kind}'.")
    body = rules.clean(call.request.json(), _RULE, code="BadRequest")
    vault.properties["accessPolicies"] = _changed(
        kind, vault.properties["accessPolicies"], body["properties"]["accessPolicies"]
    )
    call.world.store.put(vault)
    shown = {
        "id": f"{vault.id}/accessPolicies/",
        "type": f"{call.target.type}/accessPolicies",
        "location": vault.body["location"],
        "properties": {"accessPolicies": vault.properties["accessPolicies"]},
    }
    return Response(200, shown)


def _who(policy: Json) -> tuple[str, ...]:
    return tuple(str(policy.get(key, "")).lower() for key in ("tenantId", "objectId", "applicationId"))


def _changed(kind: str, current: list[Json], sent: list[Json]) -> list[Json]:
    """Apply a change: `replace` whole policies, `add` and `remove` single permissions."""
    result = {_who(policy): policy for policy in current}
    for policy in sent:
        there = result.get(_who(policy))
        if kind == "replace" or (kind == "add" and there is None):
            result[_who(policy)] = policy
        elif there is not None:
            result[_who(policy)] = {**there, "permissions": _permissions(kind, there, policy)}
    return [policy for policy in result.values() if any(policy["permissions"].values())]


def _permissions(kind: str, there: Json, sent: Json) -> Json:
    merged = {area: list(words) for area, words in there["permissions"].items()}
    for area, words in sent["permissions"].items():
        held = merged.setdefault(area, [])
        if kind == "add":
            held += [word for word in words if word not in held]
        else:
            merged[area] = [word for word in held if word.lower() not in {item.lower() for item in words}]
    return merged
