"""A sign-in or connection that fails says why, in words that help, and does not wait for what cannot pass."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from failing_network import LOGIN, proxy, refusing, signing_in, use_cloud
from project import Project


def failure(project: Project, *arguments: str) -> str:
    """Return the output of a run that must fail, long before the budget of ten minutes is used up."""
    result = project.run("--output", "plain", *arguments)
    assert result.code == 1
    assert "Traceback" not in result.err
    return result.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "cause", "advice"),
    [
        ("407 Proxy Authentication Required", "the proxy requires a user and a password (407)", "USER:PASSWORD@"),
        ("403 Forbidden", "the proxy refuses to connect to it (403 Forbidden)", "NO_PROXY"),
    ],
)
@pytest.mark.parametrize("by", ["configuration", "environment"])
def test_proxy_that_refuses_is_named_at_once(project: Project, status: str, cause: str, advice: str, by: str) -> None:
    with proxy(refusing(status)) as url:
        use_cloud(project, **({"proxy": url} if by == "configuration" else {}))
        if by == "environment":
            project.environment["HTTPS_PROXY"] = url
        shown = failure(project)

    assert f"failed: no token for Azure: {LOGIN}: {cause}" in shown
    assert advice in shown.split("next: ")[1]


@pytest.mark.slow
def test_certificate_that_no_one_trusts_is_named_at_once(project: Project) -> None:
    handler = signing_in(trustme.CA().issue_cert(LOGIN), 200, {})
    with proxy(handler) as url:
        use_cloud(project, proxy=url)
        shown = failure(project)

    assert f"{LOGIN}: this machine does not trust the issuer of its certificate" in shown
    assert "REQUESTS_CA_BUNDLE" in shown.split("next: ")[1]


@pytest.mark.slow
def test_certificate_of_another_time_is_a_matter_of_the_clock(project: Project, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    handler = signing_in(authority.issue_cert(LOGIN, not_after=datetime.now(UTC) - timedelta(days=1)), 200, {})
    with proxy(handler) as url:
        use_cloud(project, proxy=url, ca_file=str(tmp_path / "ca.pem"))
        shown = failure(project)

    assert f"{LOGIN}: its certificate is not valid at this machine's time" in shown
    assert "clock" in shown.split("next: ")[1]


@pytest.mark.parametrize(
    ("words", "cause", "advice"),
    [
        ("AADSTS7000222: The provided client secret keys are expired.", "the client secret has expired", "reset"),
        ("AADSTS7000215: Invalid client secret provided.", "the client secret is wrong", "not its id"),
        ("AADSTS700016: Application with identifier 'x' was not found in the directory", "tenant", "azure.tenant_id"),
        ("AADSTS90002: Tenant '00000000' not found.", "the tenant does not know", "azure.tenant_id"),
        ("AADSTS700024: Client assertion is not within its valid time range.", "clock", "clock"),
        ("AADSTS700213: No matching federated identity record found", "no federated credential", "subject"),
        ("AADSTS53003: Access has been blocked by Conditional Access policies.", "a policy of the tenant", "az login"),
    ],
)
def test_refused_sign_in_is_reported_in_entras_words_with_advice(
    project: Project, tmp_path: Path, words: str, cause: str, advice: str
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    body = {"error": "invalid_client", "error_description": f"{words} Trace ID: 1 Correlation ID: 2"}
    with proxy(signing_in(authority.issue_cert(LOGIN), 401, body)) as url:
        use_cloud(project, proxy=url, ca_file=str(tmp_path / "ca.pem"))
        shown = failure(project)

    line = next(line for line in shown.splitlines() if line.startswith("failed: no token for Azure: "))
    assert cause in line
    assert words in line
    assert "Trace ID" not in line
    assert advice in shown.split("next: ")[1]


@pytest.mark.slow
def test_proxy_that_is_not_there_is_named(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    use_cloud(project, proxy=f"http://127.0.0.1:{port}")
    project.change("advanced.operation_timeout", 2)

    shown = failure(project)

    assert "127.0.0.1: the proxy cannot be reached" in shown
    assert "HTTPS_PROXY" in shown.split("next: ")[1]


@pytest.mark.slow
def test_name_that_is_unknown_is_named(project: Project) -> None:
    use_cloud(project)
    project.change("advanced.operation_timeout", 2)

    shown = failure(project)

    assert f"{LOGIN}: its name cannot be resolved (DNS)" in shown


# ------------------------------------------------------------------------------------------------ retries


@pytest.mark.slow
def test_retries_are_shown_with_their_cause(project: Project) -> None:
    fault = {"method": "PUT", "path": "*/workspaces/*", "status": 503, "code": "ServerBusyNow", "times": 2}

    result = project.run(*project.faults({**fault, "message": "Too much to do."}))

    assert result.code == 0, result.text
    waits = [line for line in result.err.splitlines() if " waits " in line and "create_monitoring" in line]
    assert any("503 ServerBusyNow: Too much to do.; try 2 " in line for line in waits)


@pytest.mark.slow
def test_throttling_is_waited_for_within_the_budget_and_reported(project: Project) -> None:
    fault = {"method": "PUT", "path": "*/workspaces/*", "status": 429, "code": "TooManyRequests", "retry_after": 2}

    result = project.run(*project.faults(fault))

    assert result.code == 0, result.text
    assert "throttled by Azure: PUT " in result.err
    assert "; try 2 in 2 s" in result.err


def test_time_to_come_back_is_reported_where_azure_asks_for_more_than_the_budget(project: Project) -> None:
    fault = {"method": "PUT", "path": "*/workspaces/*", "status": 429, "code": "TooManyRequests", "retry_after": 900}
    before = datetime.now(UTC)

    shown = failure(project, *project.faults(fault))

    assert "Azure asks to wait for 15 minutes" in shown
    times = {(before + timedelta(seconds=900 + late)).strftime("%H:%M on %Y-%m-%d (UTC)") for late in range(0, 121, 30)}
    assert any(f"next: Run again after {one}" in shown for one in times)
