"""Server parameters: read and set one by one; static ones wait for a restart."""

from __future__ import annotations

from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register
from azure_emulator.core.store import Resource
from azure_emulator.services.postgresql import parameters
from azure_emulator.services.postgresql.checks import Problem, invalid
from azure_emulator.services.postgresql.children import Child
from azure_emulator.services.postgresql.operations import child, refuse_stopped
from azure_emulator.services.postgresql.parameters import PARAMETERS
from azure_emulator.services.postgresql.servers import CONFIGURATION

Json = dict[str, Any]


class Configurations(Child):
    """They exist with the server; there is no DELETE."""

    type = CONFIGURATION
    stored = False
    work = child("configuration", "UpdateOrcasServerParameterManagementOperation", 10)
    body_rule = {
        **rules.ENVELOPE,
        "properties!": {
            "value": rules.TEXT,
            "source": rules.TEXT,
            **rules.read_only(
                "description",
                "defaultValue",
                "dataType",
                "allowedValues",
                "isDynamicConfig",
                "isReadOnly",
                "isConfigPendingRestart",
                "unit",
                "documentationLink",
            ),
        },
    }

    def check(self, call: Call) -> None:
        super().check(call)
        problem = _problem(call.target.name.lower(), call.request.json()["properties"].get("value"))
        if problem is not None:
            raise Refusal(400, *problem)

    def _shown(self, call: Call, name: str, server: Resource) -> Json:
        stored = call.world.store.get(f"{server.id}/configurations/{name}")
        held = stored.properties if stored else {}
        return {
            "properties": parameters.shown(
                name,
                held.get("value"),
                held.get("source", "system-default"),
                pending=held.get("isConfigPendingRestart", False),
                version=server.properties["version"],
            ),
            "id": f"{server.id}/configurations/{name}",
            "name": name,
            "type": self.type,
        }

    def get(self, call: Call) -> Response:
        server = self._server(call)
        refuse_stopped(server)
        if call.target.name.lower() not in PARAMETERS:
            raise self.missing_error(call)
        return Response(200, self._shown(call, call.target.name.lower(), server))

    def list(self, call: Call, scope: str) -> Response:
        server = call.world.store.get(scope)
        assert server is not None
        refuse_stopped(server)
        return Response(200, {"value": [self._shown(call, name, server) for name in PARAMETERS]})

    delete = ResourceType.delete  # not the children's: there is none

    def put(self, call: Call) -> Response:
        return self._set(call)

    def patch(self, call: Call) -> Response:
        return self._set(call)

    def _set(self, call: Call) -> Response:
        body = self.sent(call)
        name, sent = call.target.name.lower(), body["properties"]
        refuse_stopped(self._server(call))
        error = _problem(name, sent.get("value"))
        known = PARAMETERS.get(name)
        default = known is not None and sent.get("value") == known.default
        properties = {
            "value": sent.get("value"),
            "source": "system-default" if default else sent.get("source", "user-override"),
            "isConfigPendingRestart": known is not None and not known.dynamic,
        }
        return self._write(call, {"properties": properties}, error, {})


def _problem(name: str, value: str | None) -> Problem | None:
    if name not in PARAMETERS:
        return "ConfigurationNotExists", f"The configuration '{name}' does not exist for PostgreSQL server."
    if value is None:
        return invalid("value")
    known = PARAMETERS[name]
    if known.read_only:
        return "InvalidParameterValue", f"The configuration '{name}' is read-only."
    if known.problem(value):
        return (
            "InvalidParameterValue",
            f"Invalid value given for parameter {name}: '{value}'. Allowed are: {known.allowed}. Specify a valid "
            "parameter value.",
        )
    return None


register(Configurations())
