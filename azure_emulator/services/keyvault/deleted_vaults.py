"""Deleted vaults, and name availability."""

from __future__ import annotations

import re
from typing import Any

from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal
from azure_emulator.core.lifecycle import Work, answer, begin, in_location
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.keyvault.vaults import VAULT, Vaults, find, find_deleted

Json = dict[str, Any]
_PURGE = Work(
    "vault.purged",
    ("vault", "purge"),
    "vault",
    sends="L",
    pace=6,
    result=in_location("Microsoft.KeyVault", "operationResults"),
    final="vault",
)


def _shown_deleted(world: World, record: Json) -> Json:
    vault = record["vault"]
    place = region(vault["body"]["location"])
    properties = {
        "vaultId": vault["id"],
        "location": place,
        "tags": vault["body"].get("tags", {}),
        "deletionDate": stamp(record["deleted"], digits=0),
        "scheduledPurgeDate": stamp(record["purge"], digits=0),
    }
    if vault["body"]["properties"].get("enablePurgeProtection"):
        properties["purgeProtectionEnabled"] = True
    name = vault["body"]["name"]
    return {
        "id": f"{world.subscription}/providers/Microsoft.KeyVault/locations/{place}/deletedVaults/{name}",
        "name": name,
        "type": "Microsoft.KeyVault/deletedVaults",
        "properties": properties,
    }


def _deleted_at(world: World, segments: list[str]) -> Json:
    record = find_deleted(world, segments[7])
    if record is None or region(record["vault"]["body"]["location"]) != region(segments[5]):
        raise Refusal(404, "DeletedVaultNotFound", f"The specified deleted vault '{segments[7]}' does not exist.")
    return record


def get_deleted(world: World, request: Request, segments: list[str]) -> Response:
    return Response(200, _shown_deleted(world, _deleted_at(world, segments)))


def list_deleted(world: World, request: Request, segments: list[str]) -> Response:
    names = [key for key, _ in world.store.records("deleted vault")]
    found = [record for record in (find_deleted(world, name) for name in names) if record is not None]
    return Response(200, {"value": [_shown_deleted(world, record) for record in found]})


def list_no_hsms(world: World, request: Request, segments: list[str]) -> Response:
    return Response(200, {"value": []})


def purge(world: World, request: Request, segments: list[str]) -> Response:
    """202 with Location; 602 to 654 s in most recordings."""
    record = _deleted_at(world, segments)
    if record["vault"]["body"]["properties"].get("enablePurgeProtection"):
        raise Refusal(
            403,
            "DeletedVaultPurge",
            'Operation "purge" is not allowed because purge protection is enabled '
            "for this vault. Please wait for the vault to be auto purged.",
        )
    operation = begin(world, request, _PURGE, segments[7], place=region(segments[5]) or "")
    return answer(world, request, _PURGE, operation)


def check_name(world: World, request: Request, segments: list[str]) -> Response:
    sent = request.json()
    name = str(sent.get("name", ""))
    if sent.get("type") != VAULT:
        raise Refusal(400, "BadRequest", f"The type must be '{VAULT}'.")
    if not re.fullmatch(Vaults.name_pattern, name):
        return Response(
            200,
            {"nameAvailable": False, "reason": "AccountNameInvalid", "message": Vaults.name_error[1].format(name=name)},
        )
    if find(world, name) is not None or find_deleted(world, name) is not None:
        return Response(
            200,
            {
                "nameAvailable": False,
                "reason": "AlreadyExists",
                "message": f"The vault name '{name}' is already in use. Vault names are globally unique so "
                "it is possible that the name is already taken. If you are sure that the vault "
                "name was not taken then it is possible that a vault with the same name was "
                "recently deleted but not purged after being placed in a recoverable state.",
            },
        )
    return Response(200, {"nameAvailable": True})


_S = ("subscriptions", "*", "providers", "microsoft.keyvault")
_DELETED = (*_S, "locations", "*", "deletedvaults", "*")
PATHS = [
    (
        "POST",
        (*_S, "checknameavailability"),
        check_name,
        "Microsoft.KeyVault/checkNameAvailability",
        "Microsoft.KeyVault/checkNameAvailability/read",
    ),
    (
        "GET",
        (*_S, "deletedvaults"),
        list_deleted,
        "Microsoft.KeyVault/deletedVaults",
        "Microsoft.KeyVault/deletedVaults/read",
    ),
    ("GET", (*_S, "deletedmanagedhsms"), list_no_hsms, "Microsoft.KeyVault/deletedManagedHSMs", ""),
    ("GET", (*_S, "managedhsms"), list_no_hsms, "Microsoft.KeyVault/managedHSMs", ""),
    ("GET", _DELETED, get_deleted, "Microsoft.KeyVault/locations", "Microsoft.KeyVault/locations/deletedVaults/read"),
    (
        "POST",
        (*_DELETED, "purge"),
        purge,
        "Microsoft.KeyVault/locations",
        "Microsoft.KeyVault/locations/deletedVaults/purge/action",
    ),
]
