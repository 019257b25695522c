"""A failing run leaks no secret, and external text never controls a terminal or a CI system."""

from __future__ import annotations

import base64
import json
import os
import re
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ci_parsers import azure_commands, github_commands
from project import Project, Result, contents, wait_for
from step_faults import REFUSED

from azure_emulator.attach import attach
from draftgenie_azure.steps import STEP_NAMES

SECRETS = {
    "GEMINI_API_KEY": "AIza-gemini/key+with ~everything%41\"&<é>",
    "INSTANOTE_API_KEY": "inst_0123456789abcdef",
    "JWT_SECRET": "jwt\\slash'and;semi=colons",
    "RABBITMQ_PASSWORD": "R4bbitPassw0rdXyz",
}
PASSWORD = "Pg-4dmin.Passw0rd~"
ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda s: s,
    "JSON": lambda s: json.dumps(s)[1:-1],
    "URL": lambda s: urllib.parse.quote(s, safe=""),
    "form": urllib.parse.quote_plus,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "urlsafe base64": lambda s: base64.urlsafe_b64encode(b"u:" + s.encode() + b"@host").decode().rstrip("="),
}


def written(secrets: Iterator[str] | list[str]) -> list[str]:
    """Each secret in each encoding."""
    return [encode(secret) for secret in secrets for encode in ENCODINGS.values()]


def with_secrets(project: Project) -> list[str]:
    """Give the project every kind of secret; all of them."""
    project.environment.update(SECRETS)
    project.change("postgresql.admin_password", PASSWORD)
    project.change("services.draft_service.build_args", {"TOKEN": {"value": "bu1ld-Arg-T0ken", "secret": True}})
    return [*SECRETS.values(), PASSWORD, "bu1ld-Arg-T0ken"]


def cores(secret: str) -> list[str]:
    """Return patterns that reveal a secret in any encoding; for base64 the part determined by the secret."""
    found = {encode(secret) for name, encode in ENCODINGS.items() if name != "urlsafe base64"}
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + secret.encode()).decode().rstrip("=")[(4 if shift else 0) : -3]
        found |= {text, text.translate({43: "-", 47: "_"})}
    return sorted(found)


def left_behind(project: Project, *results: Result, besides: str = "") -> Iterator[tuple[str, str]]:
    """Everything that runs leave: what they printed, and files; not the vault, nor what the test itself wrote.

    Args:
        besides: how the names of further files begin which have what the test wrote.
    """
    for number, result in enumerate(results):
        yield f"standard output {number}", result.out
        yield f"standard error {number}", result.err
    written_by_test = {"config.yaml", "faults.yaml", "faults.json", "vault.json"}
    for path, content in contents(project.directory):
        if besides and path.name.startswith(besides):
            continue
        if path.name not in written_by_test and "examples" not in path.parts:
            yield str(path.relative_to(project.directory)), content.decode(errors="replace")


def assert_no_secret(secrets: list[str], texts: Iterator[tuple[str, str]]) -> None:
    for where, text in texts:
        for secret in secrets:
            for core in cores(secret):
                assert core not in text, f"{core!r} in {where}"


QUICK = ("create_key_vault", "store_secrets", "verify_deployment")


@pytest.mark.parametrize(
    "step", [step if step in QUICK else pytest.param(step, marks=pytest.mark.slow) for step in REFUSED]
)
def test_refusal_that_quotes_every_secret_leaves_none(project: Project, step: str) -> None:
    """Azure's message has each secret in six encodings: once for people, once as JSON, with a log."""
    secrets = with_secrets(project)
    message = " | ".join(written(secrets))
    fault = {**REFUSED[step], "status": 403, "code": "RequestDisallowedByPolicy", "message": message, "times": 2}
    faulty = project.faults(fault)

    plain = project.run(*faulty, "--log-file", "run.log", "--verbose")
    events = project.run(*faulty, "--log-file", "run.log", "--output", "json")
    status = project.run("--status", "--output", "json")

    assert f"failed: {step}: " in plain.err
    assert "RequestDisallowedByPolicy" in plain.err
    assert plain.err.count("***") >= len(secrets) * len(ENCODINGS) // 2
    assert "***" in json.dumps(project.state())
    assert_no_secret(secrets, left_behind(project, plain, events, status))


def test_operation_that_fails_with_every_secret_leaves_none(project: Project) -> None:
    secrets = with_secrets(project)
    fault = {"method": "PUT", "path": "*/flexibleServers/draftgenie-pg", "fail": "ServerBroken"}

    failed = project.run(*project.faults({**fault, "message": " ".join(written(secrets))}), "--verbose")

    assert "ServerBroken" in failed.err
    assert_no_secret(secrets, left_behind(project, failed))


@pytest.mark.parametrize("view", [["--output", "json"], ["--verbose"]])
def test_log_of_a_container_leaves_no_secret_and_never_enters_the_state(project: Project, view: list[str]) -> None:
    secrets = with_secrets(project)
    log = ["a line of the container", *written(secrets)]
    faulty = project.faults(images={"draft-service": {"exit_code": 3, "log": log[-20:]}})

    failed = project.run(*faulty, "--log-file", "run.log", *view)
    status = project.run("--status", "--output", "json")

    assert failed.code == 1
    record = project.state()["steps"]["verify_deployment"]
    assert "exit code 3" in record["error"]
    assert "az containerapp logs show" in record["error"]
    assert "***" not in record["error"]
    assert "***" in failed.text
    assert_no_secret(secrets, left_behind(project, failed, status))


def test_log_of_a_migration_leaves_no_secret_and_never_enters_the_state(project: Project) -> None:
    secrets = with_secrets(project)
    log = ["a line of the migration", *written(secrets)][-20:]
    faulty = project.faults(images={"speaker-service": {"job": {"exit_code": 7, "log": log}}})

    failed = project.run(*faulty, "--log-file", "run.log")

    assert failed.code == 1
    record = project.state()["steps"]["run_migrations"]
    assert "exit code 7" in record["error"]
    assert "az containerapp job logs show" in record["error"]
    assert "***" in failed.err
    assert "***" not in record["error"]
    assert_no_secret(secrets, left_behind(project, failed))


@pytest.mark.slow
def test_log_of_a_build_leaves_no_secret_and_never_enters_the_state(project: Project) -> None:
    secrets = with_secrets(project)
    dockerfile = project.directory / "examples/draftgenie/docker/Dockerfile.draft-service"
    lines = "".join(f"\nRUN echo {text}" for text in written(secrets)[-10:])
    dockerfile.write_text(dockerfile.read_text(encoding="utf-8") + f"{lines}\nRUN exit 3\n", encoding="utf-8")

    failed = project.run("--log-file", "run.log")

    assert failed.code == 1
    record = project.state()["steps"]["build_and_push_images"]
    assert "az acr task logs" in record["error"]
    assert "exit 3" in failed.err
    assert "exit 3" not in record["error"]
    assert "***" in failed.err
    assert_no_secret(secrets, left_behind(project, failed, besides="store"))  # the emulator keeps the Dockerfile


@pytest.mark.slow
def test_secret_that_the_run_itself_made_is_hidden_in_what_azure_says_later(project: Project) -> None:
    """Generated and composed values: once they are in the vault, Azure's next refusal quotes them all."""
    hold = {"method": "PUT", "path": "*/containerApps/qdrant", "status": 429, "code": "Slow", "retry_after": 10}
    vault = project.directory / ".azure-emulator" / "vault.json"

    def made() -> list[str]:
        if not vault.exists():
            return []
        values = json.loads(vault.read_text(encoding="utf-8"))
        return [value for names in values.values() for versions in names.values() for value in versions.values()]

    arguments = project.faults({**hold, "times": 2})
    with project.start(*arguments, "--log-file", "run.log") as process:
        wait_for(lambda: any("429" in str(r["status"]) for r in project.requests()), process, "nothing was refused")
        secrets = [value for value in made() if len(value) >= 8]
        assert len(secrets) >= 6
        fault = {"method": "PUT", "path": "*/containerApps/qdrant", "status": 403, "code": "No", "times": 9}
        with attach(project.directory / ".azure-emulator", faults=[{**fault, "message": " ".join(written(secrets))}]):
            out, err = process.communicate(timeout=100)

    result = Result(process.returncode, out, err)
    assert "403 No" in result.err
    assert result.err.count("***") > len(secrets)
    assert_no_secret(secrets, left_behind(project, result))


def vault_secrets(project: Project) -> list[str]:
    """Return the current values in the vault, including generated and composed ones."""
    document = json.loads((project.directory / ".azure-emulator" / "vault.json").read_text(encoding="utf-8"))
    values = [value for names in document.values() for versions in names.values() for value in versions.values()]
    return [value for value in values if len(value) >= 8]


@pytest.mark.parametrize("printed_by", ["container", "migration", "--logs", "--logs after --reset-state"])
def test_secrets_of_an_earlier_run_are_hidden_although_this_run_reads_none(
    deployed: Project, printed_by: str
) -> None:
    """A changed image prints them; secrets were neither made nor composed in this run."""
    secrets = vault_secrets(deployed)
    assert len(secrets) >= 6
    log = ["the beginning", *written(secrets)]
    if printed_by.startswith("--logs"):
        if "reset" in printed_by:
            assert deployed.run("--reset-state").code == 0
        deployed.change("azure.emulator", {"images": {"*rabbitmq*": {"log": log[:300]}}})
        shown = deployed.run("--logs", "rabbitmq", "--log-file", "run.log")
        assert shown.code == 0, shown.text
    else:
        says = {"exit_code": 3, "log": log[-20:]}
        faulty = deployed.faults(images={"*": {"job": says} if printed_by == "migration" else says})
        edited = "draft-service/app/main.py" if printed_by == "container" else "api-gateway/package.json"
        source = deployed.directory / "examples/draftgenie/services" / edited
        source.write_text(source.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        shown = deployed.run(*faulty, "--force-step", "run_migrations", "--log-file", "run.log")
        assert shown.code == 1
    assert "***" in shown.text
    assert_no_secret(secrets, left_behind(deployed, shown, besides="store"))


def test_value_that_a_variable_brings_is_not_shown_wherever_it_is_put(deployed: Project) -> None:
    """A password in a URL, and a token, among arguments and environment variables."""
    url, token = "amqp://u:S3cretPw99x@h/v", "tok_0123456789abcdef"
    deployed.environment |= {"RURL": url, "TOK": token}
    deployed.change("services.rag_service.args", ["--broker=${RURL}", "${TOK}"])
    deployed.change("services.rag_service.environment.EXTRA", "${TOK}")

    shown = [deployed.run("--dry-run"), deployed.run("--dry-run", "--output", "json"), deployed.run("--report", "r.md")]

    assert "args" in shown[0].text
    assert shown[-1].code == 0, shown[-1].text
    left = [*(result.text for result in shown), (deployed.directory / "r.md").read_text(encoding="utf-8")]
    assert not [text for text in left if token in text or "S3cretPw99x" in text]


@pytest.mark.slow
def test_token_that_a_new_one_replaces_is_not_shown(deployed: Project) -> None:
    """It comes from Azure, not from the configuration, and may still be valid."""
    first, second = "tok_first_0123456789", "tok_second_0123456789"
    deployed.change("services.rag_service.environment.EXTRA", "${TOK}")
    deployed.change("services.rag_service.args", ["serve", "--token=${TOK}"])
    deployed.environment["TOK"] = first
    deployed.deploy()
    deployed.environment["TOK"] = second

    shown = [deployed.run("--dry-run"), deployed.run("--dry-run", "--output", "json")]
    shown += [deployed.run("--log-file", "run.log", "--verbose", "--report", "r.md")]

    assert [result.code for result in shown] == [0, 0, 0]
    assert "env[EXTRA]" in shown[0].text
    assert '"serve"' in shown[0].text
    left = [*(result.text for result in shown), (deployed.directory / "r.md").read_text(encoding="utf-8")]
    left.append((deployed.directory / "run.log").read_text(encoding="utf-8"))
    assert not [text for text in left if first in text or second in text]


def test_password_that_someone_set_by_hand_is_not_reported(deployed: Project) -> None:
    """Changes by others are reported, except passwords in them and values with secret-sounding names."""
    app_id = deployed.state()["resources"]["container_app/api_gateway"]["id"]
    with deployed.azure() as azure:
        app = azure.send("GET", app_id, "2026-01-01").json()
        template = app["properties"]["template"]
        template["containers"][0]["env"] += [
            {"name": "EXTRA_URL", "value": "postgres://u:HandPw12345@h/db"},
            {"name": "THEIR_TOKEN", "value": "their-token-0001"},
        ]
        azure.send("PATCH", app_id, "2026-01-01", {"properties": {"template": template}})
    deployed.change("services.api_gateway.environment.ONE_MORE", "1")

    shown = deployed.run("--log-file", "run.log", "--verbose")

    assert shown.code == 0, shown.text
    assert "EXTRA_URL" in shown.text
    log = (deployed.directory / "run.log").read_text(encoding="utf-8")
    assert not [text for text in (shown.text, log) if "HandPw12345" in text or "their-token-0001" in text]


def test_plugin_of_another_package_does_not_see_the_configuration(project: Project) -> None:
    """Such as one that records every validated value and sends it elsewhere (docs.pydantic.dev, Plugins)."""
    library, seen = project.directory / "library", project.directory / "seen"
    facts = library / "recorder-1.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: recorder\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[pydantic]\nrecorder = recorder:plugin\n")
    (library / "recorder.py").write_text(
        f"open({str(seen)!r}, 'w').close()\n"
        "class plugin:\n"
        "    new_schema_validator = staticmethod(lambda *_: (None, None, None))\n"
    )
    project.environment["PYTHONPATH"] = str(library)

    assert project.run("--dry-run").code == 0

    assert not seen.exists()


def test_log_is_withheld_where_the_secrets_that_it_may_contain_cannot_be_read(deployed: Project) -> None:
    """Without access to the vault, the message names the role, and the command to read the log directly."""
    forbidden = {"method": "GET", "path": "/secrets/*", "status": 403, "code": "Forbidden", "times": 99}

    shown = deployed.run("--logs", "rabbitmq", *deployed.faults(forbidden))

    assert shown.code == 1
    assert "could not be read to hide them" in shown.text
    assert "Key Vault Secrets User" in shown.text
    assert "az containerapp logs show" in shown.text


def test_state_of_an_earlier_version_that_holds_a_secret_is_shown_without(deployed: Project) -> None:
    deployed.environment.update(SECRETS)
    document = deployed.state()
    record = document["steps"]["verify_deployment"]
    record["status"], record["error"] = "failed", "log:\n" + "\n".join(written([*SECRETS.values()]))
    deployed.state_file.write_text(json.dumps(document), encoding="utf-8")

    shown = [deployed.run("--status"), deployed.run("--status", "--output", "json"), deployed.run("--dry-run")]

    secrets = [*SECRETS.values()]
    assert_no_secret(secrets, ((f"output {number}", result.text) for number, result in enumerate(shown)))


# --------------------------------------------------------------------------------------------- other people's text

HOSTILE = [
    "##vso[task.setvariable variable=A]b",
    "x ##vso[task.complete result=Failed;] y",
    "##[set-output name=a;]b",
    "in a line ##[error]c ###[group]d ####vso[task.logissue type=error]e",
    "::add-mask::deploy",
    "   ::set-env name=PATH::/evil",
    "\u00a0::error::f",
    "#\u00ad#vso[task.setvariable variable=A]soft hyphen",
    "##\u200bvso[task.setvariable variable=A]no width",
    "\u2060::stop-commands::word joiner",
    "#\ufe0f#[warning]selector",
    "#\x1b[0m#vso[task.setvariable variable=A]between",
    "50 %\r::error::after a carriage return",
    "a\x0b::error::b\x0c::error::c\x85::error::d\u2028::error::e",
    "\x1b[2J\x1b]0;title\x07\x9b31mred\x7f\x00\u202eright to left",
    "failed: create_databases: not of ours",
]
_RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def assert_obeyed_by_nobody(text: str, *, ours: frozenset[str] = frozenset()) -> None:
    """No control character but the ends of lines, and no command of either CI system but ours."""
    assert _RAW.findall(text) == []
    assert set(github_commands(text)) <= ours
    assert set(azure_commands(text)) <= ours


CI = {"nowhere": {}, "GitHub": {"GITHUB_ACTIONS": "true"}, "Azure": {"TF_BUILD": "True"}}
OURS = {
    "nowhere": frozenset[str](),
    "GitHub": frozenset({"error", "warning", "group", "endgroup"}),
    # GitHub's runner knows `##[group]`, too.
    "Azure": frozenset({"task.logissue", "task.setvariable", "##[group]", "##[endgroup]", "group", "endgroup"}),
}
VIEWS: dict[str, list[str]] = {"lines": [], "verbose": ["--verbose"], "json": ["--output", "json"]}


@pytest.mark.slow
@pytest.mark.parametrize("system", CI)
@pytest.mark.parametrize("view", VIEWS)
def test_log_of_a_container_is_text_in_every_view(project: Project, system: str, view: str) -> None:
    project.environment.update(CI[system])
    faulty = project.faults(images={"draft-service": {"exit_code": 1, "log": HOSTILE}})

    failed = project.run(*faulty, "--log-file", "run.log", *VIEWS[view])

    assert failed.code == 1
    assert "title" in failed.text
    for text in (failed.out, failed.err, (project.directory / "run.log").read_text(encoding="utf-8")):
        assert_obeyed_by_nobody(text, ours=OURS[system])
    headlines = [line for line in failed.err.splitlines() if re.match(r"failed: |::error|##vso\[task.logissue", line)]
    assert all("verify_deployment" in line for line in headlines)
    if view == "json":
        assert [event["event"] for event in failed.events()][-1] == "summary"
    if system == "GitHub" and view == "lines":
        assert "::stop-commands::" in failed.err
    assert_obeyed_by_nobody(project.state_file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("text", ["x" * 1_000_000, "##vso[a.b]" * 100_000, "\x1b[1A" * 250_000])
def test_log_of_a_megabyte_without_a_line_end_is_cut(project: Project, text: str, view: str) -> None:
    faulty = project.faults(images={"draft-service": {"exit_code": 1, "log": [text]}})

    failed = project.run(*faulty, *VIEWS[view])

    assert failed.code == 1
    assert len(failed.text) < 60_000
    assert_obeyed_by_nobody(failed.out)
    assert_obeyed_by_nobody(failed.err)


@pytest.mark.parametrize("view", VIEWS)
def test_message_of_azure_is_text(project: Project, view: str) -> None:
    fault = {"method": "PUT", "path": "*/components/*", "status": 400, "code": "Bad\r::error::x"}
    faulty = project.faults({**fault, "message": "\n".join(HOSTILE)})

    failed = project.run(*faulty, "--log-file", "run.log", *VIEWS[view])
    shown = [failed, project.run("--status"), project.run("--status", "--output", "json"), project.run("--dry-run")]

    assert failed.code == 1
    for result in shown:
        assert_obeyed_by_nobody(result.out)
        assert_obeyed_by_nobody(result.err)
    assert_obeyed_by_nobody((project.directory / "run.log").read_text(encoding="utf-8"))


@pytest.mark.parametrize("view", [[], ["--output", "json"]])
def test_values_of_configuration_and_state_and_names_of_files_are_text(deployed: Project, view: list[str]) -> None:
    document = deployed.state()
    for number, text in enumerate(HOSTILE):
        document["steps"][f"step {text}"] = {"status": "failed", "error": text}
        document["resources"][f"key {text}"] = {
            "id": f"/subscriptions/x/{text}", "name": text, "api_version": "2020-01-01", "step": text, "orphaned": True,
        }  # fmt: skip
        record = document["steps"][STEP_NAMES[number % 14]]
        record |= {"status": "failed", "error": text, "metadata": {"reasons": [text]}}
    deployed.state_file.write_text(json.dumps(document), encoding="utf-8")
    overlay = {"azure": {text: text for text in HOSTILE}, "::error::x": 1, "services": {HOSTILE[0]: {"image": "a"}}}
    deployed.overlay("::add-mask::\x1b.yaml", overlay)

    runs: list[tuple[str, ...]] = [
        ("--status",), ("--dry-run",), ("--config", "config.yaml", "--config", "::add-mask::\x1b.yaml"),
        ("--config", "##vso[a.b]c.yaml"), ("--force-step", HOSTILE[0]), ("--restore-state", "\r::error::none"),
        ("::error::stray",), ("--output", "\x1b[31m"),
    ]  # fmt: skip
    for arguments in runs:
        result = deployed.run(*arguments, *view)
        assert "Traceback" not in result.text
        assert_obeyed_by_nobody(result.out)
        assert_obeyed_by_nobody(result.err)


def test_state_file_whose_name_is_not_utf_8_is_shown_escaped(project: Project) -> None:
    directory = os.fsencode(project.directory) + b"/none-\xff-\x1b[1m"
    os.mkdir(directory)
    project.change("advanced.state_file", "${STATE_FILE}")
    project.environment["STATE_FILE"] = os.fsdecode(directory + b"/state.json")
    Path(project.environment["STATE_FILE"]).write_text("{}", encoding="utf-8")

    result = project.run("--status")

    assert result.code == 1
    assert "none-\\xff-\\x1b[1m" in result.err
    assert_obeyed_by_nobody(result.text)


def events_of(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["--force-step", "none"], "--force-step"),
        (["--parallelism=0"], "--parallelism"),
        (["--nonsense"], None),
        (["--detailed-exitcode", "--lock-timeout", "x"], "--lock-timeout"),
    ],
)
@pytest.mark.parametrize("output", [["--output", "json"], ["--output=json"]])
def test_bad_usage_is_an_event(project: Project, arguments: list[str], key: str | None, output: list[str]) -> None:
    for line in ([*output, *arguments], [*arguments, *output]):
        result = project.run(*line)
        fault, error, _ = events_of(result.out)
        assert result.code == 1
        assert (fault["event"], fault["key"], fault["file"]) == ("fault", key, None)
        assert fault["message"] in error["message"]
        assert error["event"] == "error"


def test_fault_of_the_configuration_is_an_event_with_file_line_and_key(project: Project) -> None:
    name = project.overlay("prod.yaml", {"redis": {"sku": "Tiny"}, "secrets": {}, "service": {}})

    result = project.run("--config", "config.yaml", "--config", name, "--output", "json")

    assert result.code == 1
    *faults, error, _ = events_of(result.out)
    found = {fault["key"]: fault for fault in faults}
    assert found["redis.sku"]["file"] == "prod.yaml"
    assert found["redis.sku"]["line"] == 2
    assert "Tiny" in found["redis.sku"]["message"]
    assert found["service"]["line"] == 4
    assert error["event"] == "error"
