"""Fixtures: one emulator per test module, emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from emulator_client import AzureClient
from refusal_bodies import Secret

from azure_emulator.attach import Attached, attach


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attached]:
    directory: Path = tmp_path_factory.mktemp("azure") / ".azure-emulator"
    attached = attach(directory)
    assert attached is not None
    with attached:
        yield attached


@pytest.fixture(scope="module")
def client(emulator: Attached) -> AzureClient:
    """One login for the whole module; tokens outlive a reset."""
    return AzureClient(emulator)


@pytest.fixture
def bare(emulator: Attached, client: AzureClient) -> AzureClient:
    """A subscription in which nothing is registered and nothing exists."""
    emulator.control("POST", "/control/reset")
    emulator.control("POST", "/control/settings", {"scale": 0, "images": {}, "faults": [], "tasks_allowed": True})
    return client


@pytest.fixture
def azure(bare: AzureClient) -> AzureClient:
    """A subscription with all providers registered and the group `rg`."""
    bare.make_group()
    return bare


@pytest.fixture
def secret(azure: AzureClient) -> Secret:
    return Secret(azure)
