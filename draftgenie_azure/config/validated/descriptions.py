"""Descriptions of keys whose models say no more than a name and a type; editors and the reference show them."""

from __future__ import annotations

DESCRIPTIONS: dict[str, dict[str, str]] = {  # by section and key
    "Config": {
        "locations": "region of a kind of resource; wins over azure.location",
        "tags": "tags of every resource; an empty one is left out",
        "azure": "where to deploy to",
        "services": "the container apps, by key",
        "secrets": "secrets of the application, by key; kept in the vault",
        "migrations": "commands that run once for each content of their image",
    },
    "Advanced": {
        "retry_attempts": "without effect; kept for older files",
        "retry_delay": "without effect; kept for older files",
        "cleanup_on_failure": "without effect; kept for older files",
        "save_state": "without effect; kept for older files",
        "state_file": "path of the state; counts from the (first) config file",
        "state_storage": "a file, or a blob in Azure; `azure` is an older name of `blob`",
        "state_blob_account": "storage account of the state",
        "state_blob_container": "container of the state",
        "state_blob_name": "name of the state's blob",
        "state_blob_endpoint": "address of the blob service, where it is not the cloud's own",
    },
    "Azure": {
        "resource_group": "the group that everything is in; created where it does not exist",
        "location": "region of everything that `locations` does not name",
        "project_name": "names of other resources are made from it",
        "emulator": "how the embedded Azure behaves",
    },
    "BuildArgument": {"value": "what the Dockerfile's ARG gets"},
    "ContainerApps": {"environment_name": "name of the environment; another name makes another environment"},
    "ContainerRegistry": {"name": "unique in Azure", "sku": "size and features of the registry"},
    "Cors": {
        "allowed_origins": "origins that may call",
        "allowed_methods": "HTTP methods that they may use",
        "allowed_headers": "headers that they may send",
        "expose_headers": "headers of the answer that they may read",
        "allow_credentials": "whether cookies and credentials are sent along",
    },
    "CustomDomain": {"name": "the host name"},
    "Dapr": {
        "enabled": "whether the sidecar runs",
        "app_protocol": "how Dapr talks to the app",
        "enable_api_logging": "log each call of Dapr's API",
        "log_level": "of the sidecar",
    },
    "Deployment": {
        "skip_build": "do not build images; the recorded ones are used",
        "skip_migrations": "run no migrations",
        "dry_run": "as --dry-run",
        "auto_approve": "as --auto-approve",
        "verbose": "as --verbose",
        "parallelism": "steps and resources in flight at once",
    },
    "Docker": {
        "dockerfiles": "Dockerfile of a service, by its key; below build_context",
        "platform": "of the images; Container Apps runs no other",
    },
    "IpRestriction": {
        "name": "name of the rule",
        "action": "let in, or keep out; all rules of an app have the same",
        "description": "for people",
    },
    "KeyVault": {
        "name": "unique in Azure, deleted vaults included",
        "sku": "premium has keys in hardware",
        "soft_delete_retention_days": "days that a deleted vault or secret can be recovered; fixed once it exists",
    },
    "Migration": {
        "command": "what runs in the image",
        "working_directory": "where it runs; absent: the image's own",
        "environment": "variables besides those of its service, or instead of them",
        "secrets": "secret variables besides those of its service, or instead of them",
        "database": "the database it works on; absent: that of its service",
        "timeout_seconds": "after which Azure ends it",
    },
    "Monitoring": {
        "log_workspace": "name of the Log Analytics workspace",
        "app_insights": "name of Application Insights",
        "retention_days": "days that logs are kept",
    },
    "Networking": {"swagger_enabled": "whether API documentation is served", "swagger_path": "where it is served"},
    "Postgresql": {
        "server_name": "unique in Azure",
        "version": "major version of PostgreSQL; 11 to 18",
        "backup_retention_days": "days that backups are kept",
        "high_availability": "a standby in the same zone or another one; not with a burstable sku",
    },
    "Redis": {
        "name": "unique in Azure",
        "sku": "size; Balanced_B0 is the smallest, Basic, Standard and Premium are the older product",
        "clustering_policy": "managed only; fixed once it exists",
        "eviction_policy": "what is dropped when memory is full",
    },
    "Registry": {"username": "where no identity is used; with a password"},
    "Scale": {
        "http_concurrent_requests": "requests at once per replica before there is another one",
        "tcp_concurrent_connections": "connections at once per replica before there is another one",
        "rules": "further rules of KEDA",
    },
    "ScaleRule": {"name": "name of the rule", "metadata": "what the scaler is told, as KEDA documents it"},
    "Service": {
        "build_args": "values of the Dockerfile's ARGs; a mapping with `secret: true` keeps one out of logs",
        "port": "the port that the container listens on",
        "additional_ports": "further TCP ports inside the environment",
        "cpu": "cores of a replica; on Consumption, memory is twice as many Gi",
        "memory": "of a replica, as `1Gi`",
        "min_replicas": "0 lets the service sleep until it is asked",
        "command": "instead of the image's entrypoint",
        "args": "instead of the image's command",
        "environment": "variables; {{ name }} stands for what the deployment knows",
        "secrets": "variables whose values are kept in the vault",
        "volume": "one volume",
        "scale": "when there are more replicas",
    },
    "Volume": {
        "mount_path": "where the container finds it",
        "account_name": "storage account; azure_file only",
        "account_key": "its key; azure_file only",
        "share_name": "the file share; azure_file only",
    },
    "WorkloadProfile": {
        "name": "name that services refer to",
        "minimum_count": "machines that always run",
        "maximum_count": "machines at most",
    },
}


def describe(section: str, properties: dict[str, dict[str, object]]) -> None:
    """Add the descriptions to the keys of a section that have none."""
    for key, text in DESCRIPTIONS.get(section, {}).items():
        properties[key].setdefault("description", text)
