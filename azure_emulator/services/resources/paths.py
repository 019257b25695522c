"""The fixed paths of Resource Manager."""

from __future__ import annotations

from typing import Any

from azure_emulator.services.resources.groups import (
    GROUP,
    delete_group,
    get_group,
    head_group,
    patch_group,
    put_group,
)
from azure_emulator.services.resources.listings import list_groups, list_resources
from azure_emulator.services.resources.preflight import validate
from azure_emulator.services.resources.providers import (
    get_provider,
    list_providers,
    register_provider,
    unregister_provider,
)
from azure_emulator.services.resources.subscriptions import (
    get_subscription,
    list_locations,
    list_subscriptions,
    list_tenants,
)

Json = dict[str, Any]


S, RG = ("subscriptions", "*"), ("subscriptions", "*", "resourcegroups", "*")
PATHS = [
    ("GET", ("subscriptions",), list_subscriptions, "Microsoft.Resources/subscriptions", ""),
    ("GET", S, get_subscription, "Microsoft.Resources/subscriptions", "Microsoft.Resources/subscriptions/read"),
    ("GET", (*S, "locations"), list_locations, "Microsoft.Resources/subscriptions", ""),
    ("GET", ("tenants",), list_tenants, "Microsoft.Resources/tenants", ""),
    ("GET", (*S, "providers"), list_providers, "Microsoft.Resources/providers", ""),
    ("GET", (*S, "providers", "*"), get_provider, "Microsoft.Resources/providers", ""),
    (
        "POST",
        (*S, "providers", "*", "register"),
        register_provider,
        "Microsoft.Resources/providers",
        "Microsoft.Resources/register/action",
    ),
    (
        "POST",
        (*S, "providers", "*", "unregister"),
        unregister_provider,
        "Microsoft.Resources/providers",
        "Microsoft.Resources/unregister/action",
    ),
    ("GET", (*S, "resourcegroups"), list_groups, GROUP, ""),
    ("HEAD", RG, head_group, GROUP, "Microsoft.Resources/subscriptions/resourceGroups/read"),
    ("GET", RG, get_group, GROUP, "Microsoft.Resources/subscriptions/resourceGroups/read"),
    ("PUT", RG, put_group, GROUP, "Microsoft.Resources/subscriptions/resourceGroups/write"),
    ("PATCH", RG, patch_group, GROUP, "Microsoft.Resources/subscriptions/resourceGroups/write"),
    ("DELETE", RG, delete_group, GROUP, "Microsoft.Resources/subscriptions/resourceGroups/delete"),
    (
        "POST",
        ("providers", "microsoft.resources", "validateresources"),
        validate,
        "Microsoft.Resources/validateResources",
        "",
    ),
    ("GET", (*S, "resources"), list_resources, "Microsoft.Resources/resources", ""),
    ("GET", (*RG, "resources"), list_resources, "Microsoft.Resources/resources", ""),
]
