"""Revisions and replicas of a container app: their names and current states."""

from __future__ import annotations

import json
import re
from typing import Any

from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal, gateway
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.app import bodies, defaults, runtime
from azure_emulator.services.app.runtime import Assessment

Json = dict[str, Any]
_INACTIVE = 100
"""Inactive revisions that an app keeps unless it says otherwise."""
_AWAKE = 30.0
"""Seconds that an app scaled from zero by a request keeps running, whatever the scale."""


def wanted(app: Resource, template: Json) -> bool:
    """Return whether a template creates a new revision, which only its changes do."""
    revisions = app.private["revisions"]
    if not revisions:
        return True
    suffix = template.get("revisionSuffix")
    other_suffix = bool(suffix) and revisions[-1]["name"] != f"{app.name}--{suffix}"
    return other_suffix or _normal(revisions[-1]["template"]) != _normal(template)


def _normal(template: Json) -> str:
    """Return the template with its defaults, so that GET and PUT compare equal."""
    filled = {**bodies.with_resources(template), "scale": {**defaults.SCALE, **(template.get("scale") or {})}}
    filled.pop("revisionSuffix", None)
    return json.dumps(_without_empty(filled), sort_keys=True)


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_empty(item) for key, item in value.items() if item not in (None, [], {}, "")}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value


def check_suffix(call: Call, template: Json) -> None:
    """Refuse a suffix that was used before."""
    suffix = template.get("revisionSuffix")
    if not suffix:
        return
    name = f"{call.target.name}--{suffix}"
    if not re.fullmatch(r"[a-z0-9](?!.*-{2})([-a-z0-9]*[a-z0-9])?", suffix) or len(name) > 54:
        raise bodies.bad_field("template.revisionSuffix", f'Invalid value: "{suffix}"')
    if call.existing is not None and wanted(call.existing, template) and name in call.existing.private.get("used", []):
        raise bodies.bad_field(
            "template.revisionsuffix", f'Invalid value: "{suffix}": revision with suffix {suffix} already exists.'
        )


def make(world: World, app: Resource, moment: float) -> Json:
    """Return a name: random for the first without suffix, numbered for later ones (`<app>--0000001`)."""
    suffix = app.private["template"].get("revisionSuffix")
    if not suffix:
        number = app.private["made"]
        suffix = f"{number:07d}" if number else world.derived_word(7, app.key, str(app.created))
    revision = {
        "name": f"{app.name}--{suffix}",
        "created": moment,
        "template": app.private["template"],
        "active": True,
        "restarts": 0,
        "restarted": moment,
    }
    app.private["made"] += 1
    app.private.setdefault("used", []).append(revision["name"])
    app.private["revisions"].append(revision)
    _purge(app)
    world.store.put(app)
    return revision


def _purge(app: Resource) -> None:
    """Drop the oldest inactive revisions, of which an app keeps `maxInactiveRevisions`
    (learn.microsoft.com/azure/container-apps/revisions)."""
    configuration, ready = app.properties["configuration"], app.private.get("ready")
    most = configuration.get("maxInactiveRevisions")
    named = {item.get("revisionName") for item in (configuration["ingress"] or {}).get("traffic") or []}
    inactive = [
        revision["name"]
        for revision in app.private["revisions"]
        if not is_active(app, revision, ready) and revision["name"] not in named
    ]
    gone = set(inactive[: max(len(inactive) - (_INACTIVE if most is None else int(most)), 0)])
    if gone and not app.private.get("stopped"):
        app.private["revisions"] = [item for item in app.private["revisions"] if item["name"] not in gone]


def _containers_state(world: World, app: Resource, revision: Json) -> Assessment:
    ingress = app.properties["configuration"]["ingress"]
    first = None
    for number, container in enumerate(revision["template"]["containers"]):
        state = runtime.assess(world, app.body, container, ingress if number == 0 else None)
        if not state.ready:
            return state
        first = first or state
    assert first is not None
    return first


def latest_state(world: World, app: Resource) -> Assessment | None:
    revisions = app.private["revisions"]
    return _containers_state(world, app, revisions[-1]) if revisions else None


def settled(world: World, revision: Json, state: Assessment) -> bool:
    """Return whether it had time to become ready, or to fail visibly."""
    wait = world.seconds("app", "ready") + (state.image.ready_after if state.image else 0.0)
    return float(revision["restarted"]) + wait <= world.clock.now()


def is_ready(world: World, app: Resource, revision: Json) -> bool:
    state = _containers_state(world, app, revision)
    return state.ready and settled(world, revision, state)


def latest_names(world: World, app: Resource) -> tuple[str | None, str | None]:
    """Return the latest and the latest ready revision; the second lags behind, even after Succeeded."""
    revisions = app.private["revisions"]
    if not revisions:
        return None, None
    ready = app.private.get("ready")
    for revision in reversed(revisions):
        if revision["name"] == ready:
            break
        if is_ready(world, app, revision):
            ready = revision["name"]
            app.private["ready"] = ready
            _purge(app)
            world.store.put(app)
            break
    return revisions[-1]["name"], ready


def traffic(app: Resource, latest: str | None, ready: str | None) -> dict[str, int]:
    """Return the weights by revision: all to the latest ready one in single mode, else by the ingress."""
    newest = ready or latest
    configuration = app.properties["configuration"]
    wanted = (configuration["ingress"] or {}).get("traffic")
    if newest is None or configuration["activeRevisionsMode"] == "Single" or not wanted:
        return {newest: 100} if newest is not None else {}
    weights: dict[str, int] = {}
    for item in wanted:
        name = newest if item.get("latestRevision") else str(item["revisionName"])
        weights[name] = weights.get(name, 0) + int(item.get("weight") or 0)
    return weights


def serving(world: World, app: Resource) -> Json | None:
    """Return the revision for a request; with a split, in turn in proportion to the weights."""
    weights = traffic(app, *latest_names(world, app))
    turn = (int(app.private.get("turn", 0)) + 37) % 100
    app.private["turn"] = turn
    for name, weight in weights.items():
        if turn < weight:
            return next((item for item in app.private["revisions"] if item["name"] == name), None)
        turn -= weight
    return None


def labelled(app: Resource, label: str) -> Json | None:
    """Return the revision of a traffic label."""
    entries = (app.properties["configuration"]["ingress"] or {}).get("traffic") or []
    wanted = next((item for item in entries if item.get("label") == label), None)
    if wanted is None:
        return None
    revisions: list[Json] = app.private["revisions"]
    if wanted.get("latestRevision"):
        return revisions[-1] if revisions else None
    return next((item for item in revisions if item["name"] == wanted["revisionName"]), None)


def is_active(app: Resource, revision: Json, ready: str | None) -> bool:
    if not revision["active"] or app.private.get("stopped"):
        return False
    if app.properties["configuration"]["activeRevisionsMode"] != "Single":
        return True
    return revision is app.private["revisions"][-1] or revision["name"] == ready


def deactivate_replaced(world: World, app: Resource) -> None:
    """Deactivate for good what the single mode replaced: another mode does not bring it back, only `activate` does
    (learn.microsoft.com/azure/container-apps/application-lifecycle-management)."""
    if app.properties["configuration"]["activeRevisionsMode"] != "Single" or app.private.get("stopped"):
        return
    _, ready = latest_names(world, app)
    for revision in app.private["revisions"]:
        revision["active"] = is_active(app, revision, ready)


# Views


def _scale(revision: Json) -> tuple[int, int]:
    scale = revision["template"].get("scale") or {}
    return scale.get("minReplicas", 0) or 0, scale.get("maxReplicas", 10) or 10


def awake(world: World, app: Resource, revision: Json) -> bool:
    least, _ = _scale(revision)
    cooldown = max(world.seconds("app", "cooldown"), _AWAKE)
    since = app.private["last_request"]
    fresh = revision["created"] + world.seconds("app", "cooldown") > world.clock.now()
    return least > 0 or fresh or bool(since + cooldown > world.clock.now())


def _running_state(world: World, app: Resource, revision: Json, active: bool, state: Assessment) -> Json:
    """provisioningState, runningState, details, healthState and replicas, in recorded wording."""
    if not active:
        return _words("Deprovisioned", "Stopped", "None", 0)
    operation = world.operations.running(app.id)
    if operation is not None and revision is app.private["revisions"][-1] and state.ready:
        return _words("Provisioning", "Processing", "None", 0)
    least, most = _scale(revision)
    some = max(least, 1)
    if not settled(world, revision, state):
        details = state.details if state.state == "wrong port" else None
        return _words("Provisioned", "Activating", "None", some, details)
    if state.ready and not awake(world, app, revision):
        return _words("Provisioned", "ScaledToZero", "Healthy", 0)
    if state.ready:
        return _words("Provisioned", "RunningAtMaxScale" if most == some else "Running", "Healthy", some)
    if state.state == "wrong port":
        return _words("Provisioned", "ActivationFailed", "None", 0, state.details)
    if state.state == "pulling":
        return _words("Provisioned", "Activating", "None", some, state.details)
    return _words("Failed", "Failed", "Unhealthy", some, state.details)


def _words(provisioning: str, running: str, health: str, replicas: int, details: str | None = None) -> Json:
    why = {} if details is None else {"runningStateDetails": details}
    return {
        "provisioningState": provisioning, "runningState": running, "healthState": health, "replicas": replicas, **why,
    }  # fmt: skip


def shown_revision(world: World, app: Resource, revision: Json) -> Json:
    latest, ready = latest_names(world, app)
    active = is_active(app, revision, ready)
    state = _containers_state(world, app, revision)
    environment = world.store.get(app.properties["environmentId"])
    domain = environment.properties["defaultDomain"] if environment else "gone"
    ingress = app.properties["configuration"]["ingress"]
    template = bodies.with_resources(
        {
            "revisionSuffix": None,
            "terminationGracePeriodSeconds": None,
            "initContainers": None,
            "volumes": None,
            "serviceBinds": None,
            **revision["template"],
        }
    )
    # Less is filled in than in the app's GET (recorded).
    nothing = {**defaults.SCALE, "cooldownPeriod": None, "pollingInterval": None}
    template["scale"] = {**nothing, **(template.get("scale") or {})}
    template["scale"]["rules"] = template["scale"]["rules"] or None
    for container in template["containers"]:
        container.setdefault("probes", [])
    weight = traffic(app, latest, ready).get(revision["name"], 0) if active else 0
    properties: Json = {
        "createdTime": stamp(revision["created"], digits=0, zone="+00:00"),
        **({"fqdn": bodies.fqdn(revision["name"], domain, ingress["external"])} if ingress else {}),
        "template": template,
        "active": active,
        "trafficWeight": weight,
        **_running_state(world, app, revision, active, state),
    }
    base = app.id.replace("/containerapps/", "/containerApps/")
    return {
        "id": f"{base}/revisions/{revision['name']}",
        "name": revision["name"],
        "type": "Microsoft.App/containerapps/revisions",
        "properties": properties,
    }


def replica_name(world: World, revision: Json, number: int = 0) -> str:
    name = revision["name"]
    return (
        f"{name}-{world.derived_word(9, 'replicaset', name)}-"
        f"{world.derived_word(5, 'replica', name, str(number), str(revision['restarted']))}"
    )


def shown_replicas(world: World, app: Resource, revision: Json) -> list[Json]:
    shown = shown_revision(world, app, revision)["properties"]
    count = shown["replicas"]
    if shown["runningState"] == "ActivationFailed":
        count = max(_scale(revision)[0], 1)
    return [_replica(world, app, revision, number, shown) for number in range(count)]


def _replica(world: World, app: Resource, revision: Json, number: int, shown: Json) -> Json:
    name = replica_name(world, revision, number)
    place, group = region(app.body["location"]), app.id.split("/")[4]
    path = (
        f"{world.subscription}/resourceGroups/{group}/containerApps/{app.name}/revisions/{revision['name']}/replicas/{name}"
        "/containers/"
    )
    base = app.id.replace("/containerapps/", "/containerApps/")
    ingress = app.properties["configuration"]["ingress"]
    containers = []
    for index, container in enumerate(revision["template"]["containers"]):
        state = runtime.assess(world, app.body, container, ingress if index == 0 else None)
        containers.append(
            {
                "name": container["name"],
                **_container_id(world, name, container["name"], _container_state(world, revision, state)),
                "logStreamEndpoint": f"https://{place}.azurecontainerapps.dev{path}{container['name']}/logstream",
                "execEndpoint": f"wss://{place}.azurecontainerapps.dev{path}{container['name']}/exec",
            }
        )
    running = all(item["runningState"] == "Running" for item in containers)
    return {
        "id": f"{base}/revisions/{revision['name']}/replicas/{name}",
        "name": name,
        "type": "Microsoft.App/containerapps/revisions/replicas",
        "properties": {
            "createdTime": stamp(revision["restarted"], digits=0),
            "runningState": "Running" if running else "NotRunning",
            "runningStateDetails": "",
            "containers": containers,
            "initContainers": _transition(world, app, path, running),
        },
    }


def _container_id(world: World, replica: str, container: str, state: Json) -> Json:
    """Return the container's id, which one still waiting for its image lacks."""
    if state["runningState"] == "Waiting":
        return state
    return {"containerId": f"containerd://{world.derived_word(32, replica, container)}", **state}


def _transition(world: World, app: Resource, path: str, running: bool) -> list[Json]:
    """Return the implicit init container that fetches tokens of the app's identity (recorded)."""
    if running or app.body["identity"]["type"] == "None":
        return []
    name = f"identity-service-{world.derived(app.key).hex()[:8]}-transition"
    place = region(app.body["location"])
    return [
        {
            "name": name,
            "ready": False,
            "started": False,
            "restartCount": 0,
            "runningState": "Waiting",
            "runningStateDetails": "Container is waiting with reason: PullingImage on legion.",
            "logStreamEndpoint": f"https://{place}.azurecontainerapps.dev{path}{name}/logstream",
            "execEndpoint": f"wss://{place}.azurecontainerapps.dev{path}{name}/exec",
        }
    ]


def _container_state(world: World, revision: Json, state: Assessment) -> Json:
    if state.state == "pulling":
        return {
            "ready": False,
            "started": False,
            "restartCount": 0,
            "runningState": "Waiting",
            "runningStateDetails": f"Container is waiting with reason: {state.reason}. {state.details}",
        }
    if not settled(world, revision, state):
        return {
            "ready": False,
            "started": False,
            "restartCount": 0,
            "runningState": "Waiting",
            "runningStateDetails": "Container is waiting with reason: PullingImage on legion.",
        }
    if state.state in ("crashing", "unhealthy"):
        # Restarted with increasing pauses, 10 s at first, at most 5 minutes.
        age = world.clock.now() - revision["restarted"]
        restarts = 1 + sum(1 for wait in (10, 30, 70, 150, 310, 610, 910) if age > wait)
        return {
            "ready": False,
            "started": state.state == "unhealthy",
            "restartCount": restarts,
            "runningState": "Terminated",
            "runningStateDetails": f"Container is terminated with exit code {state.exit_code}, "
            f"reason: {state.reason}. Last state: CrashLoopBackOff.",
        }
    started = stamp(revision["restarted"], digits=0)
    return {
        "ready": state.ready,
        "started": True,
        "restartCount": revision["restarts"],
        "runningState": "Running",
        "runningStateDetails": f"Container started at: {started}.",
    }


# Routes below an app


def find(app: Resource, name: str) -> Json:
    for revision in app.private["revisions"]:
        if revision["name"].lower() == name.lower():
            found: Json = revision
            return found
    raise Refusal(
        404, "ContainerAppRevisionNotFound", f"The revision '{name}' of container app '{app.name}' was not found."
    )


def act(call: Call) -> Response:
    """`revisions[/{r}[/replicas[/{x}] | /restart | /activate | /deactivate]]`."""
    app, world = call.must_exist(), call.world
    rest = call.rest[1:]
    latest_names(world, app)  # what has become ready since replaces another revision
    if not rest:
        return Response(200, {"value": [shown_revision(world, app, item) for item in app.private["revisions"]]})
    revision = find(app, rest[0])
    if len(rest) == 1 and call.request.method == "GET":
        return Response(200, shown_revision(world, app, revision))
    word = rest[1].lower() if len(rest) > 1 else ""
    if word == "replicas" and call.request.method == "GET":
        replicas = shown_replicas(world, app, revision)
        if len(rest) == 2:
            return Response(200, {"value": replicas})
        for replica in replicas:
            if replica["name"].lower() == rest[2].lower():
                return Response(200, replica)
        raise Refusal(404, "ContainerAppReplicaNotFound", f"The replica '{rest[2]}' was not found.")
    if call.request.method == "POST" and word in ("restart", "activate", "deactivate"):
        return _change(call, app, revision, word)
    raise gateway(404, "NotFound", f"'{'/'.join(call.rest)}' was not found.")


def _change(call: Call, app: Resource, revision: Json, word: str) -> Response:
    """200 with a JSON string (recorded)."""
    if word == "restart":
        revision["restarted"] = call.now
    else:
        revision["active"] = word == "activate"
    call.world.store.put(app)
    return Response(
        200,
        {"restart": "Restart succeeded", "activate": "Activate succeeded", "deactivate": "Deactivate succeeded"}[word],
    )
