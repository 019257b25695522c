"""Certificates of an environment: uploaded ones, and managed ones for a domain."""

from __future__ import annotations

from typing import Any

from azure_emulator.core import endings, rules
from azure_emulator.core.effects import FINALS, effect
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, display_location, register, system_data
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.app import domains, schema
from azure_emulator.services.app.certificate_files import described, parse
from azure_emulator.services.app.lifecycle import MANAGED_CERTIFICATE_PUT
from azure_emulator.services.app.types import APP, ENVIRONMENT

Json = dict[str, Any]
CERTIFICATE = f"{ENVIRONMENT}/certificates"
MANAGED = f"{ENVIRONMENT}/managedCertificates"
_NAME = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"


class _Kind(ResourceType):
    """The common base: tags change by PATCH, and a certificate bound to a domain cannot be deleted."""

    tracked = False
    name_pattern = _NAME
    name_error = ("InvalidCertificateName", "Invalid certificate name '{name}'.")

    def _frame(self, call: Call, body: Json, properties: Json) -> Resource:
        shown = {
            "id": call.target.id,
            "name": call.target.name,
            "type": self.type,
            "location": display_location(body["location"]),
            **({"tags": body["tags"]} if body.get("tags") else {}),
            "systemData": system_data(
                call, created=None if call.existing is None else call.existing.body["systemData"]["createdAt"]
            ),
            "properties": properties,
        }
        created = call.existing.created if call.existing else call.now
        return call.world.store.put(Resource(call.target.id, self.type, shown, created))

    def patch(self, call: Call) -> Response:
        existing = call.must_exist()
        sent = rules.clean(call.request.json(), schema.TAGS_ONLY, patch=True)
        if "tags" in sent:
            existing.body["tags"] = sent["tags"] or {}
        call.world.store.put(existing)
        return Response(200, existing.body)

    def delete(self, call: Call) -> Response:
        existing = call.must_exist()
        bound = [app.name for app, _ in _bindings(call.world, existing)]
        if bound:
            # The service's error code is not known.
            raise Refusal(
                409, "CertificateInUse", f"The certificate '{existing.name}' is used by the apps {', '.join(bound)}."
            )
        call.world.store.drop(existing.id)
        return Response(200)


def _bindings(world: World, certificate: Resource) -> list[tuple[Resource, Json]]:
    found = []
    for app in world.store.of_type(APP):
        for domain in (app.properties["configuration"]["ingress"] or {}).get("customDomains") or []:
            if str(domain.get("certificateId") or "").lower() == certificate.key:
                found.append((app, domain))
    return found


class Certificates(_Kind):
    """PUT 200, also if new; value and password are never returned."""

    type = CERTIFICATE
    body_rule = schema.CERTIFICATE

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        sent = body.get("properties") or {}
        if "certificateKeyVaultProperties" in sent:
            raise Refusal(
                400,
                "InvalidRequestParameterWithDetails",
                "Certificates from Key Vault are not served here: the emulated vaults have secrets, no certificates.",
            )
        if not sent.get("value"):
            raise Refusal(400, "InvalidRequestParameterWithDetails", "The certificate's value is required.")
        facts = described(parse(sent["value"], sent.get("password") or ""), call.now)
        kept = {"certificateType": sent["certificateType"]} if "certificateType" in sent else {}
        return Response(200, self._frame(call, body, {"provisioningState": "Succeeded", **facts, **kept}).body)


class ManagedCertificates(_Kind):
    """The domain must be a custom domain of an app in the environment (RequireCustomHostnameInEnvironment;
    github.com/microsoft/azure-container-apps issue 1570), and its DNS must point there; then 201 with A."""

    type = MANAGED
    body_rule = schema.MANAGED_CERTIFICATE

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        sent = body.get("properties") or {}
        host = str(sent.get("subjectName") or "").lower()
        if call.existing is not None:
            return Response(200, call.existing.body)
        environment = call.world.store.get(call.target.parent)
        assert environment is not None
        if not any(domains.bound(app, host) for app in domains.apps_of(call.world, environment)):
            raise Refusal(
                400,
                "RequireCustomHostnameInEnvironment",
                f"Creating managed certificate requires hostname '{host}' added as a custom hostname to a container "
                f"app or route in environment '{environment.name}'",
            )
        token = call.world.derived("managed certificate", call.target.id.lower()).hex()[:32]
        properties = {
            "provisioningState": "Pending",
            "subjectName": host,
            "error": None,
            "domainControlValidation": sent.get("domainControlValidation", "HTTP"),
            "validationToken": f"_{token}",
        }
        resource = self._frame(call, body, properties)
        return call.accept(MANAGED_CERTIFICATE_PUT, resource.id, resource.body)


@effect("managedCertificate.ready")
def _ready(world: World, operation: Json) -> None:
    found = world.store.get(operation["resource"])
    if found is not None:
        problem = operation["error"] or domains.certificate_problem(world, found)
        found.properties["provisioningState"] = "Failed" if problem else "Succeeded"
        found.properties["error"] = problem[1] if problem else None
        operation["error"] = list(problem) if problem else None
        world.store.put(found)


FINALS["managedCertificate"] = endings.shows(204)
register(Certificates(), ManagedCertificates())
