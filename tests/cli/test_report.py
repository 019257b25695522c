"""The report of a run: written from recorded events, and looked at in a real browser."""

from __future__ import annotations

import io
import json
import re
import subprocess
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pytest
from programs import program
from project import ROOT, Project

from draftgenie_azure.cli.events import Reporter, replay
from draftgenie_azure.cli.report import ReportFile
from draftgenie_azure.errors import AzureError
from draftgenie_azure.steps import STEP_NAMES

EVENTS = ROOT / "tests/data/events"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[2J‮ & \" '"


def report(directory: Path, name: str, kind: str) -> str:
    """The report of a recorded run."""
    path = directory / f"report.{kind}"
    replay((EVENTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines(), [ReportFile(str(path))])
    return path.read_text(encoding="utf-8")


def test_json_says_what_each_step_waited_for_and_what_the_end_depended_on(tmp_path: Path) -> None:
    document = json.loads(report(tmp_path, "first", "json"))

    steps = {step["step"]: step for step in document["steps"]}
    assert document["result"] == "succeeded"
    assert document["critical_path"][0] == "check_prerequisites"
    assert document["critical_path"][-1] == "verify_deployment"
    assert "create_databases" in document["critical_path"]
    assert "create_monitoring" not in document["critical_path"]
    assert steps["create_databases"]["waited_for"] == "create_key_vault"
    assert steps["create_databases"]["ended"] - steps["create_databases"]["began"] > 400
    assert {one["service"] for one in document["services"]} >= {"api_gateway", "rag_service"}


@pytest.mark.parametrize("kind", ["html", "md", "json"])
def test_change_is_reported_leaf_by_leaf(tmp_path: Path, kind: str) -> None:
    text = report(tmp_path, "change", kind).replace("\\u2192", "→").replace("\\", "")

    assert "postgresql.sku Standard_B1ms → Standard_D2ds_v5" in text.replace("\\", "")
    assert "LOG_LEVEL INFO → debug" in text


@pytest.mark.parametrize("kind", ["html", "md", "json"])
def test_failure_is_in_the_report(tmp_path: Path, kind: str) -> None:
    assert "ServerProvisioningFailed" in report(tmp_path, "failure", kind)


def many(path: str, services: int = 200) -> None:
    """The report of a run with many services, and with other people's text in it."""
    reporter = Reporter([ReportFile(path)])
    reporter.order(STEP_NAMES)
    for name in STEP_NAMES:
        reporter.step(name, "run", HOSTILE, reasons=[HOSTILE], changes=["services.a.min_replicas 1 → 2"])
        reporter.step(name, "done", "1 s", seconds=1.0, written=[f"container_app/service_{n}" for n in range(services)])
    reporter.error(AzureError(HOSTILE, hint=HOSTILE, code="No", request_id="r-1"), log=None)
    group = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/draftgenie-rg"
    reporter.result([], {
        "event": "summary", "target": {"cloud": "AzureCloud"},
        "urls": {f"service_{n}": f"https://service-{n}.orangeplant.azurecontainerapps.io" for n in range(services)},
        "images": {f"service_{n}": f"draftgenieacr.azurecr.io/service-{n}@sha256:{n:064x}" for n in range(services)},
        "resources": {f"container_app/service_{n}": f"{group}/providers/Microsoft.App/containerApps/service-{n}"
                      for n in range(services)},
    })  # fmt: skip
    reporter.end(1)


def test_two_hundred_services_are_under_300_kb_and_load_nothing(tmp_path: Path) -> None:
    many(str(tmp_path / "report.html"))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")

    assert len(text.encode()) < 300_000
    assert text.count("portal.azure.com") >= 200
    assert not re.search(r"<(?:link|img|iframe)\b|<[a-z][^>]*\ssrc=|@import|url\(", text)
    assert text.count("<script>") == 1
    assert "\x1b" not in text
    assert "‮" not in text


# Run in the page: what a person does with it, and what came of it.
ACTS = """
<script>
window.faults = [];
addEventListener("error", event => faults.push(String(event.message)));
addEventListener("securitypolicyviolation", event => faults.push(event.violatedDirective));
addEventListener("load", () => {
  const table = document.querySelector("table.sortable"), head = table.tHead.querySelector("button");
  const names = () => [...table.tBodies[0].rows].filter(row => !row.hidden).map(row => row.cells[0].textContent);
  const before = names();
  head.click(); const up = names();
  head.click(); const down = names();
  const field = document.getElementById(table.dataset.filter);
  field.value = "service_17"; field.dispatchEvent(new Event("input"));
  const nameless = [...document.querySelectorAll("a,button,input,svg,[role=region]")].filter(node =>
    !(node.textContent.trim() || node.getAttribute("aria-label") || (node.labels && node.labels[0])));
  const result = {before: before.length, up: up[2], down: down[0], sorted: table.querySelector("th").ariaSort,
    filtered: names(), hidden: field.parentElement.hidden, nameless: nameless.length,
    wide: document.documentElement.scrollWidth > innerWidth, faults};
  document.title = "result"; const out = document.createElement("pre"); out.id = "result";
  out.textContent = JSON.stringify(result); document.body.append(out);
});
</script>
"""


def browsed(path: Path, *options: str) -> dict[str, Any]:
    """What came of the acts, in a headless Chromium."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("</head>", f"{ACTS}</head>"), encoding="utf-8")
    done = subprocess.run(
        [program("chromium", "chromium-browser"), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         f"--user-data-dir={path.parent / 'browser'}", "--virtual-time-budget=2000", *options, path.as_uri()],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    (found,) = re.findall(r'<pre id="result">(.*?)</pre>', done.stdout)
    result: dict[str, Any] = json.loads(found.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
    return result


@pytest.mark.slow
@pytest.mark.parametrize("size", ["--window-size=500,900", "--window-size=1400,900"], ids=["phone", "desk"])
def test_page_sorts_and_filters_in_a_browser_without_a_fault(tmp_path: Path, size: str) -> None:
    """Chromium: every control has a name, nothing is wider than the window, the policy of the page is kept."""
    path = tmp_path / "report.html"
    many(str(path))

    result = browsed(path, size)

    assert result == {
        "before": 200, "up": "service_2", "down": "service_199", "sorted": "descending",
        "filtered": [f"service_{n}" for n in range(179, 169, -1)] + ["service_17"],
        "hidden": False, "nameless": 0, "wide": False, "faults": [],
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------ the command itself


def test_command_writes_the_report_of_a_run_and_the_next_run_has_nothing_to_do(deployed: Project) -> None:
    """A report beside the configuration is in no build context, even if a Dockerfile copies everything."""
    first = deployed.run("--report", "report.html", "--force-step", "create_monitoring")
    text = (deployed.directory / "report.html").read_text(encoding="utf-8")
    again = deployed.run("--report", "report.html", "--output", "json")

    assert first.code == again.code == 0, first.text
    assert "create_monitoring" in text
    assert again.ran() == {}


def test_plan_is_a_comment_of_bounded_length(deployed: Project) -> None:
    """The comment in the pull request: the change and its reason, without steps that have nothing to do."""
    deployed.change("postgresql.sku", "Standard_D2ds_v5")

    done = deployed.run("--dry-run", "--report", "plan.md")
    text = (deployed.directory / "plan.md").read_text(encoding="utf-8")

    assert done.code == 0, done.text
    assert "what a deployment would do" in text
    assert "Dry run: 1 to run, 0 may run, 13 up to date." in text
    assert "Standard_B1ms → Standard_D2ds_v5" in text.replace("\\", "")
    assert "create_monitoring" not in text.replace("\\", "")


def test_long_plan_is_cut_in_the_middle_and_closes_its_fence(tmp_path: Path) -> None:
    path = tmp_path / "plan.md"
    reporter = Reporter([ReportFile(str(path))])
    reporter.order(STEP_NAMES)
    lines = ["first", *(f"``` line {n} {'x' * 300}" for n in range(2000)), "Dry run: 2 to run."]
    reporter.result(lines, {"event": "plan"})
    reporter.end(0)
    text = path.read_text(encoding="utf-8")

    assert len(text) < 65_536
    assert text.count("\n````\n") == 2
    assert "more lines" in text
    assert "Dry run: 2 to run." in text


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("report.pdf", "expected a file name that ends in .html, .md or .json"),
        ("missing/report.html", "there is no directory 'missing'"),
        (".azure-deployment-state-v1.json", "is not a report of this command; it was left unchanged"),
    ],
)
def test_report_is_never_written_over_something_else(deployed: Project, path: str, words: str) -> None:
    before = deployed.state_file.read_bytes()

    result = deployed.run("--report", path)

    assert result.code == 1
    assert words in result.err
    assert deployed.state_file.read_bytes() == before


@pytest.mark.slow
def test_report_in_the_build_context_is_not_shipped(deployed: Project) -> None:
    path = "examples/draftgenie/services/api-gateway/report.json"
    assert deployed.run("--report", path, "--force-step", "create_monitoring").code == 0

    again = deployed.deploy("--report", path)
    without = deployed.deploy()

    assert (deployed.directory / path).exists()
    assert again.ran() == without.ran() == {}


def test_report_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    err = io.StringIO()
    with redirect_stderr(err):
        replay((EVENTS / "noop.jsonl").read_text("utf-8").splitlines(), [ReportFile(str(tmp_path / "gone" / "r.html"))])

    assert "cannot be written: No such file or directory" in err.getvalue()
