"""Children of a cache (firewall rules) and of a Managed Redis database (access policy assignments)."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

from azure_emulator.core import endings, rules
from azure_emulator.core.effects import EFFECTS
from azure_emulator.core.errors import Refusal
from azure_emulator.core.lifecycle import Work, in_location
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, display_location, register
from azure_emulator.core.store import Resource
from azure_emulator.services.redis.caches import REDIS
from azure_emulator.services.redis.enterprise import DATABASE

Json = dict[str, Any]
_WRITE = Work(
    "managed redis.ready",
    ("managed redis", "database"),
    "managed redis",
    answers=201,
    sends="A L=resource",
    pace=30,
    status=in_location("Microsoft.Cache", "operationsStatus"),
    result="{resource}/operationresults/{id}",
    final="none",
)
_DELETE = replace(_WRITE, effect="managed redis.assignment deleted", answers=202, sends="A L")


class FirewallRules(ResourceType):
    """PUT 201, 200 on an existing one; DELETE 200 (PyPI azure-mgmt-redis)."""

    type = f"{REDIS}/firewallRules"
    tracked = False
    name_pattern = r"[A-Za-z0-9_]{1,256}"
    name_error = ("InvalidRequestBody", "The rule name '{name}' is invalid: letters, digits and underscores.")
    body_rule = {**rules.ENVELOPE, "properties!": {"startIP!": rules.TEXT, "endIP!": rules.TEXT}}

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        sent = body["properties"]
        if _number(sent["startIP"]) > _number(sent["endIP"]):
            raise Refusal(400, "InvalidRequestBody", "startIP is behind endIP.", target="properties.startIP")
        cache = call.target.parent.rsplit("/", 1)[1]
        shown = {
            "id": call.target.id,
            "name": f"{cache}/{call.target.name}",
            "type": "Microsoft.Cache/Redis/firewallRules",
            "properties": sent,
        }
        created = call.existing.created if call.existing else call.now
        call.world.store.put(Resource(call.target.id, self.type, shown, created))
        return Response(200 if call.existing else 201, shown)

    def delete(self, call: Call) -> Response:
        call.world.store.drop(call.must_exist().id)
        return Response(200)


def _number(text: str) -> int:
    try:
        return int(ipaddress.IPv4Address(text))
    except ValueError as error:
        raise Refusal(400, "InvalidRequestBody", f"'{text}' is no IPv4 address.", target="properties") from error


class AccessPolicyAssignments(ResourceType):
    """Principals signing in with Entra; the only policy is `default` (PyPI azure-mgmt-redisenterprise)."""

    type = f"{DATABASE}/accessPolicyAssignments"
    tracked = False
    name_pattern = r"[A-Za-z0-9]{1,60}"
    name_error = ("InvalidRequestBody", "The assignment name '{name}' is invalid: up to 60 letters and digits.")
    body_rule = {
        **rules.ENVELOPE,
        "properties!": {
            "accessPolicyName!": rules.OneOf("default"),
            "user!": {"objectId!": rules.Text(least=36, most=36)},
            "provisioningState": rules.READ_ONLY,
        },
    }

    def _place(self, call: Call) -> str:
        cluster = call.world.store.get(call.target.id.rsplit("/databases/", 1)[0])
        assert cluster is not None
        return display_location(cluster.body["location"])

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        shown = {
            "id": call.target.id,
            "name": call.target.name,
            "type": self.type,
            "properties": {**body["properties"], "provisioningState": "Creating"},
        }
        created = call.existing.created if call.existing else call.now
        call.world.store.put(Resource(call.target.id, self.type, shown, created))
        work = replace(_WRITE, answers=200) if call.existing else _WRITE
        return call.accept(work, call.target.id, shown, place=self._place(call))

    def delete(self, call: Call) -> Response:
        existing = call.must_exist()
        return call.accept(_DELETE, existing.id, place=self._place(call))


EFFECTS.update({"managed redis.assignment deleted": endings.removed})
register(FirewallRules(), AccessPolicyAssignments())
