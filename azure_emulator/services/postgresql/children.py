"""Databases and firewall rules of a PostgreSQL server, and the base of all its children."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.effects import effect
from azure_emulator.core.errors import Refusal, resource_not_found
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.postgresql.checks import Problem, invalid
from azure_emulator.services.postgresql.operations import ServerWork, accept, child, refuse_busy, refuse_stopped
from azure_emulator.services.postgresql.servers import SERVER

Json = dict[str, Any]
DATABASE, RULE = f"{SERVER}/databases", f"{SERVER}/firewallRules"


class Child(ResourceType):
    """Databases, firewall rules and configurations: 202 with both headers, one after another per server."""

    tracked = False
    work: ServerWork

    def _server(self, call: Call) -> Resource:
        server = call.world.store.get(call.target.parent)
        if server is None:
            raise resource_not_found(SERVER, call.target.parent.rsplit("/", 1)[1], call.target.group)
        return server

    def _write(self, call: Call, body: Json, error: Problem | None, current: Json) -> Response:
        server = self._server(call)
        refuse_busy(call, server.id)
        refuse_stopped(server)
        if server.properties["state"] != "Ready" and error is None:
            raise Refusal(409, "ServerNotReady", f"Server '{server.name}' is in state '{server.properties['state']}'.")
        shown = {
            "properties": current | (body.get("properties") or {}),
            "id": call.target.id,
            "name": call.target.name,
            "type": self.type,
        }
        return accept(
            call, _verb(self.work, "Upsert"), server.id, location=server.body["location"], error=error, shown=shown
        )

    def delete(self, call: Call) -> Response:
        server = self._server(call)
        existing = call.must_exist()
        refuse_busy(call, server.id)
        refuse_stopped(server)
        return accept(
            call,
            replace(_verb(self.work, "Drop"), effect="postgresql.dropped"),
            server.id,
            location=server.body["location"],
            dropped=existing.id,
        )


def _verb(work: ServerWork, verb: str) -> ServerWork:
    return replace(work, operation=work.operation.replace("*", verb))


@effect("postgresql.child")
def _child_written(world: World, operation: Json) -> None:
    shown = operation["details"]["shown"]
    if not operation["error"] and world.store.get(operation["resource"]) is not None:
        existing = world.store.get(shown["id"])
        world.store.put(
            Resource(shown["id"], shown["type"], shown, existing.created if existing else operation["ends"])
        )


class Databases(Child):
    type = DATABASE
    work = child("database", "*ServerDatabaseManagementOperation", 10)
    name_pattern = r"[a-zA-Z_][\w-]{0,62}"
    name_error = ("InvalidDatabaseName", "The database name '{name}' is invalid.")
    body_rule = {**rules.ENVELOPE, "properties": {"charset": rules.TEXT, "collation": rules.TEXT}}

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        sent = {"charset": "UTF8", "collation": "en_US.utf8", **(body.get("properties") or {})}
        sent["charset"] = sent["charset"].upper()
        error = None
        if call.existing is not None and sent != call.existing.properties:
            error = (
                "DatabaseAlreadyExists",
                f"The database '{call.target.name}' exists with another charset or collation.",
            )
        return self._write(call, {"properties": sent}, error, {})

    def list(self, call: Call, scope: str) -> Response:
        answer = super().list(call, scope)
        for name in ("azure_maintenance", "azure_sys", "postgres"):
            answer.body["value"].append(
                {
                    "properties": {"charset": "UTF8", "collation": "en_US.utf8"},
                    "id": f"{scope}/databases/{name}",
                    "name": name,
                    "type": self.type,
                }
            )
        return answer


class FirewallRules(Child):
    type = RULE
    work = child("firewall rule", "*ServerFirewallRulesManagementOperation", 60)
    name_pattern = r"[A-Za-z0-9_-]{1,128}"
    name_error = ("InvalidFirewallRuleName", "The firewall rule name '{name}' is invalid.")
    body_rule = {
        **rules.ENVELOPE,
        "properties!": {
            "startIpAddress!": rules.Text(pattern=r"\d{1,3}(\.\d{1,3}){3}"),
            "endIpAddress!": rules.Text(pattern=r"\d{1,3}(\.\d{1,3}){3}"),
        },
    }

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        first, last = (
            [int(part) for part in body["properties"][key].split(".")] for key in ("startIpAddress", "endIpAddress")
        )
        error = None
        if first > last or max(first + last) > 255:
            error = invalid("startIpAddress")
        server = self._server(call)
        if server.properties["network"].get("delegatedSubnetResourceId"):
            # It should fail, says the service's team (github.com/Azure/azure-rest-api-specs issue 20616); its
            # message is not known.
            error = invalid("firewallRuleName")
        return self._write(call, body, error, {})


register(Databases(), FirewallRules())
