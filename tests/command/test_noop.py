"""A run in which nothing changed: what it leaves alone, and that its short cuts never lead to a wrong skip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from project import COMMAND, ROOT, Project

from draftgenie_azure.changes.decision import Decider, validity_digest
from draftgenie_azure.changes.dependencies import canonical, secret_values, step_hash
from draftgenie_azure.config import raw as configuration
from draftgenie_azure.config.raw import RawConfig
from draftgenie_azure.digests import HASH_FORMAT, sha256
from draftgenie_azure.errors import ConfigError
from draftgenie_azure.steps import STEPS

BUILD = "build_and_push_images"


# -------------------------------------------------------------------------------------- the digest of all secrets


class Records:
    """A state document in memory."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {
            "salt": "5a" * 16, "secrets_digest": None, "validated": None, "steps": {},
        }  # fmt: skip
        self.state_file = "/nowhere/state.json"

    def record(self, step_name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.state["steps"].get(step_name, {})
        return found

    def last_success(self, step_name: str) -> dict[str, Any] | None:
        record = self.record(step_name)
        last: dict[str, Any] | None = record if record.get("status") == "completed" else record.get("last_completed")
        return last


SECRET = st.sampled_from([None, "", "one", "two"])
VARIABLES = st.dictionaries(st.sampled_from(["A", "B"]), SECRET, max_size=2)
CONFIGS = st.fixed_dictionaries(
    {
        "secrets": st.fixed_dictionaries({"a": SECRET}, optional={"b": SECRET}),
        "postgresql": st.fixed_dictionaries({}, optional={"admin_password": SECRET, "sku": SECRET}),
        "services": st.fixed_dictionaries(
            {}, optional={name: st.fixed_dictionaries({"image": st.just("i")}, optional={"secrets": VARIABLES})
                          for name in ("one", "two")}
        ),
        "deployment": st.fixed_dictionaries({}, optional={"skip_migrations": st.booleans()}),
    },
    optional={
        "migrations": st.lists(
            st.fixed_dictionaries({"service": st.sampled_from(["one", "two"]), "secrets": VARIABLES}),
            min_size=1, max_size=2,
        )
    },
)
# A deployment: its configuration, and how many steps of it were reached before it failed (all of them: 14).
REACHED = st.sampled_from([14, 14, 14, 0, 6, 7, 9, 12, 13])
DEPLOYMENTS = st.lists(st.tuples(CONFIGS, REACHED), min_size=1, max_size=4)


def raw_config(values: dict[str, Any]) -> RawConfig:
    """A configuration as if it had been read."""
    raw = RawConfig(["/nowhere/config.yaml"])
    raw.values = values
    return raw


def deploy(records: Records, values: dict[str, Any], reached: int) -> None:
    """Update the state as a run does: steps in order, and the digest at the end."""
    decider = Decider(STEPS, raw_config(values), records)
    if records.state["secrets_digest"] != decider.secrets_digest:
        records.state["secrets_digest"] = None
    for step in STEPS[:reached]:
        decision = decider.decide(step, {})
        if decision.runs:
            records.state["steps"][step.name] = {
                "status": "completed", "timestamp": "now", "outputs": {}, "hash_format": HASH_FORMAT,
                "dependencies": decision.dependencies, "dependency_hash": step_hash(decision.dependencies),
            }  # fmt: skip
    if reached == len(STEPS):
        decider.end_run()


def quick_and_used(value: Any, variable: Any = "{{ secrets.a }}") -> tuple[str, str | None]:
    """The quick hash over the secrets of a configuration, and the one that is used."""
    records = Records()
    raw = raw_config(
        {
            "secrets": {"a": value, "b": "", "c": {"generate": True}},
            "services": {"one": {"image": "i", "secrets": {"A": variable}}},
        }
    )
    quick = sha256(records.state["salt"].encode() + canonical(secret_values(raw)))
    return quick, Decider((), raw, records).secrets_digest


GIVEN = ["x", "{{ secrets.b }}x", " {{ secrets.b }}", "{{{ x }}}", "{{ x: y }}", "{{ x }}", 12345, ["x"]]


@pytest.mark.parametrize(
    ("value", "variable"), [*((one, "") for one in (*GIVEN, "{{ postgresql.url }}")), *(("", one) for one in GIVEN)]
)
def test_given_secret_is_never_under_a_quick_hash(value: Any, variable: Any) -> None:
    """Which could be brute-forced for common passwords; under `secrets`, placeholders are text like any other."""
    quick, used = quick_and_used(value, variable)

    assert used is not None
    assert used != quick


@pytest.mark.parametrize("value", [None, "", {"generate": True}])
@pytest.mark.parametrize("variable", [None, "", "{{ postgresql.url }}", "{{ secrets.a | urlencode }}{{ secrets.b }}"])
def test_without_any_given_secret_the_hash_is_quick(value: Any, variable: Any) -> None:
    """There is nothing to be found out."""
    quick, used = quick_and_used(value, variable)

    assert used == quick


def migrating(secret: str, *, off: bool) -> dict[str, Any]:
    """A configuration whose migration has a secret, and may be switched off."""
    return {
        "services": {"one": {"image": "i"}}, "deployment": {"skip_migrations": off}, "secrets": {"a": secret},
        "migrations": [{"service": "one", "secrets": {"A": secret}}],
    }  # fmt: skip


# What once was wrong: another secret while its step is switched off, and everything else completed.
@pytest.mark.slow
@example([(migrating("one", off=False), 14), (migrating("two", off=True), 14)], migrating("one", off=False))
@given(DEPLOYMENTS, CONFIGS)
@settings(max_examples=100)
def test_decision_is_the_same_with_and_without_the_digest_of_all_secrets(
    deployments: list[tuple[dict[str, Any], int]], values: dict[str, Any]
) -> None:
    """After any history of deployments, cut-off ones and switched-off steps included."""
    records = Records()
    for made, reached in deployments:
        deploy(records, made, reached)
    known = [values, *(made for made, _ in deployments)]
    for tried in [{**config, "deployment": {"skip_migrations": off}} for config in known for off in (False, True)]:
        short = Decider(STEPS, raw_config(tried), records)
        quick = {step.name: short.decide(step, {}) for step in STEPS}
        records.state["secrets_digest"], kept = None, records.state["secrets_digest"]
        full = Decider(STEPS, raw_config(tried), records)
        slow = {step.name: full.decide(step, {}) for step in STEPS}
        records.state["secrets_digest"] = kept

        for name, decision in slow.items():
            assert quick[name].verdict == decision.verdict, name
            assert quick[name].dependencies == decision.dependencies
            assert quick[name].reasons == decision.reasons


@pytest.mark.slow
def test_secret_that_changed_while_its_step_was_switched_off_runs_it_when_it_is_on_again(deployed: Project) -> None:
    """The state's digest of all secrets must not vouch for a line that was recorded with another one."""
    argument = "services.draft_service.build_args"
    deployed.change(argument, {"TOKEN": {"value": "${TOKEN}", "secret": True}})
    deployed.environment["TOKEN"] = "first"
    deployed.deploy()
    deployed.environment["TOKEN"] = "second"
    deployed.change("deployment.skip_build", True)
    deployed.deploy("--force-step", "create_monitoring")
    deployed.change("deployment.skip_build", False)

    result = deployed.run("--dry-run", "--output", "json")

    step = result.events()[-1]["steps"][BUILD]
    assert step == {"verdict": "run", "reasons": [f"{argument}.TOKEN.value changed"]}
    assert deployed.deploy().ran()[BUILD] == step["reasons"]
    assert deployed.deploy().ran() == {}


# ------------------------------------------------------------------------------ the configuration as last found valid

CHANGES: dict[str, Any] = {
    "azure.location": ["West US 2", "nowhere!", 5],
    "azure.cloud": ["AzureCloud", "Azure"],
    "key_vault.name": ["draftgenie-kv", "x", None],
    "postgresql.storage_size": [32, "32", 33, 32.0, True],
    "postgresql.tier": ["Burstable", "MemoryOptimized"],
    "services.draft_service.port": [3002, "3002", 0, None],
    "services.draft_service.cpu": [0.5, "0.5", 0.25],
    "services.draft_service.environment.DEBUG": [False, "{{ no.such }}", "${EMPTY}", None],
    "services.draft_service.secrets.GEMINI_API_KEY": ["{{ secrets.none }}", "${EMPTY}", None],
    "secrets.gemini_api_key": ["", "${EMPTY}", "${GIVEN}", {"generate": True}, {"generat": True}],
    "secrets.x.y": [1],
    "migrations": [[], [{"service": "none", "command": "true"}]],
    "deployment.parallelism": [10, 0],
    "unknown": [1],
}


ONE = st.sampled_from(sorted(CHANGES)).flatmap(lambda key: st.tuples(st.just(key), st.sampled_from(CHANGES[key])))


@given(st.lists(ONE, max_size=2), st.booleans())
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_configuration_that_is_taken_for_valid_is_valid(
    project: Project, changes: list[tuple[str, Any]], given_value: bool
) -> None:
    """If the recorded digest matches, validation would have passed; it matches only the same configuration."""
    environ = {"EMPTY": "", "GIVEN": "Canary5ecret" if given_value else ""}
    shipped = project.config()
    valid = configuration.read([str(project.directory / "config.yaml")], environ)
    recorded = digest_of(valid)
    values = shipped
    for key, value in changes:
        section: Any = values
        *above, last = key.split(".")
        for name in above:
            section = section[name] if isinstance(section.get(name), dict) else section.setdefault(name, {})
            if not isinstance(section, dict):
                break
        if isinstance(section, dict):
            section[last] = value
    (project.directory / "changed").mkdir(exist_ok=True)
    if not (project.directory / "changed/examples").exists():
        (project.directory / "changed/examples").symlink_to(project.directory / "examples")
    changed = Project(project.directory / "changed")
    changed.write(values)
    try:
        raw = configuration.read([str(changed.directory / "config.yaml")], environ)
    except ConfigError:
        return
    try:
        configuration.validate(raw)
        is_valid = True
    except ConfigError:
        is_valid = False

    assert is_valid or digest_of(raw) != recorded


def digest_of(raw: RawConfig) -> str:
    """The same digest as the command's."""
    return validity_digest(raw, Decider((), raw, Records()).secrets_digest)


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("services.draft_service.secrets.X", None, "${EMPTY}"),  # none at all; one that must have a value
        ("deployment.parallelism", 10, "10"),
        ("secrets.jwt_secret", "one", "two"),
        ("secrets.jwt_secret", {"generate": True}, {"generate": False}),
        ("postgresql.admin_password", "One2Three4", "short"),
    ],
)
def test_what_validation_distinguishes_has_another_digest(project: Project, key: str, one: Any, other: Any) -> None:
    """Types, secrets, and whether a value came out of the environment."""
    digests = []
    for value in (one, other):
        project.change(key, value if value is not None else "null-here")
        path = project.directory / "config.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace("null-here", "null"), encoding="utf-8")
        digests.append(digest_of(configuration.read([str(path)], {"EMPTY": ""})))

    assert digests[0] != digests[1]


def test_faulty_configuration_is_refused_although_it_would_run_nothing(deployed: Project) -> None:
    """A key that no step depends on is validated all the same, in a run and in a dry run."""
    deployed.change("deployment.parallelism", 0)

    for arguments in ([], ["--dry-run"]):
        result = deployed.run(*arguments)
        assert result.code == 1
        assert "deployment.parallelism" in result.err


def test_dry_run_without_changes_validates_nothing_either(deployed: Project) -> None:
    """It is as quick as the run that it foretells."""
    assert modules(deployed, "--dry-run") == []


# ------------------------------------------------------------------------------------------------------ what it costs


def modules(project: Project, *arguments: str) -> list[str]:
    """Modules that are dear and that a run imported nevertheless."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(COMMAND), *arguments],
        cwd=project.directory, env=project.env(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rsplit("|", 1)[1].strip() for line in lines}
    dear = {
        "azure", "pydantic", "pydantic_core", "requests", "ssl", "socket", "logging", "typing", "dataclasses",
        "pathlib", "subprocess", "tempfile", "shutil", "concurrent", "asyncio", "importlib.metadata",
        "filelock", "urllib.parse", "email", "uuid", "secrets", "difflib", "textwrap", "inspect",
        "traceback",
    }  # fmt: skip
    return sorted(name for name in imported if name in dear or name.split(".")[0] in dear)


def test_run_without_changes_imports_nothing_that_is_dear(deployed: Project) -> None:
    """The SDK would cost 300 ms, validation 130; each of the others a few, of the 50 that there are."""
    assert modules(deployed) == []


def test_run_without_changes_reads_every_byte_and_writes_none(deployed: Project) -> None:
    """Every file of the contexts is opened; no file is written or made, not even a directory."""
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in deployed.directory.rglob("*")}
    code = (
        "import sys; sys.argv = ['deploy-azure_v1.py']\n"
        "def hook(event, arguments):\n"
        "    if event == 'open': print('OPEN', arguments[0], arguments[2], file=sys.__stderr__)\n"
        "sys.addaudithook(hook)\n"
        f"import runpy; runpy.run_path({str(COMMAND)!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"],
        cwd=deployed.directory, env=deployed.env(), capture_output=True, text=True, check=True,
    )  # fmt: skip

    opened = [line.split() for line in done.stderr.splitlines() if line.startswith("OPEN")]
    paths = {words[1] for words in opened}
    files = [path for path in deployed.state()["steps"][BUILD]["dependencies"] if path.startswith("file:")]
    assert len(files) > 20
    assert all(str(deployed.directory / "examples/draftgenie" / name[5:]) in paths for name in files)
    flags = [int(words[2]) for words in opened if words[2].isdigit()]
    assert not [flag for flag in flags if flag & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)]
    after = {path: (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in deployed.directory.rglob("*")}
    assert after == before


@pytest.fixture
def large(deployed: Project) -> Project:
    """700 files of 8 kB in one service, deployed."""
    folder = deployed.directory / "examples/draftgenie/services/draft-service/app/data"
    folder.mkdir()
    for number in range(700):
        (folder / f"{number:04}.txt").write_bytes(f"{number}\n".encode().ljust(8192, b"."))
    deployed.deploy()
    return deployed


def test_seven_hundred_files_take_a_moment_and_little_memory(large: Project) -> None:
    """Seconds of the processor, which another program's load does not change; benchmarks/noop.py measures the wait."""
    environment = large.env()
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every module is compiled each time
    # By way of a small process: a child's peak begins with what its parent had when it was started.
    measure = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)"
    )
    seconds, peaks = [], []
    for _ in range(8):
        done = subprocess.run(
            [sys.executable, "-c", measure, *large.command()],
            cwd=large.directory, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        second, peak = map(float, done.stdout.split())
        seconds.append(second)
        peaks.append(peak)

    assert min(seconds) < 1.5
    assert max(peaks) < 60


def test_process_that_ends_early_has_said_everything(deployed: Project) -> None:
    """It leaves without the interpreter's own shutdown, and its output is whole all the same, in a file too."""
    out = deployed.directory / "out"
    with out.open("w", encoding="utf-8") as file:
        done = subprocess.run(
            deployed.command("--output", "json"), cwd=deployed.directory, env=deployed.env(), stdout=file, check=False
        )

    assert done.returncode == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 16  # the target, the steps, the end
    assert '"event": "summary"' in lines[-1]


def test_copied_checkout_decides_the_same(deployed: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """State, configuration and application somewhere else, with other times and modes: nothing to do."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(deployed.directory, elsewhere, copy_function=shutil.copyfile)

    assert Path(elsewhere / "config.yaml").exists()
    assert Project(elsewhere).deploy().ran() == {}


def test_patterns_of_pyyaml_work_although_they_are_compiled_late() -> None:
    """Those of its own reader, which is used where libyaml is missing, included."""
    code = (
        "import re; before = re.compile\n"
        "from draftgenie_azure.config import yaml_nodes\n"
        "import yaml; assert re.compile is before\n"
        "print(yaml.load('[1, yes, 2026-01-01, 0b1, ~]', yaml.SafeLoader))\n"
        "try: yaml.load('a: \\x01', yaml.SafeLoader)\n"
        "except yaml.reader.ReaderError as error: print(error.reason)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    first, second = done.stdout.splitlines()
    assert first == "[1, True, datetime.date(2026, 1, 1), 1, None]"
    assert second == "special characters are not allowed"
