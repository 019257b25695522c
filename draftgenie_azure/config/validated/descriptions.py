"""Descriptions of keys, shown by editors and in the configuration reference."""

from __future__ import annotations

DESCRIPTIONS: dict[str, dict[str, str]] = {  # by section and key
    "Config": {
        "locations": "region of a kind of resource; overrides azure.location",
        "tags": "tags of every resource; an empty one is omitted",
        "azure": "the deployment target",
        "services": "the container apps, by key",
        "secrets": "secrets of the application, by key; kept in the vault",
        "migrations": "commands that run once per content of their image",
    },
    "Advanced": {
        "retry_attempts": "without effect; kept for older files",
        "retry_delay": "without effect; kept for older files",
        "cleanup_on_failure": "without effect; kept for older files",
        "save_state": "without effect; kept for older files",
        "state_file": "path of the state; relative to the (first) config file",
        "state_storage": "a file, or a blob in Azure; `azure` is an older name of `blob`",
        "state_blob_account": "storage account of the state",
        "state_blob_container": "container of the state",
        "state_blob_name": "name of the state's blob",
        "state_blob_endpoint": "URL of the blob service, if not the cloud's own",
    },
    "Azure": {
        "resource_group": "the group of all resources; created if it does not exist",
        "location": "region of everything not listed under `locations`",
        "project_name": "prefix of the default names of other resources",
        "emulator": "behaviour of the embedded emulator",
    },
    "BuildArgument": {"value": "value of the Dockerfile's ARG"},
    "ContainerApps": {"environment_name": "name of the environment; changing it creates another environment"},
    "ContainerRegistry": {"name": "unique in Azure", "sku": "size and features of the registry"},
    "Cors": {
        "allowed_origins": "origins that may call the app",
        "allowed_methods": "HTTP methods that they may use",
        "allowed_headers": "headers that they may send",
        "expose_headers": "response headers that they may read",
        "allow_credentials": "whether cookies and credentials are sent",
    },
    "CustomDomain": {"name": "the host name"},
    "Dapr": {
        "enabled": "run the sidecar",
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
        "sku": "premium stores keys in hardware",
        "soft_delete_retention_days": "days to recover a deleted vault or secret; fixed once the vault exists",
    },
    "Migration": {
        "command": "command to run in the image",
        "working_directory": "working directory; absent: the image's own",
        "environment": "variables that add to or override those of its service",
        "secrets": "secret variables that add to or override those of its service",
        "database": "the database it migrates; absent: that of its service",
        "timeout_seconds": "time after which Azure stops it",
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
        "high_availability": "a standby in the same or another zone; not with a burstable sku",
    },
    "Redis": {
        "name": "unique in Azure",
        "sku": "size; Balanced_B0 is the smallest, Basic, Standard and Premium are the older product",
        "clustering_policy": "managed only; fixed once it exists",
        "eviction_policy": "which keys are evicted when memory is full",
    },
    "Registry": {"username": "if no identity is used; requires `secret`"},
    "Scale": {
        "http_concurrent_requests": "concurrent requests per replica before scaling out",
        "tcp_concurrent_connections": "concurrent connections per replica before scaling out",
        "rules": "further KEDA rules",
    },
    "ScaleRule": {"name": "name of the rule", "metadata": "parameters of the scaler, as documented by KEDA"},
    "Service": {
        "build_args": "values of the Dockerfile's ARGs; a mapping with `secret: true` keeps a value out of logs",
        "port": "the port that the container listens on",
        "additional_ports": "further TCP ports inside the environment",
        "cpu": "cores of a replica; on Consumption, memory is twice as many Gi",
        "memory": "of a replica, as `1Gi`",
        "min_replicas": "0 scales the service to zero until it is called",
        "command": "instead of the image's entrypoint",
        "args": "instead of the image's command",
        "environment": "variables; {{ name }} is replaced by a value of the deployment",
        "secrets": "variables whose values are kept in the vault",
        "volume": "one volume",
        "scale": "when to scale out",
    },
    "Volume": {
        "mount_path": "mount point in the container",
        "account_name": "storage account; azure_file only",
        "account_key": "its key; azure_file only",
        "share_name": "the file share; azure_file only",
    },
    "WorkloadProfile": {
        "name": "name that services refer to",
        "minimum_count": "minimum number of machines",
        "maximum_count": "maximum number of machines",
    },
}


def describe(section: str, properties: dict[str, dict[str, object]]) -> None:
    """Add descriptions to the keys of a section that have none."""
    for key, text in DESCRIPTIONS.get(section, {}).items():
        properties[key].setdefault("description", text)
