"""Addresses are checked against the cloud and the configuration before anything is sent to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_azure import GROUP, Answer, Request, scripted_azure

from draftgenie_azure.arm import hosts
from draftgenie_azure.config.clouds import CLOUDS
from draftgenie_azure.errors import AzureError

PUBLIC, CHINA = CLOUDS["AzureCloud"], CLOUDS["AzureChinaCloud"]
FOREIGN = (
    "https://evil.test/subscriptions/s",
    "//evil.test/subscriptions/s",
    "https://management.azure.com.evil.test/subscriptions/s",
    "https://management.azure.com@evil.test/subscriptions/s",
    "https://evil.test\\@management.azure.com/subscriptions/s",
    "https://management.azure.com\\@evil.test/subscriptions/s",
    "https://management.azure.com:444/subscriptions/s",
    "https://management.azure.com:x/subscriptions/s",
    "http://management.azure.com/subscriptions/s",
    "https:///evil.test",
    "https://[evil.test/subscriptions",
    "https://management.azure.com\n.evil.test/",
    "ftp://management.azure.com/",
    "management.azure.com",
    "/subscriptions/s\r\nHost: evil.test",
    "",
)


@pytest.mark.parametrize("address", FOREIGN, ids=repr)
def test_address_of_another_host_gets_no_token(address: str) -> None:
    """However different parsers read it."""
    with pytest.raises(AzureError, match="no token was sent"):
        hosts.path_of(address, PUBLIC)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/subscriptions/s?api-version=1", "/subscriptions/s?api-version=1"),
        ("https://management.azure.com/subscriptions/s?x=%2F", "/subscriptions/s?x=%2F"),
        ("https://MANAGEMENT.azure.com:443/subscriptions/s", "/subscriptions/s"),
    ],
)
def test_address_of_resource_manager_is_its_path(address: str, path: str) -> None:
    """With the default port as Azure sometimes writes it."""
    assert hosts.path_of(address, PUBLIC) == path


@given(st.text(max_size=60), st.sampled_from(("", "https://", "https://management.azure.com", "//", "/")))
def test_any_text_is_a_path_or_refused(text: str, start: str) -> None:
    """No text is read as another host."""
    try:
        path = hosts.path_of(start + text, PUBLIC)
    except AzureError:
        return
    assert path.startswith("/")
    assert not path.startswith("//")
    assert path.isprintable()


def test_hosts_of_vaults_and_registries_are_made_of_names() -> None:
    """And of the suffixes of the cloud."""
    assert hosts.vault_address("Draft-KV", CHINA) == "https://draft-kv.vault.azure.cn/"
    assert hosts.registry_host("DraftAcr", CHINA) == "draftacr.azurecr.cn"


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("draftacr.azurecr.io", True),
        ("DraftAcr.azurecr.io", True),
        ("draftacr-a1b2c3.azurecr.io", True),  # a registry with a domain name label
        ("evil.azurecr.io", False),
        ("draftacr.evil.azurecr.io", False),
        ("draftacr.azurecr.io.evil.test", False),
        ("draftacr-.azurecr.io", False),
        ("draftacrx.azurecr.io", False),
        ("draftacr.azurecr.io/x", False),
        ("draftacr.azurecr.io:444", False),
    ],
)
def test_registry_is_known_by_its_name(host: str, is_ours: bool) -> None:
    """The label is the registry's own; everything else is another registry, or none."""
    assert hosts.is_registry(host, "draftacr", PUBLIC) is is_ours


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        ("https://acrtask1.blob.core.windows.net/x?sig=1", True),
        ("https://acrtask1.blob.core.windows.net.evil.test/x", False),
        ("https://evil.test/.blob.core.windows.net", False),
        ("https://evil.test#.blob.core.windows.net", False),
        ("http://acrtask1.blob.core.windows.net/x", False),
        ("https://blob.core.windows.net/x", False),
    ],
)
def test_sources_go_to_storage_of_the_cloud(address: str, is_one: bool) -> None:
    """Wherever a reply says to put them."""
    assert hosts.is_storage(address, PUBLIC) is is_one


def test_log_streams_are_read_from_regions_of_the_cloud() -> None:
    """A custom cloud has none."""
    address = "https://eastus.azurecontainerapps.dev/subscriptions/s"
    assert hosts.is_log_stream(address, PUBLIC)
    assert not hosts.is_log_stream(address, CHINA)
    assert not hosts.is_log_stream(address.replace(".dev", ".dev.evil.test"), PUBLIC)


@pytest.mark.parametrize(
    ("host", "authority", "is_it"),
    [
        ("login.microsoftonline.com", PUBLIC.authority, True),
        ("eastus.login.microsoft.com", PUBLIC.authority, True),
        ("login.partner.microsoftonline.cn", CHINA.authority, True),
        ("login.microsoftonline.com", CHINA.authority, False),
        ("login.own.test", "https://login.own.test", True),
        ("x.login.own.test", "https://login.own.test", False),
        ("login.microsoftonline.com.evil.test", PUBLIC.authority, False),
    ],
)
def test_token_service_has_the_names_that_the_cloud_gives_it(host: str, authority: str, is_it: bool) -> None:
    """Its discovery document may name an alternative one."""
    assert hosts.is_token_service(host, authority) is is_it


def test_next_page_and_operations_on_another_host_are_not_requested(tmp_path: Path) -> None:
    """Over real HTTP, with a server that names another host."""

    def script(request: Request) -> Answer:
        return Answer(body={"value": [{"name": "one"}], "nextLink": "https://127.0.0.1:9/subscriptions"})

    with scripted_azure(tmp_path, script) as azure:
        for address in ("https://127.0.0.1:9/subscriptions/s", "https://evil.test/x", f"{azure.url}.evil.test/x"):
            with pytest.raises(AzureError, match="no token was sent"):
                azure.transport.arm("GET", address)
        with pytest.raises(AzureError, match="another host"):
            list(azure.arm.listing(f"{GROUP}/resources", api_version="1"))

        assert [request.path for request in azure.requests] == [f"{GROUP}/resources"]
