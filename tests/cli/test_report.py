"""The report of a run: written from recorded events, and looked at in a real browser."""

from __future__ import annotations

import io
import json
import re
import subprocess
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import npm_packages
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


def test_json_has_the_waits_of_each_step_and_the_critical_path(tmp_path: Path) -> None:
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


def run_of(number: int) -> dict[str, Any]:
    """An entry of the history."""
    steps = {name: {"verdict": "ran", "seconds": 1.0} for name in STEP_NAMES[: number % 14]}
    return {"run": number, "kind": "rollback" if number == 99 else "deploy", "of": 98 if number == 99 else None,
            "result": "succeeded", "started_at": "2026-11-02T09:00:00Z", "seconds": 61.5, "who": HOSTILE,
            "host": "desk", "ci": "https://github.com/o/r/actions/runs/1", "steps": steps}  # fmt: skip


def many(path: str, services: int = 200) -> None:
    """The report of a run with many services, and with other people's text in it."""
    reporter = Reporter([ReportFile(path)])
    reporter.order(STEP_NAMES)
    for name in STEP_NAMES:
        reporter.step(name, "run", HOSTILE, reasons=[HOSTILE], changes=["services.a.min_replicas 1 → 2"])
        reporter.step(name, "done", "1 s", seconds=1.0, written=[f"container_app/service_{n}" for n in range(services)])
    reporter.error(AzureError(HOSTILE, hint=HOSTILE, code="No", request_id="r-1"), log=None)
    group = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/draftgenie-rg"
    reporter.is_reported = True
    reporter.runs([run_of(number) for number in range(1, 101)])
    reporter.result([], {
        "event": "summary", "target": {"cloud": "AzureCloud"},
        "urls": {f"service_{n}": f"https://service-{n}.orangeplant.azurecontainerapps.io" for n in range(services)},
        "images": {f"service_{n}": f"draftgenieacr.azurecr.io/service-{n}@sha256:{n:064x}" for n in range(services)},
        "resources": {f"container_app/service_{n}": f"{group}/providers/Microsoft.App/containerApps/service-{n}"
                      for n in range(services)},
    })  # fmt: skip
    reporter.end(1)


@pytest.mark.parametrize("kind", ["html", "md", "json"])
def test_report_has_the_last_runs_of_the_state(tmp_path: Path, kind: str) -> None:
    """The last one first, no more than twenty; other people's names as text."""
    path = tmp_path / f"report.{kind}"
    many(str(path), services=2)
    text = path.read_text(encoding="utf-8")

    assert "rollback to run 98" in text or kind == "json"
    assert "2026-11-02T09:00:00Z" in text
    if kind == "json":
        document = json.loads(text)
        assert [run["run"] for run in document["history"]] == list(range(100, 80, -1))
        assert document["history"][0]["ran"] == list(STEP_NAMES[:2])
    else:
        assert "<script>alert" not in text.replace("\\", "")


def test_two_hundred_services_are_under_300_kb_and_load_nothing(tmp_path: Path) -> None:
    many(str(tmp_path / "report.html"))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")

    assert len(text.encode()) < 300_000
    assert text.count("portal.azure.com") >= 200
    assert not re.search(r"<(?:link|img|iframe)\b|<[a-z][^>]*\ssrc=|@import|url\(", text)
    assert text.count("<script>") == 1
    assert "\x1b" not in text
    assert "‮" not in text


# ------------------------------------------------------------------------------------------------- in a real browser

BROWSER = ROOT / "tests/harness/browser"


def looked_at(path: Path, act: str, *arguments: str) -> dict[str, Any]:
    """Return the result of an action of tests/harness/browser/look.mjs on a page, without requests or errors."""
    node, chromium = program("node"), program("chromium", "chromium-browser")
    program("npm")
    modules = npm_packages.install(BROWSER / "package.json")
    command = [node, BROWSER / "look.mjs", modules, chromium, path, act, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert result.pop("faults") == []
    return result


@pytest.fixture(params=["many", "first", "change", "failure", "interrupt"])
def page(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A page: of many services, of a recorded run."""
    path = tmp_path / "report.html"
    if request.param == "many":
        many(str(path))
    else:
        report(tmp_path, request.param, "html")
    return path


@pytest.mark.slow
def test_page_breaks_no_rule_of_axe_in_light_and_dark(page: Path) -> None:
    """All of axe-core's rules, contrast and landmarks included."""
    found = looked_at(page, "axe")

    assert {scheme: result["violations"] for scheme, result in found.items()} == {"light": [], "dark": []}
    assert all(result["passes"] > 20 for result in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("columns", [320, 360, 768, 1280])
def test_page_is_no_wider_than_its_window(tmp_path: Path, columns: int) -> None:
    """Wide content has its own scroll bar."""
    path = tmp_path / "report.html"
    many(str(path))

    assert looked_at(path, "width", str(columns)) == {"window": columns, "page": columns}


@pytest.mark.slow
def test_page_follows_the_dark_preference_and_is_light_on_paper(tmp_path: Path) -> None:
    """On paper nothing can be typed, and nothing is hidden behind a scroll bar."""
    path = tmp_path / "report.html"
    many(str(path))

    found = looked_at(path, "colours")

    assert sum(brightness(found["light"]["back"])) > 3 * 200 > 3 * 50 > sum(brightness(found["dark"]["back"]))
    assert sum(brightness(found["dark"]["text"])) > 3 * 200
    assert found["print"] | {"fields": 4, "cut": 6} == found["light"] | {"fields": 4, "cut": 6}
    assert (found["print"]["fields"], found["print"]["cut"]) == (0, 0)
    assert found["light"]["cut"] > 3


def brightness(colour: str) -> list[int]:
    """Red, green and blue of a colour as browsers give it."""
    return [int(part) for part in re.findall(r"\d+", colour)][:3]


@pytest.mark.slow
def test_page_can_be_used_with_the_keyboard_alone(tmp_path: Path) -> None:
    """Tab goes through links, fields, tables and heads in the order of the page; Enter sorts, letters filter."""
    path = tmp_path / "report.html"
    many(str(path))

    found = looked_at(path, "keyboard", "table[data-filter=filter-services]")

    contents = ["Failure", "Timeline", "Steps", "Services", "What needs what", "History", "Resources"]
    assert found["order"] == [*(f"a {name}" for name in contents), "div Timeline", "input Filter steps", "div Steps",
                              "button Step", "button Result"]  # fmt: skip
    assert found["rings"] == ["solid"]
    assert (found["up"], found["down"], found["sorted"]) == ("service_0", "service_199", "descending")
    assert (found["filtered"], found["told"], found["all"]) == (11, "11 of 200 shown", 200)


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
