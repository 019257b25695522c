"""The supported types of Container Apps."""

from __future__ import annotations

ENVIRONMENT = "Microsoft.App/managedEnvironments"
STORAGE = f"{ENVIRONMENT}/storages"
APP, JOB = "Microsoft.App/containerApps", "Microsoft.App/jobs"
