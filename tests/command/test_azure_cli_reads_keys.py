"""Every key of the configuration that leaves something in Azure is read back with the Azure CLI."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jmespath
import pytest
from az_rows import UNREAD, Row, is_unread, keys_of_the_schema, private, public
from azure_cli import AzureCli
from every_key import deploy_private, deploy_public
from project import Project

from azure_emulator.attach import Attached, attach


def differing(attached: Attached, directory: Path, rows: list[Row]) -> list[str]:
    """Rows of which the Azure CLI reads something else."""
    az = AzureCli(attached, directory)

    @cache
    def answer(command: str) -> Any:
        return az(*command.split())

    found = [(row, jmespath.search(row.query, answer(row.command))) for row in rows]
    return [f"{row}: {value!r}" for row, value in found if json.dumps(value) != json.dumps(row.expected)]


@pytest.mark.program("az")
@pytest.mark.slow
def test_keys_of_a_public_deployment_are_read_back(tmp_path: Path) -> None:
    with attach(tmp_path / ".azure-emulator") as attached:
        assert attached is not None
        deploy_public(Project(tmp_path), attached)

        assert differing(attached, tmp_path, public()) == []


@pytest.mark.program("az")
@pytest.mark.slow
def test_keys_of_a_private_deployment_are_read_back(tmp_path: Path) -> None:
    with attach(tmp_path / ".azure-emulator") as attached:
        assert attached is not None
        network, zone = deploy_private(Project(tmp_path), attached)

        assert differing(attached, tmp_path, private(network, zone)) == []


def test_each_key_of_the_schema_is_read_back_or_has_a_reason() -> None:
    read = {row.key for row in [*public(), *private("network", "zone")]}
    keys = keys_of_the_schema()

    assert [key for key in keys if key not in read and not is_unread(key)] == []
    assert sorted(read - set(keys)) == [], "rows of keys that are gone"
    assert sorted(key for key in read if is_unread(key)) == [], "read after all"
    reasons = [key for key in UNREAD if not any(is_unread(one) and one.startswith(key.rstrip("*")) for one in keys)]
    assert reasons == [], "reasons for keys that are gone"
