"""The environment that a client of the emulator needs, and nothing else."""

from __future__ import annotations

import os

from azure_emulator.attach import Attached

_SAFE = ("PATH", "HOME", "LANG", "SYSTEMROOT", "TEMP", "TMP", "USERPROFILE")


def variables(attached: Attached) -> dict[str, str]:
    """Return the variables of `--env`, without any of the developer's own Azure."""
    return {
        **{name: os.environ[name] for name in _SAFE if name in os.environ},
        "HTTPS_PROXY": attached.proxy_url,
        "REQUESTS_CA_BUNDLE": str(attached.ca_file),
        "AZURE_TENANT_ID": attached.tenant_id,
        "AZURE_CLIENT_ID": attached.client_id,
        "AZURE_CLIENT_SECRET": attached.client_secret,
        "AZURE_SUBSCRIPTION_ID": attached.subscription_id,
    }
