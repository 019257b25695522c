"""A declared fault answers in the shape of the service that would have failed."""

from __future__ import annotations

from typing import Any

import pytest
from emulator_client import AzureClient

from azure_emulator.attach import Attached


def declare(emulator: Attached, **fault: Any) -> None:
    emulator.control("POST", "/control/faults", {"faults": [fault]})


@pytest.mark.parametrize("status", [500, 504])
def test_a_failure_of_a_provider_says_so_in_a_header(azure: AzureClient, emulator: Attached, status: int) -> None:
    """Recorded traffic of Azure/azure-cli (504 of PostgreSQL) and Azure/azure-dev (500 of Container Apps)."""
    declare(emulator, method="GET", status=status, code="GatewayTimeout", message="The gateway did not receive …")

    answer = azure.call("GET", azure.group)

    assert (answer.status_code, azure.error(answer)) == (status, "GatewayTimeout")
    assert answer.headers["x-ms-failure-cause"] == "service"


def test_an_error_of_container_apps_has_all_members(azure: AzureClient, emulator: Attached) -> None:
    """Recorded traffic of Azure/azure-dev."""
    declare(emulator, method="GET", path="*/containerApps/*", status=500)

    answer = azure.call("GET", "Microsoft.App/containerApps/app")

    assert answer.json()["error"].items() >= {"details": None, "target": None, "additionalInfo": None}.items()


def test_an_error_may_have_no_body(azure: AzureClient, emulator: Attached) -> None:
    """Recorded traffic of Azure/azure-cli-extensions: 412 of listSecrets."""
    declare(emulator, method="GET", status=412, code="")

    answer = azure.call("GET", azure.group)

    assert (answer.status_code, answer.text()) == (412, "")


def test_an_apps_address_fails_in_plain_text(azure: AzureClient, emulator: Attached) -> None:
    """Recorded traffic of Azure/azure-dev: 503."""
    host = azure.make_environment()["properties"]["defaultDomain"]
    declare(emulator, method="GET", path=f"*.{host}/*", status=503, message="no healthy upstream")

    answer = azure.http("GET", f"https://app.{host}/")

    assert (answer.status, answer.text) == (503, "no healthy upstream")
    assert answer.headers["Content-Type"] == "text/plain"
