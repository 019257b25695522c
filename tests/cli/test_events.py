"""The one stream of events: described by a schema, and enough to draw every view again."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from ci_parsers import azure_commands, github_commands
from project import ROOT, Project, Result

from draftgenie_azure.cli import step_summary
from draftgenie_azure.cli.ci_views import MOST_ISSUES, AzurePipelines, GitHub
from draftgenie_azure.cli.events import Reporter, replay
from draftgenie_azure.cli.step_summary import StepSummary
from draftgenie_azure.cli.views import JsonLines, Lines
from draftgenie_azure.errors import AzureError, BuildError, ConfigError, Fault, UsageError
from draftgenie_azure.steps import STEP_NAMES

if TYPE_CHECKING:
    from draftgenie_azure.cli.events import View

SCHEMA = json.loads((ROOT / "docs" / "events.schema.json").read_text(encoding="utf-8"))
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def checked(result: Result) -> list[dict[str, Any]]:
    """The events of a run with --output json, each as the schema has it."""
    events = result.events()
    for event in events:
        jsonschema.validate(event, SCHEMA)
    assert {event["type"] for event in events} <= set(SCHEMA["$defs"])
    assert [event["type"] for event in events].count("end") == 1
    assert events[-1]["type"] == "end"
    assert events[-1]["exit_code"] == result.code
    assert len({event["run"] for event in events}) == 1
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    return events


@pytest.mark.slow
@pytest.mark.timeout(400)  # ten runs of the command
def test_events_of_a_deployment_are_those_of_the_schema(project: Project) -> None:
    """First deployment, no-op, dry run, failure, configuration fault, status, reset: one schema, one end each."""
    first = checked(project.run("--output", "json"))
    nothing = checked(project.run("--output", "json"))
    planned = checked(project.run("--output", "json", "--dry-run", "--force-step", "create_monitoring"))
    pending = project.run("--output", "json", "--dry-run", "--detailed-exitcode", "--force-step", "create_monitoring")
    fault = {"method": "GET", "path": "*/replicas", "status": 403, "code": "No"}
    failed = checked(project.run("--output", "json", *project.faults(fault), "--force-step", "verify_deployment"))
    name = project.overlay("prod.yaml", {"redis": {"sku": "Tiny"}})
    faulty = checked(project.run("--output", "json", "--config", "config.yaml", "--config", name))
    usage = checked(project.run("--output", "json", "--force-step", "none"))
    status = checked(project.run("--output", "json", "--status"))
    reset = checked(project.run("--output", "json", "--reset-state"))

    assert (first[-1]["result"], first[-1]["counts"]) == ("succeeded", {"ran": 14})
    assert first[-1]["urls"]
    assert all("@sha256:" in image for image in first[-1]["images"].values())
    assert nothing[-1]["counts"] == {"skipped": 14}
    assert (planned[-1]["event"], planned[-1]["counts"]["run"]) == ("plan", 1)
    assert checked(pending)[-1]["result"] == "changes_pending"
    assert (failed[-1]["result"], failed[-1]["counts"]["failed"]) == ("failed", 1)
    error = next(event for event in failed if event["type"] == "error")
    assert error["code"] == "No"
    assert error["request_id"]
    assert [event["type"] for event in faulty] == ["fault", "error", "end"]
    assert [event["type"] for event in usage] == ["fault", "error", "end"]
    assert [event["type"] for event in status] == ["end"]
    assert reset[-1]["event"] == "reset"


@pytest.mark.slow
def test_interrupt_is_the_end_of_the_stream(project: Project) -> None:
    import signal

    from project import hold_at_server

    project.change("azure.emulator", {"scale": 0.02})
    with project.start("--output", "json") as process:
        hold_at_server(project, process)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    events = checked(Result(process.returncode, out, err))

    assert (events[-1]["result"], events[-1]["exit_code"]) == ("interrupted", 130)


# ---------------------------------------------------------------------------------------------- views, drawn again


def drawn(events: str, view: View) -> tuple[str, str]:
    """Return a view's output for recorded events: standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        replay(events.splitlines(), [view])
    return out.getvalue(), err.getvalue()


@pytest.mark.slow
def test_recorded_events_draw_the_lines_that_the_run_itself_prints(deployed: Project) -> None:
    """A no-op, a dry run, a configuration fault: the same command, once recorded and drawn, once as lines."""
    name = deployed.overlay("prod.yaml", {"redis": {"sku": "Tiny"}, "service": {}})
    for arguments in (("--dry-run", "--force-step", "store_secrets"), ("--config", "config.yaml", "--config", name),
                      ("--status",), ("--parallelism", "none")):  # fmt: skip
        recorded = deployed.run("--output", "json", *arguments)
        plain = deployed.run("--output", "plain", *arguments)

        assert drawn(recorded.out, Lines()) == (plain.out, plain.err)


def recorded(tell: Callable[[Reporter], None], code: int) -> str:
    """Return the events of a reporter, as --output json writes them."""
    out = io.StringIO()
    with redirect_stdout(out):
        reporter = Reporter([JsonLines()])
        reporter.order(STEP_NAMES)
        tell(reporter)
        reporter.end(code)
    return out.getvalue()


HOSTILE = "##vso[task.complete result=Failed;] ::error::x\r::add-mask::y\n::set-output name=a::b\x1b[2J\n##[command]z"


def failing(reporter: Reporter) -> None:
    """A run in which much goes wrong, with other people's text in it."""
    reporter.message("a note", level="note")
    reporter.message(f"left open: {HOSTILE}", level="warning")
    reporter.step("create_databases", "run", "never ran", reasons=["never ran"])
    reporter.step("create_databases", "waits", HOSTILE, seconds=10.0, operations=["draftgenie-pg"])
    reporter.step("create_databases", "failed", HOSTILE.split("\n")[0], error=HOSTILE)
    refused = AzureError(f"create_databases: {HOSTILE}", code="No", request_id="r-1", hint="Do this.")
    reporter.error(refused, log="x.log")
    details = HOSTILE + "\n" + "long " * 1000
    reporter.error(BuildError("build_and_push_images: it failed", hint="Fix it.", details=details), log="x.log")
    lines = ["Deployment summary: 1 failed", f"  api {HOSTILE}"]
    reporter.result(lines, {"event": "summary", "urls": {"api": "https://api.example", "b|<x>": HOSTILE}, "images": {}})


def faulty(reporter: Reporter) -> None:
    """A configuration with more faults than a CI system shows apart."""
    faults = [Fault(f"no {HOSTILE}", key=f"a.b{n}", file="con,fig:1.yaml", line=n + 1) for n in range(12)]
    reporter.error(ConfigError(faults), log=None)
    reporter.error(UsageError("argument --output: invalid choice: 'x'", hint="--help lists the flags."), log=None)


def ci(system: str, directory: Path) -> View:
    """The view for a CI system whose files are in a directory."""
    if system == "GitHub":
        paths = {name: str(directory / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
        return GitHub(paths)
    return AzurePipelines({"AGENT_TEMPDIRECTORY": str(directory)})


OURS = {"error", "warning", "group", "endgroup"}
OURS_AZURE = {"task.logissue", "task.uploadsummary", "task.setvariable", "##[group]", "##[endgroup]"}


@pytest.mark.parametrize("system", ["GitHub", "Azure"])
@pytest.mark.parametrize("tell", [failing, faulty])
def test_ci_system_obeys_our_commands_alone(tmp_path: Path, system: str, tell: Callable[[Reporter], None]) -> None:
    out, err = drawn(recorded(tell, 1), ci(system, tmp_path))

    for text in (out, err):
        assert CONTROL.findall(text) == []
        assert set(github_commands(text)) <= (OURS if system == "GitHub" else {"group", "endgroup"})
        assert set(azure_commands(text)) <= (OURS_AZURE if system == "Azure" else set())


def golden(text: str) -> str:
    """An output with what is random replaced, and long lines cut, for people to compare."""
    text = re.sub(r"\b[0-9a-f]{32}\b", "TOKEN", text)
    text = re.sub(r"draftgenie-[0-9a-f]{16}\.md", "draftgenie-RUN.md", text)
    return "\n".join(line[:160] for line in text.splitlines())


@pytest.mark.parametrize("system", ["GitHub", "Azure"])
@pytest.mark.parametrize("tell", [failing, faulty])
def test_view_for_a_ci_system_is_as_it_was(tmp_path: Path, system: str, tell: Callable[[Reporter], None]) -> None:
    """Golden files in tests/cli/golden; written again where one is missing."""
    out, err = drawn(recorded(tell, 1), ci(system, tmp_path))
    files = "".join(path.read_text(encoding="utf-8") for path in sorted(tmp_path.iterdir()))
    files = re.sub(r"end-[0-9a-f]{32}", "end-TOKEN", files)
    text = golden(f"{out}--- standard error\n{err}--- files\n{files}".replace(str(tmp_path), "DIR"))
    path = Path(__file__).parent / "golden" / f"{system.lower()}-{tell.__name__}.txt"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
        pytest.fail(f"{path.name} was missing and is written: read it")

    assert text + "\n" == path.read_text(encoding="utf-8")


def test_faults_have_file_and_line_within_the_limit_and_as_lines_beyond(tmp_path: Path) -> None:
    _, err = drawn(recorded(faulty, 1), ci("GitHub", tmp_path))

    annotations = [line for line in err.splitlines() if line.startswith("::error")]
    assert len(annotations) == MOST_ISSUES
    assert annotations[1].startswith("::error file=con%2Cfig%3A1.yaml,line=1::con,fig:1.yaml:1: a.b0: no ")
    assert sum("a.b" in line for line in err.splitlines()) == 12


def test_outputs_are_those_of_the_end(tmp_path: Path) -> None:
    drawn(recorded(failing, 1), ci("GitHub", tmp_path))

    text = (tmp_path / "GITHUB_OUTPUT").read_text(encoding="utf-8")
    found = dict(re.findall(r"^(\w+)<<(?:end-\w+)\n(.*)\nend-\w+$", text, re.MULTILINE))
    assert (found["result"], found["exit_code"]) == ("failed", "1")
    assert json.loads(found["urls"])["api"] == "https://api.example"


def test_summary_stays_under_its_limit_with_two_hundred_services(tmp_path: Path) -> None:
    """GitHub drops one of over 1 MiB."""

    def tell(reporter: Reporter) -> None:
        for name in STEP_NAMES:
            reporter.step(name, "done", "1 s", seconds=1.0, written=[f"container_app/{n}" for n in range(200)])
            reporter.error(AzureError(f"{name}: {'x' * 100_000}", hint="y" * 100_000), log=None)
        urls = {f"service_{number}": f"https://service-{number}.example" for number in range(200)}
        reporter.result(["done"], {"event": "summary", "urls": urls, "images": {}})

    drawn(recorded(tell, 0), ci("GitHub", tmp_path))

    text = (tmp_path / "GITHUB_STEP_SUMMARY").read_text(encoding="utf-8")
    assert len(text.encode()) < 1024 * 1024
    assert text.count("https://service-") == 200
    assert text.count("```mermaid") == 1


def test_summary_shows_text_and_no_markdown(tmp_path: Path) -> None:
    summary = StepSummary()
    replay(recorded(failing, 1).splitlines(), [_Taking(summary)])

    text = summary.markdown()
    assert "<x>" not in text
    assert CONTROL.findall(text) == []
    rows = [line for line in text.splitlines() if line.startswith("| b")]
    assert len(rows) == 1
    assert rows[0].count(" | ") == 1


def test_text_of_others_calls_nobody_on_github() -> None:
    """Neither a person or team, nor an issue: GitHub looks for them in what is shown, where escapes are gone."""
    shown = step_summary.cell("ask @octocat/team, see #12 | acr.azurecr.io/app@sha256:0 is of me@example.org")

    assert shown == (
        "ask @<!-- -->octocat/team, see \\#<!-- -->12 &#124; acr.azurecr.io/app@sha256:0 is of me@example.org"
    )


class _Taking:
    lost: OSError | None = None

    def __init__(self, summary: StepSummary) -> None:
        self._summary = summary

    def show(self, event: dict[str, Any]) -> None:
        self._summary.take(event)


def test_view_passes_over_types_that_it_does_not_know(tmp_path: Path) -> None:
    event = {"version": 1, "type": "later", "event": "later", "time": "2030-01-01T00:00:00.000Z", "run": "0" * 16}
    for view in (Lines(), ci("GitHub", tmp_path), ci("Azure", tmp_path)):
        assert drawn(json.dumps(event), view) == ("", "")
    jsonschema.validate(event, SCHEMA)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device here that is always full")
@pytest.mark.parametrize("output", ["plain", "json"])
def test_result_that_cannot_be_written_is_a_failure_where_it_is_the_purpose(deployed: Project, output: str) -> None:
    for arguments, code in ((("--status",), 1), (("--dry-run",), 1), (("--history",), 1), ((), 0)):
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            done = subprocess.run(
                deployed.command(*arguments, "--output", output),
                cwd=deployed.directory, env=deployed.env(), stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip

        assert done.returncode == code, arguments
        assert ("the result could not be written: No space left on device" in done.stderr) is (code == 1)
        assert "Traceback" not in done.stderr


def test_step_that_a_plan_named_before_the_run_counts_once() -> None:
    """A first deployment shows its plan above the question, and then runs."""

    def tell(reporter: Reporter) -> None:
        reporter.planned("build_and_push_images", "disabled", ["disabled by config"])
        reporter.step("build_and_push_images", "disabled", "disabled by config")
        reporter.step("create_monitoring", "done", "1 s", seconds=1.0)

    end = json.loads(recorded(tell, 0).splitlines()[-1])

    assert end["counts"] == {"disabled": 1, "ran": 1}
