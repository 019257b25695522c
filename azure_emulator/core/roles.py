"""Principals, built-in roles, and permission checks at a scope."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from azure_emulator.core.clock import Clock
from azure_emulator.core.further_roles import FURTHER
from azure_emulator.core.store import Store

ASSIGNMENT = "Microsoft.Authorization/roleAssignments"

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
ACR_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"

_ESCALATION = [
    "Microsoft.Authorization/*/Delete",
    "Microsoft.Authorization/*/Write",
    "Microsoft.Authorization/elevateAccess/Action",
]
_ROLES_ONLY = ["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"]
_VAULT_READ = "Microsoft.KeyVault/vaults/secrets/readMetadata/action"
_VAULT_GET = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
_REPOSITORY = "Microsoft.ContainerRegistry/registries/repositories"


@dataclass(frozen=True)
class Role:
    """A built-in role definition (learn.microsoft.com/azure/role-based-access-control/built-in-roles)."""

    id: str
    name: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()


def _role(
    identifier: str,
    name: str,
    actions: list[str],
    not_actions: list[str] | None = None,
    data_actions: list[str] | None = None,
) -> tuple[str, Role]:
    return identifier, Role(identifier, name, tuple(actions), tuple(not_actions or ()), tuple(data_actions or ()))


ROLES: dict[str, Role] = dict(
    [
        _role(OWNER, "Owner", ["*"]),
        _role(CONTRIBUTOR, "Contributor", ["*"], _ESCALATION),
        _role(READER, "Reader", ["*/read"]),
        _role("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "User Access Administrator", _ROLES_ONLY),
        _role(
            "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
            "Role Based Access Control Administrator",
            [
                "Microsoft.Authorization/roleAssignments/write",
                "Microsoft.Authorization/roleAssignments/delete",
                "*/read",
                "Microsoft.Support/*",
            ],
        ),
        _role(ACR_PULL, "AcrPull", ["Microsoft.ContainerRegistry/registries/pull/read"]),
        _role(
            ACR_PUSH,
            "AcrPush",
            ["Microsoft.ContainerRegistry/registries/pull/read", "Microsoft.ContainerRegistry/registries/push/write"],
        ),
        _role(
            "b93aa761-3e63-49ed-ac28-beffa264f7ac",
            "Container Registry Repository Reader",
            [],
            None,
            [f"{_REPOSITORY}/metadata/read", f"{_REPOSITORY}/content/read"],
        ),
        _role(
            "2a1e307c-b015-4ebd-883e-5b7698a07328",
            "Container Registry Repository Writer",
            [],
            None,
            [
                f"{_REPOSITORY}/metadata/read",
                f"{_REPOSITORY}/content/read",
                f"{_REPOSITORY}/metadata/write",
                f"{_REPOSITORY}/content/write",
            ],
        ),
        _role("4633458b-17de-408a-b874-0445c86b69e6", "Key Vault Secrets User", [], None, [_VAULT_GET, _VAULT_READ]),
        _role(
            "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
            "Key Vault Secrets Officer",
            [
                "Microsoft.Authorization/*/read",
                "Microsoft.KeyVault/checkNameAvailability/read",
                "Microsoft.KeyVault/deletedVaults/read",
                "Microsoft.KeyVault/locations/*/read",
                "Microsoft.KeyVault/vaults/*/read",
            ],
            None,
            ["Microsoft.KeyVault/vaults/secrets/*"],
        ),
        _role(
            "00482a5a-887f-4fb3-b363-3b7fe8e74483",
            "Key Vault Administrator",
            [
                "Microsoft.Authorization/*/read",
                "Microsoft.Insights/alertRules/*",
                "Microsoft.Resources/deployments/*",
                "Microsoft.KeyVault/checkNameAvailability/read",
                "Microsoft.KeyVault/deletedVaults/read",
                "Microsoft.KeyVault/locations/*/read",
                "Microsoft.KeyVault/vaults/*/read",
            ],
            None,
            ["Microsoft.KeyVault/vaults/*"],
        ),
        _role(
            "a68e7c17-0ab2-4c09-9a58-125dae29748c",
            "Key Vault Purge Operator",
            [
                "Microsoft.KeyVault/locations/deletedVaults/read",
                "Microsoft.KeyVault/locations/deletedVaults/purge/action",
                "Microsoft.KeyVault/locations/operationResults/read",
            ],
        ),
    ]
)
ROLES |= {
    identifier: Role(identifier, name, actions, not_actions, data_actions)
    for identifier, (name, actions, data_actions, not_actions) in FURTHER.items()
}


@lru_cache(maxsize=4096)
def _pattern(action: str) -> re.Pattern[str]:
    return re.compile(re.escape(action).replace(r"\*", ".*") + r"\Z", re.IGNORECASE)


def matches(patterns: tuple[str, ...], action: str) -> bool:
    return any(_pattern(pattern).match(action) for pattern in patterns)


class Roles:
    """Reads role assignments from the store. An assignment takes effect after the propagation delay."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def assignments(self, object_id: str, scope: str) -> list[dict[str, Any]]:
        """Yield properties of the effective assignments of a principal at a scope, including inherited ones."""
        now = self._clock.now()
        target = scope.lower().rstrip("/") + "/"
        found = []
        for resource in self._store.of_type(ASSIGNMENT):
            properties = resource.properties
            if properties["principalId"].lower() != object_id.lower():
                continue
            if not target.startswith(properties["scope"].lower().rstrip("/") + "/"):
                continue
            if resource.private["effective"] <= now:
                found.append(properties)
        return found

    def roles(self, object_id: str, scope: str) -> list[Role]:
        names = {item["roleDefinitionId"].rsplit("/", 1)[1].lower() for item in self.assignments(object_id, scope)}
        return [ROLES[name] for name in sorted(names) if name in ROLES]

    def allowed(self, object_id: str, action: str, scope: str, *, data: bool = False) -> bool:
        for role in self.roles(object_id, scope):
            if data and matches(role.data_actions, action):
                return True
            if not data and matches(role.actions, action) and not matches(role.not_actions, action):
                return True
        return False
