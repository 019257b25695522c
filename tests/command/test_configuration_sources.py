"""The sources of the configuration's files and values: standard input, pipes, an environment file, the environment."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import ROOT, Project, Result

from draftgenie_azure.config import raw
from draftgenie_azure.config.validated import secret_values

KEY = "AIzaSyC0ffeeC0ffee"


def run(project: Project, *arguments: str, text: str = "", pipes: tuple[str, ...] = ()) -> Result:
    """Run the command with text on standard input, and further pipes as `<(…)` makes them: `{0}`, `{1}`, …"""
    readers = []
    for content in pipes:
        reader, writer = os.pipe()
        os.write(writer, content.encode())
        os.close(writer)
        readers.append(reader)
    words = [word.format(*(f"/dev/fd/{reader}" for reader in readers)) for word in arguments]
    done = subprocess.run(
        project.command(*words), cwd=project.directory, env=project.env(), input=text, capture_output=True, text=True,
        timeout=100, check=False, pass_fds=readers,
    )  # fmt: skip
    for reader in readers:
        os.close(reader)
    return Result(done.returncode, done.stdout, done.stderr)


def faults(result: Result) -> str:
    assert result.code == 1
    assert "Traceback" not in result.text
    return result.err


@pytest.mark.slow
def test_a_configuration_comes_from_standard_input(project: Project) -> None:
    """Relative paths, the state's too, count from the working directory."""
    text = (project.directory / "config.yaml").read_text()
    (project.directory / "config.yaml").unlink()

    result = run(project, "--config", "-", text=text)

    assert result.code == 0, result.text
    assert project.state_file.exists()
    again = run(project, "--config", "-", "--output", "json", text=text)
    assert {event["event"] for event in again.events()}.isdisjoint({"step_run"})


def test_overlays_come_from_pipes_and_standard_input(project: Project) -> None:
    result = run(
        project, "--config", "config.yaml", "--config", "{0}", "--config", "-", "--dry-run",
        text="tags: {Owner: me}", pipes=("services: {rag_service: {cpu: 7}}",),
    )  # fmt: skip

    assert "services.rag_service.cpu" in faults(result)
    assert "/dev/fd/" in result.err


def test_a_fault_names_standard_input(project: Project) -> None:
    result = run(project, "--config", "config.yaml", "--config", "-", text="\ntags: {Owner: '${OWNER}'}\n")

    assert "-:2: tags.Owner: the environment variable OWNER is not set" in faults(result)


def test_standard_input_is_read_once(project: Project) -> None:
    assert "standard input can be read only once" in faults(run(project, "--config", "-", "--config", "-", text="{}"))


def test_an_overlay_in_which_everything_is_commented_out_is_legal(project: Project) -> None:
    (project.directory / "over.yaml").write_text("# services:\n#   qdrant:\n")

    result = project.run("--config", "config.yaml", "--config", "over.yaml", "--dry-run")

    assert result.code == 0, result.text


def test_an_empty_configuration_is_a_fault(project: Project) -> None:
    (project.directory / "config.yaml").write_text("# nothing\n")

    assert "config.yaml:1: is empty: nothing is configured" in faults(project.run())


@pytest.mark.slow
def test_an_environment_file_gives_variables_and_the_process_environment_takes_precedence(project: Project) -> None:
    (project.directory / "my.env").write_text("OWNER=file\nREGION='westus3'\n")
    project.change("tags", {"Owner": "${OWNER}", "Region": "${REGION}"})
    project.environment["OWNER"] = "process"

    project.deploy("--env-file", "my.env")

    with project.azure() as azure:
        group = azure.send("GET", project.state()["resources"]["resource_group"]["id"], "2025-04-01").json()
    assert group["tags"]["Owner"] == "process"
    assert group["tags"]["Region"] == "westus3"


def test_a_fault_of_the_environment_file_names_file_and_line(project: Project) -> None:
    (project.directory / "my.env").write_text(f"A=1\n{KEY}\n")

    result = project.run("--env-file", "my.env", "--dry-run")

    assert "my.env:2: expected NAME=value" in faults(result)
    assert KEY not in result.text


@pytest.mark.slow
def test_a_value_from_the_environment_is_never_a_placeholder(project: Project) -> None:
    url = "https://x/{{ postgresql.password }}/${GEMINI_API_KEY}"
    project.environment["INSTANOTE_API_URL"] = url

    project.deploy()

    with project.azure() as azure:
        app = azure.send("GET", project.state()["resources"]["container_app/draft_service"]["id"], "2025-07-01").json()
    variables = {item["name"]: item.get("value") for item in app["properties"]["template"]["containers"][0]["env"]}
    assert variables["INSTANOTE_API_URL"] == url


def test_a_secret_with_braces_is_stored_as_it_is(project: Project) -> None:
    project.environment |= {"GEMINI_API_KEY": "a{{ b.c }}d${E}", "QDRANT_KEY": "x{{y}}"}
    project.change("services.qdrant.secrets", {"API_KEY": "${QDRANT_KEY}"})

    project.deploy()

    assert project.secret("gemini-api-key") == "a{{ b.c }}d${E}"
    assert project.secret("qdrant-api-key") == "x{{y}}"


@pytest.mark.parametrize("value", ["$(GEMINI_API_KEY)", "$GEMINI_API_KEY", "%GEMINI_API_KEY%", "#{GEMINI_API_KEY}#",
                                   "${{ secrets.GEMINI_API_KEY }}"])  # fmt: skip
def test_what_a_runner_left_unexpanded_never_becomes_a_secret(project: Project, value: str) -> None:
    project.environment["GEMINI_API_KEY"] = value

    text = faults(project.run())

    assert "secrets.gemini_api_key: the value of GEMINI_API_KEY is a reference that was not replaced" in text
    assert not project.state_file.exists()


@pytest.mark.parametrize("value", ["null", "undefined", "None ", "***", "••••••"])
def test_null_and_undefined_never_become_a_secret(project: Project, value: str) -> None:
    """jq prints `null`, JavaScript `undefined`; a log that was copied from has stars."""
    project.environment["GEMINI_API_KEY"] = value

    text = faults(project.run("--dry-run"))

    assert "the value of GEMINI_API_KEY is what programs print for a missing or masked value" in text
    assert text.count("config.yaml:") == 1


@pytest.mark.parametrize(
    ("value", "around"),
    [
        (f"\ufeff{KEY}", "an invisible character"), (f"{KEY}\u200b", "an invisible character"),
        (f"{KEY}\u00a0", "a blank"), (f'"{KEY}"', "quotes"), (f"'{KEY}'", "quotes"), (f"'{KEY}", None),
    ],
)  # fmt: skip
def test_quotes_and_blanks_around_a_key_are_reported(tmp_path: Path, value: str, around: str | None) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("secrets:\n  gemini_api_key: ${GEMINI_API_KEY}\n")

    found = list(secret_values.notices(raw.read([str(path)], {"GEMINI_API_KEY": value})))

    words = f"secrets.gemini_api_key: the value of GEMINI_API_KEY has {around} around it"
    assert (found == []) if around is None else found[0].startswith(words)
    assert KEY not in str(found)


@pytest.mark.slow
@pytest.mark.parametrize("flags", [[], ["--dry-run"]], ids=["run", "dry run"])
def test_a_line_end_around_a_key_is_reported_without_the_key(project: Project, flags: list[str]) -> None:
    project.environment["GEMINI_API_KEY"] = f"{KEY}\n"

    result = project.run(*flags)

    assert result.code == 0
    assert "secrets.gemini_api_key: the value of GEMINI_API_KEY has a line end around it" in result.err
    assert KEY not in result.text


def overlay_faults(project: Project, overlay: dict[str, Any], **environ: str) -> list[str]:
    project.environment |= environ
    name = project.overlay("over.yaml", overlay)
    text = faults(project.run("--config", "config.yaml", "--config", name, "--dry-run"))
    shown = [line.strip() for line in text.splitlines() if line.startswith("  ")]
    return [line for line in shown if not line.startswith(("help: ", "next: "))]


@pytest.mark.parametrize("azure", [{"location": 5}, {"location": []}, {"resource_group": {}}, {"cloud": 5}, 5, []])
def test_one_mistake_is_one_fault(project: Project, azure: Any) -> None:
    """On Azure, where secrets must be given; a broken section does not make the emulator's dummies faults."""
    assert len(overlay_faults(project, {"azure": azure})) == 1


def test_a_removed_service_is_one_fault_that_counts_its_references(project: Project) -> None:
    (found,) = overlay_faults(project, {"services": {"qdrant": None}})

    assert "services.draft_service.environment.QDRANT_URL: " in found
    assert "needs a service `qdrant`, which is missing (and so for 2 more)" in found


def test_a_removed_section_is_a_fault_where_it_is_needed(project: Project) -> None:
    (found,) = overlay_faults(project, {"postgresql": None})

    assert "needs the section `postgresql`" in found


@pytest.mark.slow
def test_home_is_expanded_in_every_path(project: Project, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "app").symlink_to(ROOT / "examples" / "draftgenie")
    project.environment["HOME"] = str(home)
    values = project.config()
    values["docker"]["build_context"] = "~/app"
    values["advanced"]["state_file"] = "~/state.json"
    project.write(values)

    project.deploy()

    assert json.loads((home / "state.json").read_text())["serial"] > 0
    assert not (project.directory / "~").exists()


def test_a_ca_file_below_home_is_found(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"azure": {"cloud": "AzureCloud"}}))

    assert raw.read([str(path)], {}).file("~/ca.pem") == os.path.expanduser("~/ca.pem")
