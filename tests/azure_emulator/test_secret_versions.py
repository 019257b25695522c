"""A vault at its own address: every version of a secret has its own attributes, and lists come in pages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from emulator_client import SECRETS_OFFICER, Answer, AzureClient, Json

ADDRESS = "https://vault-1.vault.azure.net"


class Vault:
    def __init__(self, azure: AzureClient) -> None:
        made = azure.make_vault()
        azure.assign(made["id"], SECRETS_OFFICER, azure.attached.object_id)
        self.azure, self.token = azure, azure.token("https://vault.azure.net")

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        url = path if path.startswith("https:") else f"{ADDRESS}{path}{'&' if '?' in path else '?'}api-version=7.4"
        data = None if body is None else json.dumps(body).encode()
        return self.azure.http(
            method, url, data, Authorization=f"Bearer {self.token}", Content_Type="application/json"
        )

    def put(self, name: str, value: str, **more: Any) -> str:
        """The version that is made."""
        answer = self.call("PUT", f"/secrets/{name}", {"value": value, **more})
        assert answer.status == 200, answer.text
        return str(answer.json()["id"]).rsplit("/", 1)[1]

    def listed(self, path: str) -> list[list[Json]]:
        """The pages of a list."""
        pages, following = [], path
        while following:
            answer = self.call("GET", following)
            assert answer.status == 200, answer.text
            pages.append(answer.json()["value"])
            following = answer.json()["nextLink"]
        return pages


@pytest.fixture
def vault(azure: AzureClient) -> Vault:
    return Vault(azure)


def test_every_version_has_its_own_attributes_tags_and_content_type(vault: Vault) -> None:
    first = vault.put("one", "1", tags={"a": "b"}, contentType="text/plain", attributes={"exp": 1999999999})
    second = vault.put("one", "2", tags={"c": "d"})

    of_first, of_second = (vault.call("GET", f"/secrets/one/{version}").json() for version in (first, second))
    assert (of_first["value"], of_first["tags"], of_first["contentType"]) == ("1", {"a": "b"}, "text/plain")
    assert of_first["attributes"]["exp"] == 1999999999
    assert (of_second["value"], of_second["tags"]) == ("2", {"c": "d"})
    assert not {"contentType"} & set(of_second)
    assert "exp" not in of_second["attributes"]
    (page,) = vault.listed("/secrets/one/versions")
    assert [item["id"].rsplit("/", 1)[1] for item in page] == [first, second]
    assert [item["tags"] for item in page] == [{"a": "b"}, {"c": "d"}]


def test_an_earlier_version_is_disabled_alone(vault: Vault) -> None:
    first, second = vault.put("one", "1"), vault.put("one", "2")

    changed = vault.call("PATCH", f"/secrets/one/{first}", {"attributes": {"enabled": False}, "tags": {"old": "yes"}})

    assert (changed.status, changed.json()["attributes"]["enabled"]) == (200, False)
    assert changed.json()["tags"] == {"old": "yes"}
    assert changed.json()["id"] == f"{ADDRESS}/secrets/one/{first}"
    refused = vault.call("GET", f"/secrets/one/{first}")
    assert (refused.status, refused.json()["error"]["innererror"]) == (403, {"code": "SecretDisabled"})
    assert vault.call("GET", f"/secrets/one/{second}").json()["value"] == "2"
    assert vault.call("GET", "/secrets/one").json()["value"] == "2"
    assert "tags" not in vault.call("GET", "/secrets/one").json()


def test_the_current_version_is_changed_without_a_new_one_and_arm_shows_it(vault: Vault) -> None:
    vault.put("one", "1", tags={"a": "b"})

    changed = vault.call("PATCH", "/secrets/one", {"contentType": "text/plain", "attributes": {"nbf": 5}})

    assert changed.status == 200
    assert len(vault.listed("/secrets/one/versions")[0]) == 1
    shown = vault.azure.get("Microsoft.KeyVault/vaults/vault-1/secrets/one")
    assert (shown["tags"], shown["properties"]["contentType"]) == ({"a": "b"}, "text/plain")
    assert shown["properties"]["attributes"]["nbf"] == 5


def test_a_version_written_by_arm_keeps_what_was_said_of_it(vault: Vault) -> None:
    path = "Microsoft.KeyVault/vaults/vault-1/secrets/one"
    vault.azure.put(path, {"tags": {"digest": "x"}, "properties": {"value": "1"}})
    vault.azure.put(path, {"tags": {"digest": "y"}, "properties": {"value": "2"}})
    vault.azure.put(path, {"tags": {"digest": "z"}, "properties": {"value": "2"}})

    (page,) = vault.listed("/secrets/one/versions")
    assert [item["tags"] for item in page] == [{"digest": "x"}, {"digest": "z"}]


@pytest.mark.parametrize("sent", [{"attributes": "x"}, {"tags": ["x"]}, {"contentType": 5}])
def test_what_has_the_wrong_type_is_refused(vault: Vault, sent: Json) -> None:
    vault.put("one", "1")

    for method, body in (("PATCH", sent), ("PUT", {"value": "2", **sent})):
        answer = vault.call(method, "/secrets/one", body)
        assert (answer.status, answer.json()["error"]["code"]) == (400, "BadParameter")
    assert vault.call("GET", "/secrets/one").json()["value"] == "1"


def test_lists_have_at_most_25_entries_a_page(vault: Vault) -> None:
    """learn.microsoft.com/rest/api/keyvault/secrets/get-secrets."""
    names = [f"secret-{number:02}" for number in range(27)]
    for name in names:
        vault.put(name, "x")
    versions = [vault.put("secret-00", str(number)) for number in range(2)]

    pages = vault.listed("/secrets")
    assert [len(page) for page in pages] == [25, 2]
    assert [item["id"].rsplit("/", 1)[1] for page in pages for item in page] == names
    assert [len(page) for page in vault.listed("/secrets/secret-00/versions?maxresults=2")] == [2, 1]
    assert vault.listed("/secrets/secret-00/versions?maxresults=2")[1][0]["id"].endswith(versions[1])
    for name in names[:3]:
        vault.call("DELETE", f"/secrets/{name}")
    assert [len(page) for page in vault.listed("/deletedsecrets?maxresults=2")] == [2, 1]


@pytest.mark.parametrize("query", ["maxresults=0", "maxresults=26", "maxresults=x", "maxresults=-1", "$skiptoken=x"])
def test_a_page_that_is_none_is_refused(vault: Vault, query: str) -> None:
    answer = vault.call("GET", f"/secrets?{query}")

    assert (answer.status, answer.json()["error"]["code"]) == (400, "BadParameter")
