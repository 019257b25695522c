"""The rules of Container Apps bodies, one per property.

The properties are those of the official types of 2026-01-01 (github.com/Azure/bicep-types-az, microsoft.app), which a
test compares; further ones here are of newer or preview versions. Bounds are those of the service
(learn.microsoft.com/azure/container-apps: containers, health-probes, ingress-overview).
"""

from __future__ import annotations

from typing import Any

from azure_emulator.core.rules import (
    ANY,
    ENVELOPE,
    FLAG,
    IDENTITY,
    NUMBER,
    OBJECT,
    READ_ONLY,
    TAGS,
    TEXT,
    TEXTS,
    TRACKED,
    WHOLE,
    Map,
    OneOf,
    Text,
    Whole,
    read_only,
)

Json = dict[str, Any]

APP_NAME = r"(?=.{1,32}$)[a-z]((?!.*--)[-a-z0-9]*[a-z0-9])?"
_PORT, _OPTIONAL_PORT = Whole(1, 65535), Whole(0, 65535)
_KEY_VAULT = {"identity": TEXT, "keyVaultUrl": TEXT}

SECRETS: list[Json] = [
    {"name!": Text(1, 253, r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"), "value": TEXT, "keyVaultUrl": TEXT, "identity": TEXT}
]
REGISTRIES: list[Json] = [{"server!": TEXT, "username": TEXT, "passwordSecretRef": TEXT, "identity": TEXT}]
IDENTITY_SETTINGS: list[Json] = [{"identity!": TEXT, "lifecycle": OneOf("All", "Init", "Main", "None")}]
_DAPR: Json = {
    "enabled": FLAG,
    "appId": TEXT,
    "appProtocol": OneOf("http", "grpc"),
    "appPort": _OPTIONAL_PORT,
    "httpReadBufferSize": WHOLE,
    "httpMaxRequestSize": WHOLE,
    "logLevel": OneOf("info", "debug", "warn", "error"),
    "enableApiLogging": FLAG,
    "maxConcurrency": WHOLE,
    "appHealth": {
        "enabled": FLAG,
        "path": TEXT,
        "probeIntervalSeconds": Whole(1),
        "probeTimeoutMilliseconds": Whole(1),
        "threshold": Whole(1),
    },
}

# Templates

_PROBE: Json = {
    "type": OneOf("Liveness", "Readiness", "Startup"),
    "initialDelaySeconds": Whole(0, 60),  # 0 is what azurerm sends where nothing was given
    "periodSeconds": Whole(1, 240),
    "timeoutSeconds": Whole(1, 240),
    "failureThreshold": Whole(1, 10),
    "successThreshold": Whole(1, 10),
    "terminationGracePeriodSeconds": Whole(0, 3600),
    "httpGet": {
        "path": TEXT,
        "port!": _PORT,
        "host": TEXT,
        "scheme": OneOf("HTTP", "HTTPS"),
        "httpHeaders": [{"name!": TEXT, "value!": TEXT}],
    },
    "tcpSocket": {"port!": _PORT, "host": TEXT},
}
_CONTAINER: Json = {
    "name!": Text(1, 46, r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"),
    "image!": Text(1),
    "imageType": READ_ONLY,
    "command": TEXTS,
    "args": TEXTS,
    "env": [{"name!": Text(1), "value": TEXT, "secretRef": TEXT}],
    "resources": {"cpu": NUMBER, "memory": Text(pattern=r"\d+(\.\d+)?Gi"), "ephemeralStorage": READ_ONLY},
    "volumeMounts": [{"volumeName!": TEXT, "mountPath!": TEXT, "subPath": TEXT}],
}
INIT_CONTAINERS: list[Json] = [_CONTAINER]
CONTAINERS: list[Json] = [{**_CONTAINER, "probes": [_PROBE]}]
VOLUMES: list[Json] = [
    {
        "name!": Text(pattern=r"[^.]+"),
        "storageName": TEXT,
        "mountOptions": TEXT,
        "storageType": OneOf("AzureFile", "EmptyDir", "Secret", "NfsAzureFile"),
        "secrets": [{"secretRef!": TEXT, "path": TEXT}],
    }
]
_AUTH: list[Json] = [{"secretRef": TEXT, "triggerParameter": TEXT}]
_TRIGGER: Json = {"metadata": Map(TEXT), "auth": _AUTH, "identity": TEXT}
_SCALE: Json = {
    "minReplicas": Whole(0, 1000),
    "maxReplicas": Whole(1, 1000),
    "cooldownPeriod": Whole(0),
    "pollingInterval": Whole(1),
    "rules": [
        {
            "name!": TEXT,
            "http": _TRIGGER,
            "tcp": _TRIGGER,
            "custom": {"type": TEXT, **_TRIGGER},
            "azureQueue": {
                "accountName": TEXT,
                "queueName": TEXT,
                "queueLength": WHOLE,
                "auth": _AUTH,
                "identity": TEXT,
            },
        }
    ],
}

# Apps

_INGRESS: Json = {
    "external": FLAG,
    "targetPort": _OPTIONAL_PORT,
    "exposedPort": _OPTIONAL_PORT,
    "allowInsecure": FLAG,
    "transport": OneOf("Auto", "Http", "Http2", "Tcp"),
    "traffic": [{"revisionName": TEXT, "weight": Whole(0, 100), "latestRevision": FLAG, "label": TEXT}],
    "customDomains": [{"name!": TEXT, "bindingType": OneOf("Disabled", "SniEnabled", "Auto"), "certificateId": TEXT}],
    "ipSecurityRestrictions": [
        {"name!": TEXT, "description": TEXT, "ipAddressRange!": TEXT, "action!": OneOf("Allow", "Deny")}
    ],
    "corsPolicy": {
        "allowedOrigins!": TEXTS,
        "allowedMethods": TEXTS,
        "allowedHeaders": TEXTS,
        "exposeHeaders": TEXTS,
        "maxAge": WHOLE,
        "allowCredentials": FLAG,
    },
    "stickySessions": {"affinity": OneOf("sticky", "none")},
    "clientCertificateMode": OneOf("Ignore", "Accept", "Require"),
    "additionalPortMappings": [{"external!": FLAG, "targetPort!": _OPTIONAL_PORT, "exposedPort": _OPTIONAL_PORT}],
    "targetPortHttpScheme": OneOf("http", "https"),
    "fqdn": READ_ONLY,
}
APP: Json = {
    **TRACKED,
    "identity": IDENTITY,
    "managedBy": TEXT,
    "kind": TEXT,
    "extendedLocation": {"name": TEXT, "type": OneOf("CustomLocation")},
    "properties!": {
        "environmentId": TEXT,
        "managedEnvironmentId": TEXT,
        "workloadProfileName": TEXT,
        "configuration": {
            "activeRevisionsMode": OneOf("Single", "Multiple", "Labels"),
            "ingress": _INGRESS,
            "registries": REGISTRIES,
            "secrets": SECRETS,
            "dapr": _DAPR,
            "service": {"type!": TEXT},
            "runtime": {"java": {"enableMetrics": FLAG}, "dotnet": {"autoConfigureDataProtection": FLAG}},
            "maxInactiveRevisions": Whole(0, 100),
            "identitySettings": IDENTITY_SETTINGS,
            # Only in preview versions, otherwise refused.
            "targetLabel": TEXT,
            "revisionTransitionThreshold": Whole(0, 100),
        },
        "template": {
            "revisionSuffix": TEXT,
            "containers": CONTAINERS,
            "initContainers": INIT_CONTAINERS,
            "scale": _SCALE,
            "volumes": VOLUMES,
            "serviceBinds": [{"serviceId": TEXT, "name": TEXT}],
            "terminationGracePeriodSeconds": Whole(0, 600),
        },
        **read_only(
            "provisioningState",
            "runningStatus",
            "outboundIpAddresses",
            "latestRevisionName",
            "latestReadyRevisionName",
            "latestRevisionFqdn",
            "customDomainVerificationId",
            "eventStreamEndpoint",
            "delegatedIdentities",
            "deploymentErrors",
            "patchingMode",
            "patchingConfiguration",
        ),
    },
}

# Jobs

_COUNTS = {"parallelism": Whole(1), "replicaCompletionCount": Whole(1)}
_JOB_SCALE: Json = {
    "pollingInterval": Whole(1),
    "minExecutions": Whole(0),
    "maxExecutions": Whole(1),
    "rules": [{"name": TEXT, "type": TEXT, "metadata": ANY, "auth": _AUTH, "identity": TEXT}],
}
JOB: Json = {
    **TRACKED,
    "identity": IDENTITY,
    "extendedLocation": OBJECT,
    "properties!": {
        "environmentId": TEXT,
        "workloadProfileName": TEXT,
        "configuration": {
            "triggerType!": OneOf("Manual", "Schedule", "Event"),
            "replicaTimeout!": Whole(1),
            "replicaRetryLimit": Whole(0),
            "manualTriggerConfig": _COUNTS,
            "scheduleTriggerConfig": {"cronExpression!": TEXT, **_COUNTS},
            "eventTriggerConfig": {"scale": _JOB_SCALE, **_COUNTS},
            "registries": REGISTRIES,
            "secrets": SECRETS,
            "identitySettings": IDENTITY_SETTINGS,
            "dapr": ANY,
        },
        "template": {"containers": CONTAINERS, "initContainers": INIT_CONTAINERS, "volumes": VOLUMES},
        **read_only("provisioningState", "outboundIpAddresses", "eventStreamEndpoint", "runningState", "runningStatus"),
    },
}
JOB_OVERRIDE: Json = {"containers": INIT_CONTAINERS, "initContainers": INIT_CONTAINERS}

# Environments and their children

ENVIRONMENT: Json = {
    **TRACKED,
    "kind": TEXT,
    "identity": IDENTITY,
    "properties!": {
        "appLogsConfiguration": {
            "destination": OneOf("azure-monitor", "log-analytics", "none", ""),
            "logAnalyticsConfiguration": {"customerId": TEXT, "sharedKey": TEXT, "dynamicJsonColumns": FLAG},
        },
        "workloadProfiles": [
            {
                "name!": TEXT,
                "workloadProfileType!": TEXT,
                "minimumCount": Whole(0),
                "maximumCount": Whole(0),
                "enableFips": READ_ONLY,
            }
        ],
        "zoneRedundant": FLAG,
        "vnetConfiguration": {
            "internal": FLAG,
            "infrastructureSubnetId": TEXT,
            "dockerBridgeCidr": TEXT,
            "platformReservedCidr": TEXT,
            "platformReservedDnsIP": TEXT,
        },
        "daprAIInstrumentationKey": TEXT,
        "daprAIConnectionString": TEXT,
        "infrastructureResourceGroup": TEXT,
        "customDomainConfiguration": {
            "dnsSuffix": TEXT,
            "certificateValue": TEXT,
            "certificatePassword": TEXT,
            "certificateKeyVaultProperties": _KEY_VAULT,
            **read_only("customDomainVerificationId", "expirationDate", "thumbprint", "subjectName"),
        },
        "ingressConfiguration": {
            "workloadProfileName": TEXT,
            "terminationGracePeriodSeconds": WHOLE,
            "headerCountLimit": WHOLE,
            "requestIdleTimeout": WHOLE,
        },
        "peerAuthentication": {"mtls": {"enabled": FLAG}},
        "peerTrafficConfiguration": {"encryption": {"enabled": FLAG}},
        "publicNetworkAccess": OneOf("Enabled", "Disabled"),
        **read_only(
            "kedaConfiguration",
            "daprConfiguration",
            "openTelemetryConfiguration",
            "appInsightsConfiguration",
            "provisioningState",
            "defaultDomain",
            "staticIp",
            "deploymentErrors",
            "eventStreamEndpoint",
            "privateEndpointConnections",
            "privateLinkDefaultDomain",
        ),
    },
}
_MODE = OneOf("ReadOnly", "ReadWrite")
STORAGE: Json = {
    **ENVELOPE,
    "location": READ_ONLY,  # recorded traffic of Azure/azure-cli: sent, and taken
    "properties!": {
        "azureFile": {
            "accountName!": TEXT,
            "accountKey": TEXT,
            "accountKeyVaultProperties": _KEY_VAULT,
            "shareName!": TEXT,
            "accessMode!": _MODE,
        },
        "nfsAzureFile": {"server!": TEXT, "shareName!": TEXT, "accessMode!": _MODE},
        **read_only("deploymentErrors", "provisioningState"),
    },
}
CERTIFICATE: Json = {
    **TRACKED,
    "properties": {
        "value": TEXT,
        "password": TEXT,
        "certificateType": OneOf("ServerSSLCertificate", "ImagePullTrustedCA"),
        "certificateKeyVaultProperties": _KEY_VAULT,
        **read_only(
            "provisioningState",
            "deploymentErrors",
            "subjectName",
            "subjectAlternativeNames",
            "issuer",
            "issueDate",
            "expirationDate",
            "thumbprint",
            "valid",
            "publicKeyHash",
        ),
    },
}
MANAGED_CERTIFICATE: Json = {
    **TRACKED,
    "properties": {
        "subjectName": TEXT,
        "domainControlValidation": OneOf("CNAME", "HTTP", "TXT"),
        **read_only("provisioningState", "error", "validationToken"),
    },
}
TAGS_ONLY: Json = {**ENVELOPE, "tags": TAGS}
DAPR_COMPONENT: Json = {
    **ENVELOPE,
    "properties!": {
        "componentType": TEXT,
        "version": TEXT,
        "ignoreErrors": FLAG,
        "initTimeout": TEXT,
        "secrets": SECRETS,
        "secretStoreComponent": TEXT,
        "metadata": [{"name!": TEXT, "value": TEXT, "secretRef": TEXT}],
        "scopes": TEXTS,
        **read_only("provisioningState", "deploymentErrors"),
    },
}
AUTH_CONFIG: Json = {
    **ENVELOPE,
    "properties!": {
        "platform": {"enabled": FLAG, "runtimeVersion": TEXT},
        "globalValidation": {
            "unauthenticatedClientAction": OneOf(
                "RedirectToLoginPage", "AllowAnonymous", "RejectWith401", "RejectWith403", "Return401", "Return403"
            ),
            "redirectToProvider": TEXT,
            "excludedPaths": TEXTS,
        },
        "identityProviders": OBJECT,
        "login": OBJECT,
        "httpSettings": OBJECT,
        "encryptionSettings": {
            "containerAppAuthEncryptionSecretName": TEXT,
            "containerAppAuthSigningSecretName": TEXT,
        },
    },
}
