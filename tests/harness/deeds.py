"""What others do to deployed apps and to what these use, between a plan and the run before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from by_hand import APPS, PG, by_hand, resource, settle
from drawn_apps import HOSTS, THEIRS, app, revisions
from project import Azure, Project

Json = dict[str, Any]
_VAULTS, _ROLES, _IDENTITIES = "2024-11-01", "2022-04-01", "2024-11-30"
_READER = "4633458b-17de-408a-b874-0445c86b69e6"  # Key Vault Secrets User


def _patch(azure: Azure, app_id: str, **ingress: Any) -> None:
    by_hand(azure, app_id, APPS, {"properties": {"configuration": {"ingress": ingress}}})


def split(project: Project, azure: Azure) -> None:
    """Somebody gives an older revision a share, if there is one."""
    app_id, properties = app(project, azure)
    ingress = properties["configuration"].get("ingress")
    names = revisions(project, azure, ingress["targetPort"]) if ingress else []
    if ingress and properties["configuration"]["activeRevisionsMode"] == "Multiple" and len(names) > 1:
        shares = [{"revisionName": names[-1], "weight": 25}, {"latestRevision": True, "weight": 75}]
        _patch(azure, app_id, traffic=shares)


def label(project: Project, azure: Azure) -> None:
    """Somebody labels the revision that has the requests."""
    app_id, properties = app(project, azure)
    ingress = properties["configuration"].get("ingress")
    if ingress and properties["configuration"]["activeRevisionsMode"] == "Multiple":
        shares = [{key: value for key, value in item.items() if value} for item in ingress["traffic"]]
        _patch(azure, app_id, traffic=[{**shares[0], "label": "theirs"}, *shares[1:]])


def multiple(project: Project, azure: Azure) -> None:
    """Somebody changes the mode."""
    app_id, properties = app(project, azure)
    if (properties["configuration"].get("ingress") or {}).get("stickySessions") != {"affinity": "sticky"}:
        by_hand(azure, app_id, APPS, {"properties": {"configuration": {"activeRevisionsMode": "Multiple"}}})


def bind(project: Project, azure: Azure) -> None:
    """Somebody binds a name of theirs, without certificate, if no other app has it."""
    app_id, properties = app(project, azure)
    ingress = properties["configuration"].get("ingress") or {}
    names = [item for item in ingress.get("customDomains") or [] if item["name"] != THEIRS]
    if ingress.get("external"):
        bound = {"customDomains": [*names, {"name": THEIRS, "bindingType": "Disabled"}]}
        answer = azure.ask("PATCH", app_id, APPS, {"properties": {"configuration": {"ingress": bound}}})
        assert answer.status_code < 300 or "CustomDomainInUse" in answer.text(), answer.text()
        settle(azure, answer, APPS)


def rebind(project: Project, azure: Azure) -> None:
    """Somebody gives the first bound name of ours another certificate."""
    app_id, properties = app(project, azure)
    names = (properties["configuration"].get("ingress") or {}).get("customDomains") or []
    certificate = f"{resource(project, 'container_apps_env')}/certificates/theirs"
    if names and names[0]["name"] == HOSTS[0]:
        item = {**names[0], "certificateId": certificate, "bindingType": "SniEnabled"}
        _patch(azure, app_id, customDomains=[item, *names[1:]])


def unbind(project: Project, azure: Azure) -> None:
    """Somebody takes a bound name away."""
    app_id, properties = app(project, azure)
    names = (properties["configuration"].get("ingress") or {}).get("customDomains") or []
    if names:
        _patch(azure, app_id, customDomains=names[1:])


def deactivate(project: Project, azure: Azure) -> None:
    """Somebody deactivates the oldest revision, where it has no requests."""
    app_id, properties = app(project, azure)
    names = revisions(project, azure)
    shares = str((properties["configuration"].get("ingress") or {}).get("traffic"))
    idle = [one for one in names if one != properties["latestRevisionName"] and one not in shares]
    if properties["configuration"]["activeRevisionsMode"] == "Multiple" and idle:
        azure.send("POST", f"{app_id}/revisions/{idle[-1]}/deactivate", APPS)


def sidecar(project: Project, azure: Azure) -> None:
    """Somebody adds a container."""
    app_id, properties = app(project, azure)
    mine = [one for one in properties["template"]["containers"] if one["name"] != "theirs"]
    more = {"name": "theirs", "image": "busybox", "resources": {"cpu": 0.25, "memory": "0.5Gi"}}
    by_hand(azure, app_id, APPS, {"properties": {"template": {"containers": [*mine, more]}}})


def scale(project: Project, azure: Azure) -> None:
    """Somebody scales by hand."""
    app_id, _ = app(project, azure)
    by_hand(azure, app_id, APPS, {"properties": {"template": {"scale": {"maxReplicas": 17}}}})


def storage(project: Project, azure: Azure) -> None:
    """Somebody adds a share to the environment."""
    files = {"accountName": "theirs", "accountKey": "a2V5", "shareName": "theirs", "accessMode": "ReadOnly"}
    environment = resource(project, "container_apps_env")
    azure.send("PUT", f"{environment}/storages/theirs", APPS, {"properties": {"azureFile": files}})


def profile(project: Project, azure: Azure) -> None:
    """Somebody adds a workload profile."""
    environment = resource(project, "container_apps_env")
    there = azure.send("GET", environment, APPS).json()["properties"]["workloadProfiles"]
    more = {"name": "theirs", "workloadProfileType": "D8", "minimumCount": 0, "maximumCount": 1}
    profiles = [*(one for one in there if one["name"] != "theirs"), more]
    by_hand(azure, environment, APPS, {"properties": {"workloadProfiles": profiles}})


def role(project: Project, azure: Azure) -> None:
    """Somebody gives another principal a role on the vault."""
    vault, identity = (resource(project, key) for key in ("key_vault", "identity"))
    theirs = identity.rsplit("/", 1)[0] + "/theirs"
    principal = azure.send("PUT", theirs, _IDENTITIES, {"location": "eastus2"}).json()["properties"]["principalId"]
    definition = f"{vault.partition('/resourceGroups/')[0]}/providers/Microsoft.Authorization/roleDefinitions/{_READER}"
    body = {"roleDefinitionId": definition, "principalId": principal, "principalType": "ServicePrincipal"}
    name = "11111111-2222-3333-4444-555555555555"
    assignment = f"{vault}/providers/Microsoft.Authorization/roleAssignments/{name}"
    if not azure.exists(assignment, _ROLES):
        azure.send("PUT", assignment, _ROLES, {"properties": body})


def other_secret(project: Project, azure: Azure) -> None:
    """Somebody gives the vault another value of a secret of ours, and one of theirs."""
    vault = resource(project, "key_vault")
    for name in ("token", "theirs"):
        azure.send("PUT", f"{vault}/secrets/{name}", _VAULTS, {"properties": {"value": "theirs-value"}})


def firewall(project: Project, azure: Azure) -> None:
    """Somebody adds a rule and a database to the server."""
    server = resource(project, "postgresql_server")
    rule = {"properties": {"startIpAddress": "198.51.100.7", "endIpAddress": "198.51.100.7"}}
    azure.send("PUT", f"{server}/firewallRules/theirs", PG, rule)


def parameter(project: Project, azure: Azure) -> None:
    """Somebody sets a parameter of the server."""
    server = resource(project, "postgresql_server")
    body = {"properties": {"value": "9999", "source": "user-override"}}
    azure.send("PUT", f"{server}/configurations/work_mem", PG, body)


def job(project: Project, azure: Azure) -> None:
    """Somebody gives a migration's job more time."""
    for key, record in project.state()["resources"].items():
        if key.startswith("job/"):
            body = {"properties": {"configuration": {"replicaTimeout": 999}}}
            by_hand(azure, record["id"], record["api_version"], body)


def deleted(key: str) -> Callable[[Project, Azure], None]:
    """Somebody deletes a resource of ours."""

    def delete(project: Project, azure: Azure) -> None:
        record = project.state()["resources"].get(key)
        if record is not None and azure.exists(record["id"], record["api_version"]):
            azure.delete(record["id"], record["api_version"])

    return delete


DEEDS: dict[str, Callable[[Project, Azure], None]] = {
    "split": split, "label": label, "multiple": multiple, "bind": bind, "rebind": rebind, "unbind": unbind,
    "deactivate": deactivate, "sidecar": sidecar, "scale": scale, "storage": storage, "profile": profile,
    "role": role, "other secret": other_secret, "firewall": firewall, "parameter": parameter, "job": job,
    "app deleted": deleted("container_app/other"), "web deleted": deleted("container_app/web"),
    "pull role deleted": deleted("role/pull-images"), "storage deleted": deleted("storage/web"),
}  # fmt: skip
