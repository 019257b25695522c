"""Custom domains: the DNS records are reported, the name is bound, gets its certificate, and is removed again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from by_hand import by_hand, resource
from certificate_files import certificate_body
from plain_project import APPS, PLAIN, check_types
from project import Azure, Project, Result

pytestmark = pytest.mark.slow
HOST = "app.example.com"
CERTIFICATES = "2026-01-01"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A deployed web app without a name of its own."""
    made = Project(tmp_path)
    made.write(PLAIN)
    made.deploy()
    return made


@pytest.fixture
def azure(project: Project) -> Iterator[Azure]:
    """The emulator, which keeps its DNS records while it runs."""
    with project.azure() as found:
        yield found


def app(project: Project, azure: Azure) -> dict[str, Any]:
    found: dict[str, Any] = azure.send("GET", resource(project, "container_app/web"), APPS).json()["properties"]
    return found


def bindings(project: Project, azure: Azure) -> list[dict[str, Any]]:
    found = app(project, azure)["configuration"]["ingress"]["customDomains"] or []
    return [{key: value for key, value in item.items() if value} for item in found]


def set_dns(project: Project, azure: Azure, host: str = HOST, **more: list[str]) -> None:
    """Set the records that the command asks for."""
    properties = app(project, azure)
    records = {
        host: {"CNAME": [properties["configuration"]["ingress"]["fqdn"]]},
        f"asuid.{host}": {"TXT": [properties["customDomainVerificationId"]]},
    }
    azure.control("POST", "/control/settings", {"dns": records | {name: {"TXT": v} for name, v in more.items()}})


def certificates(project: Project, azure: Azure) -> list[str]:
    environment = resource(project, "container_apps_env")
    listed = azure.send("GET", f"{environment}/managedCertificates", CERTIFICATES).json()["value"]
    return [item["properties"]["subjectName"] for item in listed]


def words(result: Result) -> str:
    return " ".join(result.text.split())


def test_missing_dns_records_are_reported_and_the_next_run_continues(project: Project, azure: Azure) -> None:
    project.change("services.web.custom_domains", [{"name": HOST}])
    verification = app(project, azure)["customDomainVerificationId"]
    host = app(project, azure)["configuration"]["ingress"]["fqdn"]

    waiting = project.run()

    assert waiting.code == 1
    assert f"CNAME {HOST} = {host}" in words(waiting)
    assert f"TXT asuid.{HOST} = {verification}" in words(waiting)
    assert bindings(project, azure) == []

    set_dns(project, azure)
    plan = project.run("--dry-run")
    project.deploy()

    assert f"customDomains[{HOST}]" in words(plan)
    check_types(project)
    (bound,) = bindings(project, azure)
    assert (bound["name"], bound["bindingType"]) == (HOST, "SniEnabled")
    assert "/managedCertificates/" in bound["certificateId"]
    puts = [write for write in project.writes() if "/containerapps/web" in write.lower() or "Certificates/" in write]
    assert [write.split()[0] for write in puts[-3:]] == ["PATCH", "PUT", "PATCH"], "name, certificate, both"
    since = len(project.requests())
    assert project.deploy().ran() == {}
    assert project.writes(since) == []


def test_name_that_leaves_the_configuration_is_unbound_and_its_certificate_deleted(
    project: Project, azure: Azure
) -> None:
    set_dns(project, azure)
    project.change("services.web.custom_domains", [{"name": HOST}])
    project.deploy()
    assert certificates(project, azure) == [HOST]
    project.change("services.web.custom_domains", None)

    plan = project.run("--dry-run")
    project.deploy()

    assert f"- managed_certificate/{HOST}: delete" in words(plan)
    assert bindings(project, azure) == []
    assert certificates(project, azure) == []
    assert not any(key.startswith("managed_certificate") for key in project.state()["resources"])
    assert project.deploy().ran() == {}


def test_certificate_that_cannot_be_deleted_stays_and_stops_nothing(project: Project, azure: Azure) -> None:
    set_dns(project, azure)
    project.change("services.web.custom_domains", [{"name": HOST}])
    project.deploy()
    lock = f"{resource(project, 'resource_group')}/providers/Microsoft.Authorization/locks/keep"
    azure.send("PUT", lock, "2016-09-01", {"properties": {"level": "CanNotDelete"}})
    project.change("services.web.custom_domains", None)

    result = project.run()

    assert result.code == 0, result.text
    assert f"the certificate of {HOST} could not be deleted and stays" in words(result)
    assert bindings(project, azure) == []
    assert certificates(project, azure) == [HOST]
    assert project.deploy().ran() == {}


def test_name_moves_to_a_service_listed_earlier_with_its_certificate(project: Project, azure: Azure) -> None:
    values = project.config()
    web = values["services"]["web"]
    values["services"] = {"first": dict(web), **values["services"]}
    project.write(values)
    project.deploy()
    set_dns(project, azure)
    project.change("services.web.custom_domains", [{"name": HOST}])
    project.deploy()
    project.change("services.web.custom_domains", None)
    project.change("services.first.custom_domains", [{"name": HOST}])
    since = len(project.requests())

    plan = project.run("--dry-run")
    project.deploy()

    assert "managed_certificate" not in plan.text.replace("managedCertificates", "")
    assert bindings(project, azure) == []
    assert not [write for write in project.writes(since) if write.startswith("DELETE")]
    assert certificates(project, azure) == [HOST]
    assert project.deploy().ran() == {}


def test_name_bound_by_others_is_kept(project: Project, azure: Azure) -> None:
    set_dns(project, azure)
    domains = [{"name": HOST, "bindingType": "Disabled"}]
    body = {"properties": {"configuration": {"ingress": {"customDomains": domains}}}}
    by_hand(azure, resource(project, "container_app/web"), APPS, body)
    project.change("services.web.max_replicas", 4)

    project.deploy()

    assert [item["name"] for item in bindings(project, azure)] == [HOST]
    set_dns(project, azure, "two.example.com")
    project.change("services.web.custom_domains", [{"name": "two.example.com"}])
    project.deploy()
    assert {item["name"] for item in bindings(project, azure)} == {HOST, "two.example.com"}


def test_certificate_by_name_is_bound_and_stays_when_the_name_goes(project: Project, azure: Azure) -> None:
    set_dns(project, azure)
    project.change("services.web.custom_domains", [{"name": HOST, "certificate": "ours"}])
    missing = project.run()
    assert missing.code == 1
    assert "there is no certificate ours in the environment demo-env" in words(missing)

    uploaded = f"{resource(project, 'container_apps_env')}/certificates/ours"
    azure.send("PUT", uploaded, CERTIFICATES, certificate_body())
    project.deploy()
    (bound,) = bindings(project, azure)
    assert bound["certificateId"].lower() == uploaded.lower()

    project.change("services.web.custom_domains", None)
    project.deploy()
    assert azure.exists(uploaded, CERTIFICATES)


def test_name_whose_certificate_is_missing_is_planned_and_bound_without_one(project: Project, azure: Azure) -> None:
    set_dns(project, azure)
    project.change("services.web.custom_domains", [{"name": HOST, "certificate": "missing"}])

    plan = project.run("--dry-run", "--output", "json")
    run = project.run()

    (entry,) = next(event for event in plan.events() if event["event"] == "plan")["plan"]["changes"]
    assert "there is no certificate missing in the environment" in entry["note"]
    assert [(one["path"].rpartition(".")[2], one["new"]) for one in entry["changes"]] == [("bindingType", "Disabled")]
    assert run.code == 1
    assert "there is no certificate missing in the environment" in words(run)
    assert bindings(project, azure) == [{"name": HOST, "bindingType": "Disabled"}]


def test_token_for_a_proof_by_txt_is_reported(project: Project, azure: Azure) -> None:
    set_dns(project, azure)
    project.change("services.web.custom_domains", [{"name": HOST, "validation": "TXT"}])

    waiting = project.run()

    assert waiting.code == 1
    token = words(waiting).split(f"TXT _dnsauth.{HOST} = ")[1].split()[0].rstrip(".,;")
    set_dns(project, azure, **{f"_dnsauth.{HOST}": [token]})
    project.deploy()
    assert bindings(project, azure)[0]["bindingType"] == "SniEnabled"


def test_certificate_that_is_not_issued_is_reported_and_requested_again(project: Project, azure: Azure) -> None:
    set_dns(project, azure)
    project.change("services.web.custom_domains", [{"name": HOST}])
    fault = {"method": "PUT", "path": "*/managedCertificates/*", "fail": "FailedToIssueCertificate"}

    failed = project.run(*project.faults(fault))

    assert failed.code == 1
    assert f"CNAME {HOST}" in words(failed)
    assert bindings(project, azure) == [{"name": HOST, "bindingType": "Disabled"}]
    project.deploy()
    assert bindings(project, azure)[0]["bindingType"] == "SniEnabled"
