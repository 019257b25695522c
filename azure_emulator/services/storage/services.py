"""Blob and file services of an account, with their containers and shares, by ARM."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.clock import stamp
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register
from azure_emulator.core.store import Resource
from azure_emulator.services.storage.accounts import ACCOUNT

Json = dict[str, Any]
_NAME = r"(?!.*--)[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]"


class _Service(ResourceType):
    """`default`, which exists with every account; PUT sets its properties."""

    tracked = False
    stored = False
    name_pattern = r"(?i:default)"
    defaults: Json = {}

    def _shown(self, call: Call) -> Json:
        account = call.world.store.get(call.target.parent)
        assert account is not None
        stored = call.world.store.get(call.target.id)
        properties = {**self.defaults, **(stored.properties if stored else {})}
        return {
            "sku": account.body["sku"],
            "id": call.target.id,
            "name": "default",
            "type": self.type,
            "properties": properties,
        }

    def get(self, call: Call) -> Response:
        return Response(200, self._shown(call))

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        shown = {"properties": body.get("properties", {})}
        call.world.store.put(Resource(call.target.id, self.type, shown, call.now))
        return Response(200, self._shown(call))

    def list(self, call: Call, scope: str) -> Response:
        target = replace(call.target, id=f"{call.target.id.rstrip('/')}/default", name="default")
        return Response(200, {"value": [self._shown(Call(call.world, call.request, target, None))]})


_CORS: Json = {
    "corsRules": [
        {
            "allowedOrigins!": rules.TEXTS,
            "allowedMethods!": rules.TEXTS,
            "allowedHeaders!": rules.TEXTS,
            "exposedHeaders!": rules.TEXTS,
            "maxAgeInSeconds!": rules.WHOLE,
        }
    ]
}
_RETENTION: Json = {"enabled": rules.FLAG, "days": rules.Whole(1, 365), "allowPermanentDelete": rules.FLAG}


class BlobServices(_Service):
    type = f"{ACCOUNT}/blobServices"
    body_rule = {
        **rules.ENVELOPE,
        "sku": rules.READ_ONLY,
        "properties": {
            "automaticSnapshotPolicyEnabled": rules.FLAG,
            "changeFeed": {"enabled": rules.FLAG, "retentionInDays": rules.Whole(1, 146000)},
            "containerDeleteRetentionPolicy": _RETENTION,
            "cors": _CORS,
            "defaultServiceVersion": rules.TEXT,
            "deleteRetentionPolicy": _RETENTION,
            "isVersioningEnabled": rules.FLAG,
            "lastAccessTimeTrackingPolicy": rules.OBJECT,
            "restorePolicy": rules.OBJECT,
            "staticWebsite": rules.OBJECT,
        },
    }
    defaults: Json = {"cors": {"corsRules": []}, "deleteRetentionPolicy": {"enabled": False}}


class FileServices(_Service):
    type = f"{ACCOUNT}/fileServices"
    body_rule = {
        **rules.ENVELOPE,
        "sku": rules.READ_ONLY,
        "properties": {
            "cors": _CORS,
            "protocolSettings": rules.OBJECT,
            "shareDeleteRetentionPolicy": _RETENTION,
        },
    }
    defaults: Json = {
        "cors": {"corsRules": []},
        "protocolSettings": {"smb": {}},
        "shareDeleteRetentionPolicy": {"enabled": True, "days": 7},
    }


class _Item(ResourceType):
    """A container or share: PUT 201, 200 on an existing one; PATCH 200; DELETE 200."""

    tracked = False
    name_pattern = _NAME
    defaults: Json = {}

    def _write(self, call: Call, body: Json) -> Resource:
        sent = body.get("properties") or {}
        held = call.existing.properties if call.existing else dict(self.defaults)
        properties = {**rules.update(held, sent), "lastModifiedTime": stamp(call.now)}
        shown = {
            "id": call.target.id,
            "name": call.target.name,
            "type": self.type,
            "etag": f'"0x{call.world.derived_word(15, call.target.id, str(call.now)).upper()}"',
            "properties": properties,
        }
        created = call.existing.created if call.existing else call.now
        return call.world.store.put(Resource(call.target.id, self.type, shown, created))

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        return Response(200 if call.existing else 201, self._write(call, body).body)

    def patch(self, call: Call) -> Response:
        call.must_exist()
        return Response(200, self._write(call, self.sent(call, patch=True)).body)

    def delete(self, call: Call) -> Response:
        call.world.store.drop(call.must_exist().id)
        return Response(200)


class Containers(_Item):
    type = f"{ACCOUNT}/blobServices/containers"
    name_error = ("InvalidResourceName", "The container name '{name}' is invalid.")
    body_rule = {
        **rules.ENVELOPE,
        "etag": rules.READ_ONLY,
        "properties": {
            "publicAccess": rules.OneOf("None", "Blob", "Container"),
            "metadata": rules.Map(rules.TEXT),
            "defaultEncryptionScope": rules.TEXT,
            "denyEncryptionScopeOverride": rules.FLAG,
            "enableNfsV3AllSquash": rules.FLAG,
            "enableNfsV3RootSquash": rules.FLAG,
            "immutableStorageWithVersioning": rules.OBJECT,
            **rules.read_only(
                "deletedTime",
                "immutabilityPolicy",
                "leaseDuration",
                "legalHold",
                "remainingRetentionDays",
                "deleted",
                "hasImmutabilityPolicy",
                "hasLegalHold",
                "lastModifiedTime",
                "leaseState",
                "leaseStatus",
                "version",
            ),
        },
    }
    defaults: Json = {
        "publicAccess": "None",
        "leaseStatus": "Unlocked",
        "leaseState": "Available",
        "hasImmutabilityPolicy": False,
        "hasLegalHold": False,
        "deleted": False,
        "remainingRetentionDays": 0,
    }


class Shares(_Item):
    type = f"{ACCOUNT}/fileServices/shares"
    name_error = ("InvalidResourceName", "The share name '{name}' is invalid.")
    body_rule = {
        **rules.ENVELOPE,
        "etag": rules.READ_ONLY,
        "properties": {
            "shareQuota": rules.Whole(1, 102400),
            "accessTier": rules.OneOf("TransactionOptimized", "Hot", "Cool", "Premium"),
            "enabledProtocols": rules.OneOf("SMB", "NFS"),
            "metadata": rules.Map(rules.TEXT),
            "rootSquash": rules.OneOf("NoRootSquash", "RootSquash", "AllSquash"),
            "signedIdentifiers": [
                {
                    "id": rules.TEXT,
                    "accessPolicy": {"startTime": rules.TEXT, "expiryTime": rules.TEXT, "permission": rules.TEXT},
                }
            ],
            "provisionedIops": rules.WHOLE,
            "provisionedBandwidthMibps": rules.WHOLE,
            "fileSharePaidBursting": rules.OBJECT,
            **rules.read_only(
                "deletedTime",
                "includedBurstIops",
                "leaseDuration",
                "maxBurstCreditsForIops",
                "nextAllowedProvisionedBandwidthDowngradeTime",
                "nextAllowedProvisionedIopsDowngradeTime",
                "nextAllowedQuotaDowngradeTime",
                "remainingRetentionDays",
                "accessTierChangeTime",
                "accessTierStatus",
                "deleted",
                "lastModifiedTime",
                "leaseState",
                "leaseStatus",
                "shareUsageBytes",
                "snapshotTime",
                "version",
            ),
        },
    }
    defaults: Json = {
        "shareQuota": 5120,
        "accessTier": "TransactionOptimized",
        "enabledProtocols": "SMB",
        "leaseStatus": "unlocked",
        "leaseState": "available",
    }


register(BlobServices(), FileServices(), Containers(), Shares())
