"""Default bodies as data: what GET and replies to writes show if nothing was sent."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

CONFIGURATION: Json = {
    "secrets": None,
    "activeRevisionsMode": "Single",
    "ingress": None,
    "registries": None,
    "identitySettings": [],
    "dapr": None,
    "runtime": None,
    "maxInactiveRevisions": 100,
    "service": None,
}
INGRESS: Json = {
    "fqdn": None,
    "external": False,
    "targetPort": None,
    "exposedPort": None,
    "transport": "Auto",
    "traffic": None,
    "customDomains": None,
    "allowInsecure": False,
    "ipSecurityRestrictions": None,
    "corsPolicy": None,
    "clientCertificateMode": None,
    "stickySessions": None,
    "additionalPortMappings": None,
}
TEMPLATE: Json = {
    "revisionSuffix": None,
    "terminationGracePeriodSeconds": None,
    "containers": [],
    "initContainers": None,
    "scale": None,
    "volumes": None,
    "serviceBinds": None,
}
REVISION_TEMPLATE: Json = {key: value for key, value in TEMPLATE.items() if key not in ("containers", "scale")}
SCALE: Json = {"minReplicas": None, "maxReplicas": 10, "cooldownPeriod": 300, "pollingInterval": 30, "rules": None}
SCALE_NULLS: Json = dict.fromkeys(SCALE)
SIZE: Json = {"cpu": 0.5, "memory": "1Gi"}

JOB_CONFIGURATION: Json = {
    "secrets": None,
    "triggerType": "Manual",
    "replicaTimeout": 1800,
    "replicaRetryLimit": 0,
    "manualTriggerConfig": None,
    "scheduleTriggerConfig": None,
    "eventTriggerConfig": None,
    "registries": None,
    "identitySettings": [],
    "dapr": None,
}
JOB_TEMPLATE: Json = {"containers": [], "initContainers": None, "volumes": None}

ENVIRONMENT: Json = {
    "daprAIInstrumentationKey": None,
    "daprAIConnectionString": None,
    "zoneRedundant": False,
    "kedaConfiguration": {"version": "2.17.2"},
    "daprConfiguration": {"version": "1.13.6-msft.6"},
    "peerAuthentication": {"mtls": {"enabled": False}},
    "peerTrafficConfiguration": {"encryption": {"enabled": False}},
    "publicNetworkAccess": "Enabled",
    "ingressConfiguration": None,
    "openTelemetryConfiguration": None,
    "appInsightsConfiguration": None,
}
CUSTOM_DOMAIN_CONFIGURATION: Json = {
    "dnsSuffix": None,
    "certificateKeyVaultProperties": None,
    "certificateValue": None,
    "certificatePassword": None,
    "thumbprint": None,
    "subjectName": None,
    "expirationDate": None,
}
DOMAIN_WORDS = (
    [
        "agreeable",
        "black",
        "brave",
        "calm",
        "gray",
        "happy",
        "icy",
        "jolly",
        "kind",
        "lively",
        "mango",
        "nice",
        "orange",
        "proud",
        "red",
        "salmon",
        "thankful",
        "white",
        "witty",
        "yellow",
    ],
    [
        "beach",
        "bush",
        "cliff",
        "coast",
        "desert",
        "field",
        "flower",
        "forest",
        "glacier",
        "ground",
        "hill",
        "island",
        "meadow",
        "mushroom",
        "ocean",
        "plant",
        "river",
        "rock",
        "sand",
        "sea",
        "sky",
        "stone",
        "tree",
        "water",
        "wave",
    ],
)
"""The two words in an environment's default domain."""
