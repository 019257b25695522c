"""Read back each configuration key with the Azure CLI: command, JMESPath, expected value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from every_key import HOSTS
from project import ROOT

G = "-g demo-rg"
APPS, JOBS = f"containerapp list {G}", f"containerapp job list {G}"
ENVIRONMENT = f"containerapp env show {G} -n demo-env"
CERTIFICATES = f"containerapp env certificate list {G} -n demo-env"
STORAGES = f"containerapp env storage list {G} -n demo-env"
SERVER = f"postgres flexible-server show {G} -n demo-pg"
DATABASES = f"postgres flexible-server db list {G} -s demo-pg"
PARAMETERS = f"postgres flexible-server parameter list {G} -s demo-pg"
VAULT, REGISTRY = f"keyvault show {G} -n demo-kv", f"acr show {G} -n demoacr"
SECRET = "keyvault secret show --vault-name demo-kv -n"
WORKSPACE = f"monitor log-analytics workspace show {G} -n demo-logs"
# Their own commands are extensions of the CLI.
INSIGHTS = f"resource show {G} -n demo-insights --resource-type Microsoft.Insights/components"
REDIS = f"resource show {G} -n demo-redis --resource-type Microsoft.Cache/redisEnterprise"
REDIS_DATABASE = (
    f"resource show {G} -n default --parent redisEnterprise/demo-redis --namespace Microsoft.Cache "
    "--resource-type databases"
)

# Keys without a readable effect in Azure, with reasons; `*` at the end means the whole section.
UNREAD = {
    "*": "sections of other tools",
    "advanced.*": "about the run and its state",
    "deployment.*": "about the run",
    "azure.cloud.*": "where Azure is",
    "azure.emulator.*": "about the emulator alone",
    "azure.project_name": "part of names that have keys of their own",
    "azure.subscription_id": "where az itself reads",
    "azure.tenant_id": "where az itself signs in",
    "docker.*": "how an image is built: Azure shows its digest, and the image is read as that of the service",
    "services.*.build_args.*": "what a build gets: Azure shows the image's digest alone",
    "services.*.target": "what is built: Azure shows the image's digest alone",
    "services.*.kind": "which step deploys the service",
    "services.*.volume.account_key": "Azure never shows it",
    "postgresql.postgres_sku": "older name of postgresql.sku",
    "postgresql.tier": "follows from postgresql.sku, which is read with it",
    "secrets.*.existing": "a promise that somebody else sets the secret: nothing is written",
}


class Row(NamedTuple):
    """A key, how it is read, and what is read.

    Attributes:
        key: dotted, as the schema has it: `*` for names of people's own.
        command: of the Azure CLI.
        query: JMESPath, over its answer.
        expected: what is found there.
    """

    key: str
    command: str
    query: str
    expected: Any


def _rows(section: str, command: str, prefix: str, rows: dict[str, tuple[str, Any]]) -> list[Row]:
    return [Row(f"{section}{key}", command, prefix + query, expected) for key, (query, expected) in rows.items()]


def _app(name: str) -> str:
    return f"[?name=='{name}'] | [0].properties."


def _variable(name: str, of: str = "value") -> str:
    return f"containers[0].env[?name=='{name}'].{of} | [0]"


def public() -> list[Row]:
    """Return the reads of the public deployment."""
    return [*_of_web(), *_of_other_services(), *_of_jobs(), *_of_databases(), *_of_the_rest()]


def _of_web() -> list[Row]:
    configuration, template = f"{_app('web-front')}configuration.", f"{_app('web-front')}template."
    ingress, cors, dapr = f"{configuration}ingress.", f"{configuration}ingress.corsPolicy.", f"{configuration}dapr."
    restriction, container = f"{ingress}ipSecurityRestrictions[0].", f"{template}containers[0]."
    service = "services.*."
    return [
        Row("services.*.name", APPS, "[?name=='web-front'] | length(@)", 1),
        Row("services.*.workload_profile", APPS, f"{_app('web-front')}workloadProfileName", "big"),
        *_rows(service, APPS, ingress, {
            "port": ("targetPort", 8080), "ingress": ("external", True), "transport": ("transport", "Http"),
            "allow_insecure": ("allowInsecure", True),
            "additional_ports": ("additionalPortMappings[].[external, targetPort, exposedPort]", [[False, 9090, 9090]]),
            "session_affinity": ("stickySessions.affinity", "sticky"),
            "custom_domains.name": ("customDomains[].[name, bindingType]", [[host, "SniEnabled"] for host in HOSTS]),
            "custom_domains.certificate": (
                "customDomains[].[contains(certificateId, '/managedCertificates/'), "
                "ends_with(certificateId, '/certificates/uploaded')]",
                [[True, False], [False, True]],
            ),
        }),
        *_rows(f"{service}ip_restrictions.", APPS, restriction, {
            "name": ("name", "office"), "ip_address_range": ("ipAddressRange", "203.0.113.7/32"),
            "action": ("action", "Allow"), "description": ("description", "ours"),
        }),
        *_rows(f"{service}cors.", APPS, cors, {
            "allowed_origins": ("allowedOrigins", ["https://a.example"]),
            "allowed_methods": ("allowedMethods", ["GET"]),
            "allowed_headers": ("allowedHeaders", ["X-One"]), "expose_headers": ("exposeHeaders", ["X-Two"]),
            "max_age": ("maxAge", 600), "allow_credentials": ("allowCredentials", True),
        }),
        *_rows(f"{service}dapr.", APPS, dapr, {
            "enabled": ("enabled", True), "app_id": ("appId", "front"), "app_port": ("appPort", 8081),
            "app_protocol": ("appProtocol", "grpc"), "enable_api_logging": ("enableApiLogging", True),
            "http_max_request_size": ("httpMaxRequestSize", 8), "http_read_buffer_size": ("httpReadBufferSize", 16),
            "log_level": ("logLevel", "debug"),
        }),
        *_rows(service, APPS, container, {
            "image": ("image", "bypassword.azurecr.io/app:1"), "cpu": ("resources.cpu", 1.0),
            "memory": ("resources.memory", "2Gi"), "command": ("command", ["serve", "--all"]),
            "args": ("args", ["--some"]),
            "health_path": ("probes[].httpGet.path", ["/health"] * 3),
            "startup_seconds": ("probes[?type=='Startup'].[periodSeconds, failureThreshold] | [0]", [20, 10]),
            "volume.mount_path": ("volumeMounts[0].mountPath", "/data"),
        }),
        *_rows(service, APPS, template, {
            "min_replicas": ("scale.minReplicas", 2), "max_replicas": ("scale.maxReplicas", 4),
            "scale.http_concurrent_requests": (
                "scale.rules[?name=='http'].http.metadata.concurrentRequests | [0]", "40",
            ),
            "termination_seconds": ("terminationGracePeriodSeconds", 45),
            "volume.type": ("volumes[0].[storageType, storageName]", ["AzureFile", "web-front"]),
            "environment.*": (_variable("ONE"), "1"), "secrets.*": (_variable("TOKEN", "secretRef"), "token"),
        }),
        *_rows("networking.", APPS, template, {
            "cors_origin": (_variable("ORIGIN"), "https://a.example"), "swagger_enabled": (_variable("DOCS"), "false"),
            "swagger_path": (_variable("PATH_OF_DOCS"), "docs"),
        }),
        *_rows("registries.", APPS, f"{configuration}registries[0].", {
            "server": ("server", "bypassword.azurecr.io"), "username": ("username", "bypassword"),
            "secret": ("passwordSecretRef", "registry-password"),
        }),
        *_rows("services.*.volume.", STORAGES, "[?name=='web-front'].properties.azureFile | [0].", {
            "account_name": ("accountName", "demofiles"), "share_name": ("shareName", "files"),
        }),
        Row("services.*.custom_domains.validation", CERTIFICATES,
            f"[?properties.subjectName=='{HOSTS[0]}'].properties.domainControlValidation", ["HTTP"]),
    ]  # fmt: skip


def _of_other_services() -> list[Row]:
    ingress, scale = f"{_app('queue')}configuration.ingress.", f"{_app('queue')}template.scale."
    by_secret, by_identity = (f"{scale}rules[?name=='{name}'].custom | [0]." for name in "qs")
    canary, built = f"{_app('canary')}configuration.", f"{_app('built')}template."
    shares = f"{canary}ingress.traffic"
    return [
        Row("services.*.exposed_port", APPS, f"{ingress}[transport, exposedPort]", ["Tcp", 5700]),
        Row("services.*.scale.tcp_concurrent_connections", APPS,
            f"{scale}rules[?name=='tcp'].tcp.metadata.concurrentConnections", ["30"]),
        Row("services.*.scale.rules.name", APPS, f"{scale}rules[].name", ["tcp", "q", "s"]),
        Row("services.*.scale.rules.type", APPS, f"{by_secret}type", "rabbitmq"),
        Row("services.*.scale.rules.metadata.*", APPS, f"{by_secret}metadata.queueName", "one"),
        Row("services.*.scale.rules.auth.*", APPS, f"{by_secret}auth",
            [{"secretRef": "token", "triggerParameter": "host"}]),
        Row("services.*.scale.rules.identity", APPS, f"ends_with({by_identity}identity, '/demo-runner')", True),
        Row("registries.identity", APPS,
            f"ends_with({_app('queue')}configuration.registries[0].identity, '/demo-runner')", True),
        Row("services.*.revision_mode", APPS, f"{canary}activeRevisionsMode", "Multiple"),
        Row("services.*.traffic.latest_revision", APPS, f"{shares}[?weight==`70`].latestRevision", [True]),
        Row("services.*.traffic.revision_name", APPS,
            f"{shares}[?weight==`30`].starts_with(revisionName, 'canary--')", [True]),
        Row("services.*.traffic.weight", APPS, f"{shares}[].weight", [70, 30]),
        Row("services.*.traffic.label", APPS, f"{shares}[].label", ["new", "old"]),
        Row("services.*.dockerfile", APPS,
            f"starts_with({built}containers[0].image, 'demoacr.azurecr.io/built@sha256:')", True),
        Row("services.*.database", APPS, built + _variable("DB"), "own"),
    ]  # fmt: skip


def _of_jobs() -> list[Row]:
    job = "[0].properties."
    container = f"{job}template.containers[0]."
    run = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', "/srv", "migrate", "up"]
    return [
        Row("migrations.name", JOBS, "[].starts_with(name, 'schema-')", [True]),
        *_rows("migrations.", JOBS, container, {
            "service": ("starts_with(image, 'demoacr.azurecr.io/built@')", True),
            "command": ("command[4:]", run[4:]), "working_directory": ("command[:4]", run[:4]),
        }),
        *_rows("migrations.", JOBS, f"{job}template.", {
            "environment.*": (_variable("LEVEL"), "all"), "secrets.*": (_variable("KEY", "secretRef"), "token"),
            "database": (_variable("DB"), "others"),
        }),
        Row("migrations.timeout_seconds", JOBS, f"{job}configuration.replicaTimeout", 700),
    ]  # fmt: skip


def _of_databases() -> list[Row]:
    return [
        *_rows("postgresql.", SERVER, "", {
            "server_name": ("name", "demo-pg"), "admin_user": ("administratorLogin", "keeper"),
            "sku": ("sku.[name, tier]", ["Standard_D2ds_v5", "GeneralPurpose"]), "version": ("version", "17"),
            "storage_size": ("storage.storageSizeGb", 64), "auto_grow": ("storage.autoGrow", "Enabled"),
            "backup_retention_days": ("backup.backupRetentionDays", 21),
            "high_availability": ("highAvailability.mode", "ZoneRedundant"),
        }),
        Row("postgresql.admin_password", f"{SECRET} postgresql-admin-password", "value", "Keep-it-1234"),
        Row("postgresql.database_name", DATABASES, "[?name=='main'] | length(@)", 1),
        Row("postgresql.databases", DATABASES, "[?name=='extra'] | length(@)", 1),
        Row("postgresql.extensions", PARAMETERS, "[?name=='azure.extensions'].value", ["pgcrypto"]),
        Row("postgresql.parameters.*", PARAMETERS, "[?name=='max_connections'].value", ["150"]),
        *_rows("redis.", REDIS, "", {
            "name": ("name", "demo-redis"), "sku": ("sku.name", "Balanced_B1"),
            "high_availability": ("properties.highAvailability", "Disabled"),
        }),
        *_rows("redis.", REDIS_DATABASE, "properties.", {
            "clustering_policy": ("clusteringPolicy", "OSSCluster"),
            "eviction_policy": ("evictionPolicy", "AllKeysLRU"),
        }),
        Row("mongodb.connection_url", f"{SECRET} mongodb-connection-url", "value", "mongodb://db.example.com/app"),
    ]  # fmt: skip


def _of_the_rest() -> list[Row]:
    profile = "properties.workloadProfiles[?name!='Consumption'] | [0]."
    return [
        Row("azure.resource_group", "group show -n demo-rg", "name", "demo-rg"),
        Row("azure.location", "group show -n demo-rg", "location", "eastus2"),
        Row("azure.identity_name", f"identity list {G}", "[].name", ["demo-runner"]),
        Row("tags.*", f"resource list {G}", "[length(@) > `10`, [?tags.team!='Blue'].name]", [True, []]),
        Row("locations.*", WORKSPACE, "location", "westus3"),
        *_rows("monitoring.", WORKSPACE, "", {
            "log_workspace": ("name", "demo-logs"), "retention_days": ("retentionInDays", 60),
            "daily_cap_gb": ("workspaceCapping.dailyQuotaGb", 2.5),
        }),
        *_rows("monitoring.", INSIGHTS, "", {
            "app_insights": ("name", "demo-insights"), "sampling_percentage": ("properties.SamplingPercentage", 50.0),
        }),
        *_rows("container_registry.", REGISTRY, "", {"name": ("name", "demoacr"), "sku": ("sku.name", "Standard")}),
        *_rows("key_vault.", VAULT, "properties.", {
            "sku": ("sku.name", "premium"), "soft_delete_retention_days": ("softDeleteRetentionInDays", 30),
            "purge_protection": ("enablePurgeProtection", True),
        }),
        Row("key_vault.name", VAULT, "name", "demo-kv"),
        Row("secrets.*.generate", f"{SECRET} made", "length(value) >= `20`", True),
        Row("container_apps.environment_name", ENVIRONMENT, "name", "demo-env"),
        *_rows("container_apps.workload_profiles.", ENVIRONMENT, profile, {
            "name": ("name", "big"), "type": ("workloadProfileType", "D4"), "minimum_count": ("minimumCount", 1),
            "maximum_count": ("maximumCount", 3),
        }),
    ]  # fmt: skip


def private(network: str, zone: str) -> list[Row]:
    """Return the reads of the private deployment.

    Args:
        network: id of the network.
        zone: id of the private DNS zone.
    """
    vnet = "properties.vnetConfiguration."
    return [
        Row("container_apps.subnet_id", ENVIRONMENT, f"{vnet}infrastructureSubnetId", f"{network}/subnets/apps"),
        Row("container_apps.internal", ENVIRONMENT, f"{vnet}internal", True),
        Row("container_apps.zone_redundant", ENVIRONMENT, "properties.zoneRedundant", True),
        Row("postgresql.subnet_id", SERVER, "network.delegatedSubnetResourceId", f"{network}/subnets/pg"),
        Row("postgresql.private_dns_zone_id", SERVER, "network.privateDnsZoneArmResourceId", zone),
        Row("redis.vm_size", f"redis show {G} -n demo-redis", "sku.[name, family, capacity]", ["Standard", "C", 1]),
    ]


def keys_of_the_schema() -> list[str]:
    """Every key that a configuration may have, dotted; `*` for names of people's own."""
    schema = json.loads((ROOT / "config.schema.json").read_text(encoding="utf-8"))
    found = set(_keys(schema, schema["$defs"], ()))
    return sorted(key for key in found if not any(other.startswith(f"{key}.") for other in found))


def _keys(node: dict[str, Any], definitions: dict[str, Any], at: tuple[str, ...]) -> Iterator[str]:
    if "$ref" in node:
        yield from _keys(definitions[node["$ref"].rpartition("/")[2]], definitions, at)
    below = [(name, part) for name, part in node.get("properties", {}).items()]
    below += [("*", part) for part in node.get("patternProperties", {}).values()]
    if isinstance(node.get("additionalProperties"), dict):
        below.append(("*", node["additionalProperties"]))
    for name, part in below:
        yield from _keys(part, definitions, (*at, name))
    items = [node["items"]] if "items" in node else []
    for part in (*node.get("anyOf", ()), *node.get("oneOf", ()), *items):
        yield from _keys(part, definitions, at)
    if at and not below:
        yield ".".join(at)


def is_unread(key: str) -> bool:
    """Return whether there is a reason for not reading back a key."""
    return any(key == one or (one.endswith(".*") and key.startswith(one[:-1])) for one in UNREAD)
