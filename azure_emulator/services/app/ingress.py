"""The ingress of deployed apps, for clients outside the environment."""

from __future__ import annotations

from azure_emulator.core.messages import Request, Response
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.app import revisions, runtime
from azure_emulator.services.app.types import APP, ENVIRONMENT


def environment_of(world: World, host: str) -> Resource | None:
    for environment in world.store.of_type(ENVIRONMENT):
        if host.endswith("." + environment.properties["defaultDomain"]):
            return environment
    return None


def app_of_domain(world: World, host: str) -> Resource | None:
    """Return the app of a custom domain with a certificate, since only HTTPS is served."""
    for app in world.store.of_type(APP):
        ingress = app.properties["configuration"]["ingress"] or {}
        for domain in ingress.get("customDomains") or []:
            if domain["name"].lower() == host and domain.get("bindingType", "Disabled") != "Disabled":
                return app
    return None


def handle(world: World, request: Request) -> Response:
    """Internal names return 404 from outside (learn.microsoft.com/azure/container-apps/connect-apps)."""
    environment = environment_of(world, request.host)
    app = app_of_domain(world, request.host) if environment is None else None
    name = app.name if app is not None else ""
    if environment is not None:
        name = request.host.removesuffix("." + environment.properties["defaultDomain"])
        app = _app(world, environment, name.split("--")[0])
    ingress = app.properties["configuration"]["ingress"] if app else None
    if app is None or not ingress or not ingress["external"] or app.private.get("stopped"):
        return _text(404, "Error 404 - This Container App is stopped or does not exist.")
    app.private["last_request"] = world.clock.now()
    revision = revisions.serving(world, app)
    world.store.put(app)
    if "---" in name:
        revision = revisions.labelled(app, name.split("---", 1)[1])
    elif "--" in name:
        revision = next((item for item in app.private["revisions"] if item["name"] == name), None)
    if revision is None or not revisions.is_ready(world, app, revision):
        # Recorded: after 240 s; at once here.
        return _text(504, "stream timeout")
    container = revision["template"]["containers"][0]
    state = runtime.assess(world, app.body, container, ingress)
    assert state.image is not None
    status, body = runtime.answer(state.image, request.path, app.name)
    return Response(status, body, {"Server": "Kestrel"})


def _app(world: World, environment: Resource, name: str) -> Resource | None:
    for app in world.store.of_type(APP):
        if app.name == name and str(app.properties["environmentId"]).lower() == environment.key:
            return app
    return None


def _text(status: int, text: str) -> Response:
    return Response(status, text, content_type="text/plain")
