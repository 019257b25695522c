"""Fixtures: Azure's own management SDKs as people use them, with a proxy and a CA file in the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from azure.identity import DefaultAzureCredential
from client_environment import variables
from emulator_client import AzureClient

from azure_emulator.attach import Attached

_LEFT_OUT = ("AZURE_", "HTTP", "NO_PROXY", "ALL_PROXY")


@pytest.fixture
def environment(emulator: Attached, monkeypatch: pytest.MonkeyPatch) -> Attached:
    """This process as `--env` would have it, and nothing of a developer's own Azure."""
    for name in list(os.environ):
        if name.upper().startswith(_LEFT_OUT):
            monkeypatch.delenv(name)
    for name, value in variables(emulator).items():
        monkeypatch.setenv(name, value)
    return emulator


@pytest.fixture
def credential(environment: Attached) -> Iterator[DefaultAzureCredential]:
    with DefaultAzureCredential() as found:
        yield found


@pytest.fixture
def subscription(azure: AzureClient, environment: Attached) -> str:
    """The id of a subscription in which the providers are registered and the group `rg` exists."""
    return environment.subscription_id
