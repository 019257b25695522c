"""Random configurations of apps, for pairs of a plan and a run: what the other pairs leave out."""

from __future__ import annotations

import copy
from typing import Any

from by_hand import APPS, resource
from certificate_files import certificate_body, pfx
from emulator_client import AzureClient
from every_key import other_registry
from hypothesis import strategies as st
from project import Azure, Project

from azure_emulator.attach import attach

Json = dict[str, Any]
HOSTS = ("one.example.com", "two.example.com", "three.example.com")
THEIRS = "theirs.example.com"
PUBLIC: Json = {"image": "nginx:1", "port": 8080, "ingress": "external", "transport": "auto"}
BASE: Json = {
    "azure": {"cloud": "emulator", "resource_group": "demo-rg", "location": "eastus2"},
    "key_vault": {"name": "demo-kv"},
    "container_registry": {"name": "demoacr", "sku": "Standard"},
    "monitoring": {"log_workspace": "demo-logs", "app_insights": "demo-insights"},
    "postgresql": {"server_name": "demo-pg", "sku": "Standard_D2ds_v5"},
    "container_apps": {"environment_name": "demo-env", "workload_profiles": [{"name": "big", "type": "D4"}]},
    "docker": {"build_context": "application"},
    "secrets": {"token": "amqp-url-with-key", "password": "${OTHER_PASSWORD}"},
    "services": {
        "web": PUBLIC,
        "other": PUBLIC,
        "worker": {"image": "nginx:1", "secrets": {"BROKER": "{{ secrets.token }}"}},
        "built": {"dockerfile": "Dockerfile", "environment": {"DB": "{{ postgresql.host }}"}},
    },
}
WORDS = st.sampled_from(["a", "b"])


def some(values: Any) -> Any:
    """One of these."""
    return values if isinstance(values, st.SearchStrategy) else st.sampled_from(values)


_FILES = {"type": "azure_file", "mount_path": "/data", "account_name": "demofiles", "share_name": "files"}
_PROFILES = [{"name": "big", "type": "D4"}]
_QUEUE = {"name": "s", "type": "azure-queue", "metadata": {"queueName": "two"}, "identity": "app"}
_LOAD = {"name": "c", "type": "cpu", "metadata": {"type": "Utilization", "value": "70"}}
_BROKER = {"name": "q", "type": "rabbitmq", "auth": {"host": "BROKER"}}
_DENY = {"name": "a", "ip_address_range": "203.0.113.7", "action": "Deny"}
_ALLOW = {**_DENY, "action": "Allow"}
_OFFICE = {"name": "b", "ip_address_range": "203.0.113.0/24", "action": "Allow", "description": "ours"}
PUBLIC_KEYS: Json = {
    "image": st.sampled_from(["nginx:1", "nginx:2", "byidentity.azurecr.io/app:1", "bypassword.azurecr.io/app:1"]),
    "port": st.sampled_from([8080, 8081]),
    "transport": st.sampled_from(["auto", "http", "http2"]),
    "ingress": st.sampled_from(["external", "external", "external", "internal", "none"]),
    "name": some(["renamed"]),
    "allow_insecure": some([True, False]),
    "additional_ports": some([[9090], [9091, 9090]]),
    "cpu": some([1]),
    "min_replicas": some([0, 2]),
    "max_replicas": some([4, 5, 6]),
    "health_path": some(["/health", "/ready"]),
    "startup_seconds": some([30, 200]),
    "termination_seconds": some([10, 60]),
    "command": some([["serve"], ["serve", "--all"]]),
    "args": some([["--one"], ["--two"]]),
    "environment": some(st.dictionaries(st.sampled_from("ABC"), WORDS, max_size=2)),
    "secrets": some([{"BROKER": "{{ secrets.token }}"}, {"URL": "x{{ secrets.token }}"}]),
    "volume": some([
        {"type": "empty_dir", "mount_path": "/data"}, {"type": "empty_dir", "mount_path": "/other"},
        {**_FILES, "account_key": "a2V5"}, {**_FILES, "account_key": "b3RoZXI="},
        {**_FILES, "account_key": "a2V5", "share_name": "more"},
    ]),
    "scale": some([
        {"http_concurrent_requests": 40}, {"rules": [_QUEUE]}, {"http_concurrent_requests": 50, "rules": [_LOAD]},
    ]),
    "workload_profile": some(["big", "Consumption"]),
    "revision_mode": some(["Single", "Multiple", "Multiple", "Multiple"]),
    "cors": some([
        {"allowed_origins": ["*"]}, {"allowed_origins": ["https://a.b"], "allowed_methods": ["GET"], "max_age": 9},
    ]),
    "dapr": some([
        {"app_protocol": "grpc", "app_port": 8081}, {"enabled": False}, {"app_id": "front", "http_max_request_size": 8},
    ]),
    "ip_restrictions": some([
        [], [_ALLOW], [_OFFICE, _ALLOW], [_DENY],
    ]),
}
OTHER_KEYS: Json = {
    "revision_mode": some(["Multiple"]),
    "max_replicas": some([4, 5]),
    "environment": some(st.dictionaries(st.sampled_from("AB"), WORDS, max_size=2)),
    "kind": some(["application"]),
}
WORKER_KEYS: Json = {
    "secrets": some([
        {"BROKER": "{{ secrets.token }}"}, {"BROKER": "{{ secrets.token }}", "MADE": "{{ secrets.made }}"},
    ]),
    "port": some([5672]),
    "exposed_port": some([5700]),
    "scale": some([
        {"rules": [{**_BROKER, "metadata": {"queueName": "one"}}]},
        {"rules": [{**_BROKER, "metadata": {"queueName": "two"}}]},
    ]),
}
BUILT_KEYS: Json = {
    "build_args": some([{"A": "1"}, {"A": "2"}]),
    "database": some(["own", "others"]),
    "environment": st.sampled_from([{"DB": "{{ postgresql.host }}"}, {"DB": "{{ postgresql.database }}"}, {"A": "1"}]),
    "secrets": some([{"URL": "{{ postgresql.url }}"}, {"TOKEN": "{{ secrets.token }}"}]),
    "revision_mode": some(["Multiple"]),
    "port": some([8080]),
}
_MIGRATION = {"service": "built", "command": ["migrate", "up"]}
SECTIONS: Json = {
    "tags": some([{"team": "a"}, {"team": "A", "tier": "Gold"}, {"tier": "gold"}]),
    "key_vault.sku": some(["premium"]),
    "container_registry.sku": st.sampled_from(["Standard", "Premium"]),
    "postgresql.admin_password": some(["Keep-it-1234", "Keep-it-5678"]),
    "postgresql.high_availability": some(["ZoneRedundant", "SameZone"]),
    "postgresql.database_name": some(["main"]),
    "postgresql.parameters": some([{"work_mem": 8192}, {"max_connections": 100}, {"log_lock_waits": True}]),
    "postgresql.extensions": some([["pgcrypto"], ["pgcrypto", "uuid-ossp"]]),
    "container_apps.workload_profiles": st.sampled_from(
        [_PROFILES, _PROFILES, [{"name": "big", "type": "D4", "maximum_count": 3}, {"name": "more", "type": "D8"}]]
    ),
    "registries": some([
        [], [{"server": "bypassword.azurecr.io", "username": "bypassword", "secret": "password"}],
        [{"server": "byidentity.azurecr.io", "identity": "app"}],
    ]),
    "secrets.token": st.sampled_from(["amqp-url-with-key", "another-url-with-key"]),
    "secrets.made": some([{"generate": True}]),
    "networking.cors_origin": some(["https://c.example"]),
    "docker.buildkit": some(["true"]),
    "deployment.skip_build": some([True, False, False]),
    "deployment.skip_migrations": some([True, False, False]),
    "migrations": some([
        [_MIGRATION], [{**_MIGRATION, "command": "other x"}], [{**_MIGRATION, "timeout_seconds": 700}],
        [{**_MIGRATION, "working_directory": "/srv", "environment": {"LEVEL": "all"}}],
        [{**_MIGRATION, "secrets": {"KEY": "{{ secrets.token }}"}}],
        [_MIGRATION, {"name": "second", "service": "worker", "command": "x"}],
        [{**_MIGRATION, "database": "others"}],
    ]),
}
_BINDING = st.none() | st.tuples(
    st.sampled_from(["web", "web", "other"]), st.sampled_from(["managed", "managed", "by name"])
)
_LATEST: Json = {"latest_revision": True}
TRAFFIC = st.none() | st.tuples(
    st.integers(0, 3), st.sampled_from([0, 10, 30, 100]), st.sampled_from([None, "old"]), st.sampled_from([None, "new"])
)


_OF_INGRESS = (
    "custom_domains", "cors", "ip_restrictions", "traffic", "additional_ports", "allow_insecure",
    "scale", "dapr", "transport",
)


def service(keys: Json, most: int) -> Any:
    """A few keys of a service."""
    return st.lists(st.sampled_from(sorted(keys)), min_size=most // 3, max_size=most, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: keys[name] for name in names})
    )


DRAWN = st.fixed_dictionaries({
    "web": service(PUBLIC_KEYS, 6), "other": service(OTHER_KEYS, 2), "worker": service(WORKER_KEYS, 2),
    "built": service(BUILT_KEYS, 2), "sections": service(SECTIONS, 4), "domains": st.tuples(*[_BINDING] * 3),
    "traffic": TRAFFIC, "source": st.integers(0, 2), "sidestep": st.sampled_from([""] * 8 + ["front", "no other"]),
})


def configured(drawn: Json, revisions: list[str]) -> Json:
    """The configuration that was drawn; shares are of these revisions."""
    values = copy.deepcopy(BASE)
    services = values["services"]
    for name in ("web", "other", "worker", "built"):
        services[name] = {key: value for key, value in {**services[name], **drawn[name]}.items() if value is not None}
    for key, value in drawn["sections"].items():
        section, last = _above(values, key)
        section.pop(last, None)
        if value is not None:
            section[last] = value
    if "{{ secrets.made }}" in str(services):
        values["secrets"].setdefault("made", {"generate": True})
    for number, binding in enumerate(drawn["domains"]):
        if binding is not None:
            certificate = "managed" if binding[1] == "managed" else f"ours-{number}"
            domain = {"name": HOSTS[number], "certificate": certificate, "validation": "HTTP"}
            services[binding[0]].setdefault("custom_domains", []).append(
                domain if certificate == "managed" else {key: domain[key] for key in ("name", "certificate")}
            )
    name = services["web"].get("name", "front" if drawn["sidestep"] == "front" else "web")
    revisions = [one for one in revisions if one.startswith(f"{name}--")]
    if drawn["traffic"] is not None:
        services["web"] |= {"revision_mode": "Multiple", "traffic": _shares(drawn["traffic"], revisions)}
    _agree(values)
    if drawn["sidestep"] == "front":
        services["front"] = services.pop("web")
    elif drawn["sidestep"] == "no other":
        services.pop("other")
    return values


def _above(values: Json, key: str) -> tuple[Json, str]:
    *above, last = key.split(".")
    for name in above:
        values = values.setdefault(name, {})
    return values, last


def _shares(drawn: tuple[int, int, str | None, str | None], revisions: list[str]) -> list[Json]:
    number, weight, old, new = drawn
    latest: Json = {**_LATEST, "weight": 100, **({"label": new} if new else {})}
    if number >= len(revisions):
        return [latest]
    share = {"revision_name": revisions[number], "weight": weight, **({"label": old} if old else {})}
    return [share, {**latest, "weight": 100 - weight}]


def _agree(values: Json) -> None:
    """Take out what excludes each other."""
    services = values["services"]
    web, worker = services["web"], services["worker"]
    if web.get("ingress") == "none":
        for key in _OF_INGRESS:
            web.pop(key, None)
    if web.get("ingress") == "internal":
        web.pop("custom_domains", None)
    if web.get("transport") == "http2":
        web.pop("additional_ports", None)
    for name in services:
        if services[name].get("cpu") == 1:
            services[name]["memory"] = "2Gi"
    used = {image.partition("/")[0] for one in services.values() if "/" in (image := one.get("image", ""))}
    entries = {
        "byidentity.azurecr.io": {"server": "byidentity.azurecr.io", "identity": "app"},
        "bypassword.azurecr.io": {"server": "bypassword.azurecr.io", "username": "bypassword", "secret": "password"},
    }
    listed = values.get("registries") or []
    values["registries"] = listed + [entries[one] for one in sorted(used - {entry["server"] for entry in listed})]
    if "port" not in worker:
        worker.pop("exposed_port", None)
    if "BROKER" not in (worker.get("secrets") or {}):
        worker.pop("scale", None)


def without_others(values: Json) -> Json:
    """The configuration without what needs something of others: DNS records, certificates, registries of theirs."""
    values = copy.deepcopy(values)
    values["registries"] = []
    values["secrets"].pop("password")
    for one in values["services"].values():
        one.pop("custom_domains", None)
        if "azurecr.io" in one.get("image", ""):
            one["image"] = "nginx:3"
    return values


def write_application(project: Project, number: int = 0) -> None:
    """Write the application, of which there are several."""
    folder = project.directory / "application"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(f"FROM nginx:1\nARG A\nCMD serve {number}\n", encoding="utf-8")


def prepare(project: Project, azure: Azure) -> None:
    """What an application needs of others: DNS records, certificates, images in registries of their own."""
    web = azure.send("GET", resource(project, "container_app/web"), APPS).json()["properties"]
    environment = resource(project, "container_apps_env")
    address = azure.send("GET", environment, APPS).json()["properties"]["staticIp"]
    hosts = (*HOSTS, THEIRS)
    records: Json = {host: {"A": [address]} for host in hosts}
    records |= {f"asuid.{host}": {"TXT": [web["customDomainVerificationId"]]} for host in hosts}
    azure.control("POST", "/control/settings", {"dns": records})
    for number, host in enumerate(HOSTS):
        azure.send("PUT", f"{environment}/certificates/ours-{number}", APPS, certificate_body(value=pfx(host)))
    azure.send("PUT", f"{environment}/certificates/theirs", APPS, certificate_body(value=pfx(HOSTS[0])))
    with attach(project.directory / ".azure-emulator") as emulator:
        client, identity = AzureClient(emulator), resource(project, "identity")
        project.environment["OTHER_PASSWORD"] = other_registry(client, "bypassword", identity)
        other_registry(client, "byidentity", identity)


def app(project: Project, azure: Azure, name: str = "web") -> tuple[str, Json]:
    """Id and properties of an app of the configuration, whatever its key."""
    keys = [key for key in project.state()["resources"] if key in (f"container_app/{name}", "container_app/front")]
    app_id = resource(project, keys[0])
    return app_id, azure.send("GET", app_id, APPS).json()["properties"]


def revisions(project: Project, azure: Azure, port: int | None = None) -> list[str]:
    """The active revisions of `web`, newest first.

    Args:
        port: only those that listen on it; None for all.
    """
    listed = azure.send("GET", f"{app(project, azure)[0]}/revisions", APPS).json()["value"]
    active = [item for item in listed if item["properties"]["active"]]
    return [item["name"] for item in active if port is None or _listens(item, port)]


def _listens(revision: Json, port: int) -> bool:
    """Whether a revision has its probes on a port, as it would not answer if the ingress had another."""
    (container, *_) = revision["properties"]["template"]["containers"]
    probes = container.get("probes") or []
    return {(probe.get("httpGet") or probe["tcpSocket"])["port"] for probe in probes} <= {port}
