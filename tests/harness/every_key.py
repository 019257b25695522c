"""Two deployments that set every key which Azure shows afterwards.

One is public and one private: a network of one's own excludes some keys, and Redis comes as two products.
"""

from __future__ import annotations

import copy
from typing import Any

from certificate_files import certificate_body, pfx
from emulator_client import ACR_PULL, AzureClient
from project import Project

from azure_emulator.attach import Attached

Json = dict[str, Any]
HOSTS = ("managed.example.com", "byname.example.com")
PUBLIC: Json = {
    "azure": {
        "cloud": "emulator", "resource_group": "demo-rg", "location": "eastus2", "project_name": "demo",
        "identity_name": "demo-runner",
    },
    "locations": {"log_analytics": "westus3"},
    "container_registry": {"name": "demoacr", "sku": "Standard"},
    "registries": [
        {"server": "bypassword.azurecr.io", "username": "bypassword", "secret": "registry_password"},
        {"server": "byidentity.azurecr.io", "identity": "app"},
    ],
    "key_vault": {
        "name": "demo-kv", "sku": "premium", "soft_delete_retention_days": 30, "purge_protection": True,
    },
    "monitoring": {
        "log_workspace": "demo-logs", "app_insights": "demo-insights", "retention_days": 60, "daily_cap_gb": 2.5,
        "sampling_percentage": 50,
    },
    "postgresql": {
        "server_name": "demo-pg", "database_name": "main", "admin_user": "keeper", "admin_password": "Keep-it-1234",
        "sku": "Standard_D2ds_v5", "tier": "GeneralPurpose", "version": "17", "storage_size": 64, "auto_grow": True,
        "backup_retention_days": 21, "high_availability": "ZoneRedundant", "databases": ["extra"],
        "extensions": ["pgcrypto"], "parameters": {"max_connections": 150},
    },
    "redis": {
        "name": "demo-redis", "sku": "Balanced_B1", "high_availability": False, "clustering_policy": "OSSCluster",
        "eviction_policy": "AllKeysLRU",
    },
    "mongodb": {"connection_url": "mongodb://db.example.com/app"},
    "container_apps": {
        "environment_name": "demo-env",
        "workload_profiles": [{"name": "big", "type": "D4", "minimum_count": 1, "maximum_count": 3}],
    },
    "networking": {"cors_origin": "https://a.example", "swagger_enabled": False, "swagger_path": "docs"},
    "secrets": {"token": "amqp-url-with-key", "made": {"generate": True}, "registry_password": "${OTHER_PASSWORD}"},
    "docker": {"build_context": "application"},
    "services": {
        "web": {
            "name": "web-front", "kind": "infrastructure", "image": "bypassword.azurecr.io/app:1", "port": 8080,
            "ingress": "external", "transport": "http", "allow_insecure": True, "additional_ports": [9090],
            "cpu": 1.0, "memory": "2Gi", "min_replicas": 2, "max_replicas": 4, "health_path": "/health",
            "startup_seconds": 200, "termination_seconds": 45, "command": ["serve", "--all"], "args": ["--some"],
            "environment": {
                "ONE": "1", "ORIGIN": "{{ networking.cors_origin }}", "PATH_OF_DOCS": "{{ networking.swagger_path }}",
                "DOCS": "{{ networking.swagger_enabled }}",
            },
            "secrets": {"TOKEN": "{{ secrets.token }}", "MONGO": "{{ mongodb.connection_url }}"},
            "volume": {
                "type": "azure_file", "mount_path": "/data", "account_name": "demofiles", "account_key": "a2V5",
                "share_name": "files",
            },
            "workload_profile": "big", "session_affinity": True,
            "ip_restrictions": [
                {"name": "office", "ip_address_range": "203.0.113.7", "action": "Allow", "description": "ours"}
            ],
            "cors": {
                "allowed_origins": ["https://a.example"], "allowed_methods": ["GET"], "allowed_headers": ["X-One"],
                "expose_headers": ["X-Two"], "max_age": 600, "allow_credentials": True,
            },
            "dapr": {
                "enabled": True, "app_id": "front", "app_port": 8081, "app_protocol": "grpc",
                "enable_api_logging": True, "http_max_request_size": 8, "http_read_buffer_size": 16,
                "log_level": "debug",
            },
            "scale": {"http_concurrent_requests": 40},
        },
        "queue": {
            "image": "byidentity.azurecr.io/app:1", "port": 5672, "transport": "tcp", "exposed_port": 5700,
            "secrets": {"BROKER": "{{ secrets.token }}"},
            "scale": {
                "tcp_concurrent_connections": 30,
                "rules": [
                    {"name": "q", "type": "rabbitmq", "metadata": {"queueName": "one"}, "auth": {"host": "BROKER"}},
                    {"name": "s", "type": "azure-queue", "metadata": {"queueName": "two"}, "identity": "app"},
                ],
            },
        },
        "canary": {
            "image": "nginx:1", "port": 8080, "ingress": "external", "transport": "auto", "revision_mode": "Multiple",
        },
        "built": {
            "dockerfile": "Dockerfile", "database": "own", "environment": {"DB": "{{ postgresql.database }}"},
        },
    },
    "migrations": [
        {
            "name": "schema", "service": "built", "command": ["migrate", "up"], "working_directory": "/srv",
            "environment": {"LEVEL": "all", "DB": "{{ postgresql.database }}"}, "database": "others",
            "secrets": {"KEY": "{{ secrets.token }}"}, "timeout_seconds": 700,
        }
    ],
    "tags": {"team": "Blue"},
}
PRIVATE: Json = {
    "azure": {"cloud": "emulator", "resource_group": "demo-rg", "location": "eastus2"},
    "key_vault": {"name": "demo-kv"},
    "postgresql": {"server_name": "demo-pg", "database_name": "main"},
    "redis": {"name": "demo-redis", "sku": "Standard", "vm_size": "c1"},
    "container_apps": {"environment_name": "demo-env", "zone_redundant": True, "internal": True},
    "services": {"web": {"image": "nginx", "port": 8080, "transport": "auto"}},
}


def deploy_public(project: Project, emulator: Attached) -> None:
    """Deploy with every key: at first without what needs something of the first deployment."""
    first = copy.deepcopy(PUBLIC)
    del first["registries"], first["secrets"]["registry_password"]
    first["services"]["web"]["image"] = first["services"]["queue"]["image"] = "nginx"
    project.write(first)
    (project.directory / "application").mkdir()
    (project.directory / "application" / "Dockerfile").write_text("FROM python:3.12-slim\nCMD python -c 1\n")
    project.deploy()
    client = AzureClient(emulator)
    ids = {key: record["id"] for key, record in project.state()["resources"].items()}
    project.environment["OTHER_PASSWORD"] = other_registry(client, "bypassword", ids["identity"])
    other_registry(client, "byidentity", ids["identity"])
    _set_dns(client, ids)
    certificate = certificate_body(value=pfx(HOSTS[1]))
    client.put(f"{ids['container_apps_env']}/certificates/uploaded", certificate)
    (old,) = client.get(f"{ids['container_app/canary']}/revisions")["value"]
    values = copy.deepcopy(PUBLIC)
    values["services"]["web"]["custom_domains"] = [
        {"name": HOSTS[0], "validation": "HTTP"}, {"name": HOSTS[1], "certificate": "uploaded"}
    ]
    latest, oldest = {"latest_revision": True, "weight": 70, "label": "new"}, {"revision_name": old["name"]}
    traffic = [latest, {**oldest, "weight": 30, "label": "old"}]
    values["services"]["canary"] |= {"image": "nginx:2", "traffic": traffic}
    project.write(values)
    project.deploy()


def _set_dns(client: AzureClient, ids: dict[str, str]) -> None:
    """The records that the names want."""
    web = client.get(ids["container_app/web"])["properties"]
    address = {"A": [client.get(ids["container_apps_env"])["properties"]["staticIp"]]}
    records = {f"asuid.{host}": {"TXT": [web["customDomainVerificationId"]]} for host in HOSTS}
    client.attached.control("POST", "/control/settings", {"dns": records | dict.fromkeys(HOSTS, address)})


def other_registry(client: AzureClient, name: str, identity: str) -> str:
    """Create an external registry with an image `app:1`, which an identity may pull; return its password."""
    client.make_group()
    registry = f"{client.group}/providers/Microsoft.ContainerRegistry/registries/{name}"
    body: Json = {"location": "eastus2", "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": True}}
    client.put(registry, body)
    client.build(registry, {"Dockerfile": "FROM nginx:1\n"})
    client.ok(client.assign(registry, ACR_PULL, client.get(identity)["properties"]["principalId"]))
    password: str = client.ok(client.call("POST", f"{registry}/listCredentials")).json()["passwords"][0]["value"]
    return password


def deploy_private(project: Project, emulator: Attached) -> tuple[str, str]:
    """Create an existing network in a separate group for a deployment; return ids of network and DNS zone."""
    client = AzureClient(emulator)
    client.make_group()
    network = f"{client.group}/providers/Microsoft.Network/virtualNetworks/net"
    services = {"apps": ("10.0.0.0/23", "App/environments"), "pg": ("10.0.4.0/24", "DBforPostgreSQL/flexibleServers")}
    subnets = [
        {
            "name": name,
            "properties": {
                "addressPrefix": prefix,
                "delegations": [{"name": name, "properties": {"serviceName": f"Microsoft.{service}"}}],
            },
        }
        for name, (prefix, service) in services.items()
    ]
    spaces = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": subnets}
    client.put(network, {"location": "eastus2", "properties": spaces})
    zone = f"{client.group}/providers/Microsoft.Network/privateDnsZones/demo.private.postgres.database.azure.com"
    client.put(zone, {"location": "global"})
    values = copy.deepcopy(PRIVATE)
    values["container_apps"]["subnet_id"] = f"{network}/subnets/apps"
    values["postgresql"] |= {"subnet_id": f"{network}/subnets/pg", "private_dns_zone_id": zone}
    project.write(values)
    project.deploy()
    return network, zone
