"""Validate the backing resources, the cloud, the emulator and the state."""

from __future__ import annotations

import re

from draftgenie_azure.config.keys import Key
from draftgenie_azure.config.validated import naming
from draftgenie_azure.config.validated.found import Found, did_you_mean
from draftgenie_azure.config.validated.resource_sections import REDIS_SKUS
from draftgenie_azure.config.validated.schema import Config

# Tokens are sent to hosts made of these: no part of one may be read as another host, a user or a query.
_LABELS = r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::[0-9]{1,5})?"
_ADDRESS = re.compile(rf"https://{_LABELS}(?:/[A-Za-z0-9._~/-]*)?")
_SUFFIX = re.compile(rf"\.?{_LABELS}")
_EMULATOR_FAULT_KEYS = (
    "method", "path", "status", "code", "message", "skip", "times", "retry_after", "drop", "fail",
)  # fmt: skip


def faults(config: Config) -> Found:
    """Yield the key and message of each fault."""
    yield from _cloud_rules(config)
    yield from _redis_rules(config)
    yield from _emulator_rules(config)
    yield from _state_rules(config)


def _cloud_rules(config: Config) -> Found:
    cloud = config.azure.cloud
    if isinstance(cloud, str):
        return
    for name in ("resource_manager", "authority"):
        if not getattr(cloud, name).startswith("https://"):
            yield ("azure", "cloud", name), "must begin with https://"
        elif not _ADDRESS.fullmatch(getattr(cloud, name)):
            yield ("azure", "cloud", name), "must be https://HOST, with port and path if need be, and nothing else"
    for name in ("vault_suffix", "registry_suffix", "storage_suffix", "postgres_suffix"):
        if not _SUFFIX.fullmatch(getattr(cloud, name)):
            yield ("azure", "cloud", name), "must be the end of host names, such as vault.azure.net"
    if cloud.proxy and not cloud.proxy.startswith(("http://", "https://")):
        yield ("azure", "cloud", "proxy"), "must begin with http:// or https://"
    if cloud.name in ("emulator", "AzureCloud", "AzureUSGovernment", "AzureChinaCloud"):
        yield ("azure", "cloud", "name"), "is the name of a built-in cloud; choose another"


def _redis_rules(config: Config) -> Found:
    section = config.redis
    if section is None:
        return
    if fault := naming.name_fault("managed_redis" if section.managed else "redis", section.name):
        yield ("redis", "name"), fault
    if not section.managed:
        family = "p" if section.sku == "Premium" else "c"
        if section.vm_size[0].lower() != family or section.vm_size in ("p0", "P0", "p6", "P6"):
            yield ("redis", "vm_size"), f"{section.sku} requires {'p1–p5' if family == 'p' else 'c0–c6'}"
        return
    if config.azure.cloud in ("AzureUSGovernment", "AzureChinaCloud"):
        yield (
            ("redis", "sku"),
            f"Azure Managed Redis is not offered in {config.azure.cloud}; use {', '.join(REDIS_SKUS)}",
        )
    size = int(section.sku.split("_")[1][1:])
    if section.clustering_policy == "NoCluster" and (section.sku.startswith("Flash") or size > 20):
        yield (
            ("redis", "clustering_policy"),
            "NoCluster is limited to 25 GB; use EnterpriseCluster or OSSCluster for this sku",
        )


def _emulator_rules(config: Config) -> Found:
    for position, fault in enumerate(config.azure.emulator.faults):
        place: Key = ("azure", "emulator", "faults", position)
        for name, value in fault.items():
            if name not in _EMULATOR_FAULT_KEYS:
                yield (*place, name), "is not a known key" + did_you_mean(name, list(_EMULATOR_FAULT_KEYS))
            elif name in ("status", "skip", "times") and not (type(value) is int and value >= 0):
                yield (*place, name), "must be an integer, 0 or more"
        if fault.get("drop", "before") not in ("before", "after"):
            yield (*place, "drop"), "must be before or after"
        status = fault.get("status")
        if type(status) is int and not 400 <= status <= 599:
            yield (*place, "status"), "must be 400–599"
        if not fault.keys() & {"status", "drop", "fail"}:
            yield place, "needs `status`, `drop` or `fail`: the fault to inject"


def _state_rules(config: Config) -> Found:
    advanced = config.advanced
    if advanced.state_storage == "local" or advanced.state_blob_account or advanced.state_blob_endpoint:
        return
    yield ("advanced", "state_blob_account"), "is required where the state is kept in a blob"
