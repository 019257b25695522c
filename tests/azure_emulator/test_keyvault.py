"""Vaults and secrets, by ARM and at the vault's own address."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from emulator_client import SECRETS_OFFICER, AzureClient, Json

from azure_emulator.attach import Attached

PATH = "Microsoft.KeyVault/vaults/vault-1"
URL = "https://vault-1.vault.azure.net"


def deleted(azure: AzureClient, name: str = "vault-1") -> str:
    return f"{azure.subscription}/providers/Microsoft.KeyVault/locations/eastus2/deletedVaults/{name}"


def secret(value: str, **attributes: bool) -> Json:
    return {"tags": {"digest": "d"}, "properties": {"value": value, "attributes": attributes}}


def test_a_new_vault_answers_200_and_gets_ready(azure: AzureClient) -> None:
    created = azure.call("PUT", PATH, azure.vault_body())

    assert created.status_code == 200
    assert created.json()["properties"]["provisioningState"] == "RegisteringDns"
    assert created.json()["properties"]["vaultUri"] == URL
    shown = azure.get(PATH)["properties"]
    assert (shown["provisioningState"], shown["vaultUri"]) == ("Succeeded", URL + "/")
    assert (shown["softDeleteRetentionInDays"], shown["enableSoftDelete"]) == (90, True)


@pytest.mark.parametrize(("version", "rbac"), [("2026-02-01", True), ("2024-11-01", False)])
def test_the_default_of_rbac_depends_on_the_api_version(azure: AzureClient, version: str, rbac: bool) -> None:
    body = azure.vault_body()
    del body["properties"]["enableRbacAuthorization"]

    assert azure.put(PATH, body, version)["properties"]["enableRbacAuthorization"] is rbac


@pytest.mark.parametrize("name", ["ab", "1vault", "va--ult", "vault-", "v" * 25])
def test_names_follow_the_rule(azure: AzureClient, name: str) -> None:
    """learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules."""
    answer = azure.call("PUT", f"Microsoft.KeyVault/vaults/{name}", azure.vault_body())

    assert (answer.status_code, azure.error(answer)) == (400, "VaultNameNotValid")


@pytest.mark.parametrize(
    "change",
    [{"softDeleteRetentionInDays": 7}, {"enableSoftDelete": False}, {"enablePurgeProtection": False}, {"color": "red"}],
)
def test_what_is_fixed_or_unknown_is_refused(azure: AzureClient, change: Json) -> None:
    """learn.microsoft.com/azure/key-vault/general/soft-delete-overview."""
    azure.make_vault()

    assert azure.call("PATCH", PATH, {"properties": change}).status_code == 400


def test_the_same_value_makes_no_new_version_and_no_value_comes_back(azure: AzureClient) -> None:
    """github.com/Azure/azure-resource-manager-schemas issue 1494; PyPI azure-mgmt-keyvault."""
    azure.make_vault()
    path = f"{PATH}/secrets/jwt"

    first, same, other = (azure.call("PUT", path, secret(value)) for value in ("one", "one", "two"))

    assert [answer.status_code for answer in (first, same, other)] == [201, 200, 200]
    uris = [answer.json()["properties"]["secretUriWithVersion"] for answer in (first, same, other)]
    assert uris[0] == uris[1] != uris[2]
    assert "value" not in first.json()["properties"]
    assert azure.get(path)["tags"] == {"digest": "d"}
    assert [item["name"] for item in azure.get(f"{PATH}/secrets")["value"]] == ["jwt"]
    assert azure.call("DELETE", path).status_code == 405


@pytest.mark.parametrize(("name", "value"), [("under_score", "x"), ("big", "x" * 26_000)])
def test_secret_names_and_sizes_are_checked(azure: AzureClient, name: str, value: str) -> None:
    """learn.microsoft.com/azure/key-vault/secrets/about-secrets."""
    azure.make_vault()

    assert azure.call("PUT", f"{PATH}/secrets/{name}", secret(value)).status_code == 400


def test_two_writes_to_one_vault_at_once_conflict(azure: AzureClient) -> None:
    """github.com/Azure/bicep issues 3113 and 4364; learn.microsoft.com/azure/key-vault/general/common-error-codes."""
    azure.make_vault()
    azure.call("GET", PATH)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: azure.call("PUT", f"{PATH}/secrets/s{n}", secret("x")), range(24)))

    refused = [answer for answer in answers if answer.status_code == 409]
    assert refused and azure.error(refused[0]) == "ConflictError"
    assert any(answer.status_code == 201 for answer in answers)


def test_a_deleted_vault_holds_its_name_until_it_is_recovered_with_its_secrets(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/key-vault/general/key-vault-recovery;
    alan-turing-institute/data-safe-haven issue 2523."""
    vault = azure.make_vault()
    azure.ok(azure.call("PUT", f"{PATH}/secrets/jwt", secret("one")))
    azure.ok(azure.assign(vault["id"], SECRETS_OFFICER, azure.attached.object_id))
    assert azure.call("DELETE", PATH).status_code == 200
    check = f"{azure.subscription}/providers/Microsoft.KeyVault/checkNameAvailability"

    again = azure.call("PUT", PATH, azure.vault_body())
    name = azure.call("POST", check, {"name": "vault-1", "type": "Microsoft.KeyVault/vaults"}).json()

    assert (again.status_code, azure.error(again)) == (409, "ConflictError")
    assert (name["nameAvailable"], name["reason"]) == (False, "AlreadyExists")
    assert azure.get(deleted(azure))["properties"]["vaultId"] == vault["id"]
    body = azure.vault_body()
    body["properties"] |= {"createMode": "recover"}
    recovered = azure.call("PUT", PATH, body)
    assert (recovered.status_code, recovered.json()["properties"]["provisioningState"]) == (200, "Succeeded")
    assert azure.get(f"{PATH}/secrets/jwt")["name"] == "jwt"
    token = f"Bearer {azure.token('https://vault.azure.net')}"
    assert azure.http("GET", f"{URL}/secrets/jwt?api-version=7.4", Authorization=token).status == 403


def test_a_purge_takes_ten_minutes_and_frees_the_name(azure: AzureClient, emulator: Attached) -> None:
    """Recorded traffic of Azure/azure-cli."""
    azure.make_vault()
    azure.ok(azure.call("DELETE", PATH))
    emulator.control("POST", "/control/settings", {"scale": 1})

    purge = azure.call("POST", f"{deleted(azure)}/purge")

    assert purge.status_code == 202
    running = azure.poll(purge.headers["Location"])
    assert (running.status_code, running.json()["status"]) == (202, "NotStarted")
    emulator.control("POST", "/control/clock", {"advance": 660})
    assert azure.poll(purge.headers["Location"]).json()["status"] == "Succeeded"
    assert azure.call("GET", deleted(azure)).status_code == 404
    assert azure.call("PUT", PATH, azure.vault_body()).status_code == 200


def test_purge_protection_refuses_the_purge_until_the_period_ends(azure: AzureClient, emulator: Attached) -> None:
    """learn.microsoft.com/azure/key-vault/general/soft-delete-overview."""
    body = azure.vault_body()
    body["properties"] |= {"enablePurgeProtection": True, "softDeleteRetentionInDays": 7}
    azure.put(PATH, body)
    azure.ok(azure.call("DELETE", PATH))

    assert azure.call("POST", f"{deleted(azure)}/purge").status_code == 403
    assert azure.get(deleted(azure))["properties"]["purgeProtectionEnabled"] is True
    emulator.control("POST", "/control/clock", {"advance": 8 * 86400})
    client = AzureClient(emulator)
    assert client.call("GET", deleted(azure)).status_code == 404


def test_the_vault_itself_wants_a_token_and_a_role(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/key-vault/general/common-error-codes; PyPI azure-keyvault-secrets."""
    vault = azure.make_vault()
    azure.ok(azure.call("PUT", f"{PATH}/secrets/jwt", secret("one")))
    url = f"{URL}/secrets/jwt/?api-version=7.4"

    bare = azure.http("GET", url)
    token = f"Bearer {azure.token('https://vault.azure.net')}"
    forbidden = azure.http("GET", url, Authorization=token)
    azure.ok(azure.assign(vault["id"], SECRETS_OFFICER, azure.attached.object_id))
    read = azure.http("GET", url, Authorization=token)
    written = azure.http("PUT", f"{URL}/secrets/jwt?api-version=7.5", b'{"value": "two"}', Authorization=token)
    listed = azure.http("GET", f"{URL}/secrets?api-version=7.4", Authorization=token)

    assert bare.status == 401
    assert bare.headers["WWW-Authenticate"].endswith('resource="https://vault.azure.net"')
    assert (forbidden.status, forbidden.json()["error"]["innererror"]["code"]) == (403, "ForbiddenByRbac")
    assert read.json()["value"] == "one"
    assert written.json()["value"] == "two"
    assert azure.get(f"{PATH}/secrets/jwt")["properties"]["secretUriWithVersion"] == written.json()["id"]
    assert "value" not in listed.json()["value"][0]
    assert azure.http("GET", f"{URL}/secrets/none?api-version=7.4", Authorization=token).status == 404


def test_a_token_for_another_audience_is_refused_by_the_vault(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/key-vault/general/common-error-codes."""
    azure.make_vault()
    token = azure.token("https://management.azure.com")

    assert azure.http("GET", f"{URL}/secrets?api-version=7.4", Authorization=f"Bearer {token}").status == 401
