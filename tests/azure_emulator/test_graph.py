"""Microsoft Graph: a filter finds exactly the objects it names."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from emulator_client import AzureClient, Json

from azure_emulator.services.login.odata import BadFilter, parse

UNKNOWN = "11111111-2222-4333-8444-555555555555"


def _ask(azure: AzureClient, path: str, text: str = "") -> tuple[int, Json]:
    query = f"?$filter={quote(text)}" if text else ""
    token = azure.token("https://graph.microsoft.com")
    answer = azure.http("GET", f"https://graph.microsoft.com/v1.0/{path}{query}", Authorization=f"Bearer {token}")
    return answer.status, answer.json()


def _names(azure: AzureClient, text: str) -> list[str]:
    status, answer = _ask(azure, "servicePrincipals", text)
    assert status == 200, answer
    return sorted(item["displayName"] for item in answer["value"])


def test_a_principal_is_found_by_its_application_id_name_and_object_id(azure: AzureClient) -> None:
    azure.make_identity("other")
    identity = azure.make_identity("app-id")["properties"]

    for text in (
        f"servicePrincipalNames/any(c:c eq '{identity['clientId']}')",
        f"appId eq '{identity['clientId']}'",
        f"id eq '{identity['principalId']}'",
        "displayName eq 'APP-ID'",
        "startswith(displayName,'app')",
        f"appId in ('{identity['clientId']}','{UNKNOWN}') and servicePrincipalType eq 'ManagedIdentity'",
    ):
        assert _names(azure, text) == ["app-id"], text


def test_an_unknown_principal_is_not_found(azure: AzureClient) -> None:
    azure.make_identity()

    assert _names(azure, f"servicePrincipalNames/any(c:c eq '{UNKNOWN}')") == []
    assert _names(azure, "displayName eq 'nobody'") == []
    assert _ask(azure, f"servicePrincipals/{UNKNOWN}")[0] == 404
    assert _ask(azure, f"servicePrincipals(appId='{UNKNOWN}')")[0] == 404
    assert _ask(azure, "users", "userPrincipalName eq 'a@b.c'")[1]["value"] == []


@pytest.mark.parametrize("text", ["displayName", "color eq 'red'", "displayName lt 'x'", "displayName eq", "eq ''"])
def test_a_filter_that_is_not_understood_is_refused(azure: AzureClient, text: str) -> None:
    status, answer = _ask(azure, "servicePrincipals", text)

    assert (status, answer["error"]["code"]) == (400, "Request_BadRequest")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id eq 'a' or id eq 'b' and displayName eq 'x'", True),
        ("(id eq 'a' or id eq 'b') and displayName eq 'x'", False),
        ("not (id eq 'b')", True),
        ("displayName eq 'it''s'", True),
        ("displayName ne 'it''s'", False),
        ("mail eq null", True),
        ("accountEnabled eq true", True),
    ],
)
def test_words_bind_as_in_odata(text: str, expected: bool) -> None:
    assert parse(text)({"id": "a", "displayName": "it's", "accountEnabled": True}) is expected


@pytest.mark.parametrize("text", ["id eq 'a' 'b'", "(id eq 'a'", "id eq 'a", "names/any(n:m eq 'a')"])
def test_what_is_not_an_expression_is_an_error(text: str) -> None:
    with pytest.raises(BadFilter):
        parse(text)
