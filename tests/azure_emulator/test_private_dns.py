"""Record sets of private DNS zones, as Terraform's azurerm and the Azure CLI ask for them."""

from __future__ import annotations

from emulator_client import AzureClient

ZONE = "Microsoft.Network/privateDnsZones/genie.postgres.database.azure.com"


def make_zone(azure: AzureClient) -> None:
    azure.put(ZONE, {"location": "global", "tags": {}})


def test_zone_is_born_with_its_soa_which_goes_only_with_it(azure: AzureClient) -> None:
    """Terraform's azurerm reads it with every read of the zone, and fails where it is not there."""
    make_zone(azure)

    soa = azure.get(f"{ZONE}/SOA/@")

    assert soa["properties"]["fqdn"] == "genie.postgres.database.azure.com."
    assert soa["properties"]["ttl"] == 3600
    assert soa["properties"]["soaRecord"]["email"] == "azureprivatedns-host.microsoft.com"
    assert soa["properties"]["soaRecord"]["serialNumber"] == 1
    assert azure.call("DELETE", f"{ZONE}/SOA/@").status_code == 400
    azure.ok(azure.call("DELETE", ZONE))
    assert azure.call("GET", f"{ZONE}/SOA/@").status_code == 404


def test_soa_that_is_written_keeps_what_the_service_minted(azure: AzureClient) -> None:
    make_zone(azure)
    sent = {"ttl": 300, "metadata": {"a": "b"}, "soaRecord": {"email": "me.example.com", "minimumTtl": 20}}

    azure.ok(azure.call("PUT", f"{ZONE}/SOA/@", {"properties": sent}))
    azure.put(ZONE, {"location": "global", "tags": {"x": "y"}})

    properties = azure.get(f"{ZONE}/SOA/@")["properties"]
    assert properties["ttl"] == 300
    assert properties["soaRecord"]["email"] == "me.example.com"
    assert properties["soaRecord"]["host"] == "azureprivatedns.net"


def test_record_sets_are_made_read_changed_listed_and_deleted(azure: AzureClient) -> None:
    make_zone(azure)
    body = {"properties": {"TTL": 300, "aRecords": [{"ipv4Address": "10.0.0.4"}]}}

    assert azure.call("PUT", f"{ZONE}/A/www", body).status_code == 201
    assert azure.call("PUT", f"{ZONE}/A/www", body).status_code == 200
    azure.ok(azure.call("PATCH", f"{ZONE}/A/www", {"properties": {"ttl": 60}}))

    found = azure.get(f"{ZONE}/A/www")
    assert found["properties"]["fqdn"] == "www.genie.postgres.database.azure.com."
    assert found["properties"]["aRecords"] == [{"ipv4Address": "10.0.0.4"}]
    assert found["properties"]["ttl"] == 60
    assert [item["name"] for item in azure.get(f"{ZONE}/A")["value"]] == ["www"]
    assert sorted(item["type"].rpartition("/")[2] for item in azure.get(f"{ZONE}/ALL")["value"]) == ["A", "SOA"]
    assert azure.get(ZONE)["properties"]["numberOfRecordSets"] == 2
    assert azure.call("DELETE", f"{ZONE}/A/www").status_code == 200
    assert azure.call("DELETE", f"{ZONE}/A/www").status_code == 204
    assert azure.call("GET", f"{ZONE}/A/www").status_code == 404


def test_record_set_of_no_zone_is_refused(azure: AzureClient) -> None:
    assert azure.call("PUT", f"{ZONE}/A/www", {"properties": {"aRecords": []}}).status_code == 404
