"""Every kind of change: which steps it makes run, and the reason that is given. Nothing else runs."""

from __future__ import annotations

import ast
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from project import ROOT, Project, Result, new_project, wait_for_end

from draftgenie_azure.build_context import context
from draftgenie_azure.changes.decision import validators
from draftgenie_azure.steps import STEPS

BUILD = "build_and_push_images"
APP = "services/draft-service/app"
Reasons = dict[str, list[str]]
# Other variables are another output, which is known before anything runs.
AFTER_VARIABLES = {
    step: ["output:configure_environment_variables changed"] for step in ("run_migrations", "verify_deployment")
}
as_root = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture(scope="session")
def _prepared_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment whose draft service ships one of everything that a file system has."""
    project = new_project(tmp_path_factory.mktemp("prepared"))
    app = project.directory / "examples/draftgenie" / APP
    (app / "one.txt").write_text("one\n", encoding="utf-8")
    (app / "two.txt").write_text("two\n", encoding="utf-8")
    (app / "copy.txt").write_text("one\n", encoding="utf-8")
    (app / "run.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (app / "debug.log").write_text("left out by .dockerignore\n", encoding="utf-8")
    (app / "link").symlink_to("one.txt")
    (app / "folder").mkdir()
    (app / "folder/inside.txt").write_text("inside\n", encoding="utf-8")
    project.deploy()
    wait_for_end(project)
    return project.directory


@pytest.fixture
def prepared(_prepared_once: Path, tmp_path: Path) -> Project:
    """A project in which that is deployed."""
    shutil.copytree(_prepared_once, tmp_path, dirs_exist_ok=True, symlinks=True)
    return Project(tmp_path)


def plan(project: Project, *arguments: str) -> Reasons:
    """The steps that would run, with every dependency that changed."""
    result = project.run("--dry-run", "--output", "json", *arguments)
    assert result.code == 0, result.text
    return lines_of(result)


def lines_of(result: Result) -> Reasons:
    """The steps that run or would run, with every dependency that changed."""
    return {event["step"]: event["changes"] for event in result.events() if event["event"] == "step_run"}


# ------------------------------------------------------------------------------------------------------------- files


def _edit(app: Path) -> None:
    (app / "main.py").write_text("# edited\n", encoding="utf-8")


def _edit_in_secret(app: Path) -> None:
    status = (app / "one.txt").stat()
    (app / "one.txt").write_text("uno\n", encoding="utf-8")
    os.utime(app / "one.txt", ns=(status.st_atime_ns, status.st_mtime_ns))


def _swap(app: Path) -> None:
    (app / "one.txt").rename(app / "x")
    (app / "two.txt").rename(app / "one.txt")
    (app / "x").rename(app / "two.txt")


def _touch(app: Path) -> None:
    os.utime(app / "one.txt", (1, 1))


def _executable(app: Path) -> None:
    (app / "run.sh").chmod(0o755)


def _umask(app: Path) -> None:
    for path in app.rglob("*.txt"):
        path.chmod(0o664)


def _rename(app: Path) -> None:
    (app / "one.txt").rename(app / "three.txt")


def _rename_case(app: Path) -> None:
    (app / "one.txt").rename(app / "One.txt")


def _add(app: Path) -> None:
    (app / "new.py").write_text("", encoding="utf-8")


def _delete(app: Path) -> None:
    (app / "one.txt").unlink()


def _broken_link(app: Path) -> None:
    (app / "broken").symlink_to("nowhere")


def _edit_ignored(app: Path) -> None:
    (app / "debug.log").write_text("more\n", encoding="utf-8")


def _file_to_directory(app: Path) -> None:
    (app / "one.txt").unlink()
    (app / "one.txt").mkdir()


def _file_to_directory_and_back(app: Path) -> None:
    _file_to_directory(app)
    (app / "one.txt").rmdir()
    (app / "one.txt").write_text("one\n", encoding="utf-8")


def _retarget(app: Path) -> None:
    (app / "link").unlink()
    (app / "link").symlink_to("copy.txt")


def _link_out(app: Path) -> None:
    (app / "out").symlink_to("/etc")


def _link_loop(app: Path) -> None:
    (app / "loop").symlink_to("loop")


def _empty_directory(app: Path) -> None:
    (app / "empty").mkdir()


def _crlf(app: Path) -> None:
    (app / "one.txt").write_bytes(b"one\r\n")


def _newline_name(app: Path) -> None:
    (app / "a\nb").write_text("", encoding="utf-8")


def _odd_name(app: Path) -> None:
    with open(os.fsencode(app) + b"/\xff", "wb"):
        pass


def _pipe_and_socket(app: Path) -> None:
    os.mkfifo(app / "pipe")
    here = os.open(app, os.O_RDONLY)  # a socket's path may have 107 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{here}/socket")
    os.close(here)


def _directory_mode(app: Path) -> None:
    (app / "folder").chmod(0o700)


def _moved_directory(app: Path) -> None:
    (app / "folder").rename(app / "other")


ROWS: list[tuple[Callable[[Path], None], list[str]]] = [
    # the rows of the table in which every other tool has a wrong entry
    (_edit, ["file:{}/main.py changed"]),
    (_edit_in_secret, ["file:{}/one.txt changed"]),
    (_swap, ["file:{}/one.txt changed", "file:{}/two.txt changed"]),
    (_touch, []),
    (_executable, ["mode:{}/run.sh changed"]),
    (_umask, []),
    (_rename, [f"{kind}:{{}}/{name}" for kind in ("file", "mode") for name in ("one.txt is gone", "three.txt is new")]),
    (_add, ["file:{}/new.py is new", "mode:{}/new.py is new"]),
    (_delete, ["file:{}/one.txt is gone", "mode:{}/one.txt is gone"]),
    (_broken_link, ["link:{}/broken is new"]),
    (_edit_ignored, []),
    # and the others
    (
        _rename_case,
        [f"{kind}:{{}}/{name}" for kind in ("file", "mode") for name in ("One.txt is new", "one.txt is gone")],
    ),
    (_file_to_directory, ["file:{}/one.txt is gone", "file:{}/one.txt/ is new", "mode:{}/one.txt is gone"]),
    (_file_to_directory_and_back, []),
    (_retarget, ["link:{}/link changed"]),
    (_link_out, ["link:{}/out is new"]),
    (_link_loop, ["link:{}/loop is new"]),
    (_empty_directory, ["file:{}/empty/ is new"]),
    (_crlf, ["file:{}/one.txt changed"]),
    (_newline_name, ["file:{}/a\\x0ab is new", "mode:{}/a\\x0ab is new"]),
    (_odd_name, ["file:{}/\\xff is new", "mode:{}/\\xff is new"]),
    (_pipe_and_socket, []),
    (_directory_mode, []),
    (
        _moved_directory,
        [
            f"{kind}:{{}}/{name}"
            for kind in ("file", "mode")
            for name in ("folder/inside.txt is gone", "other/inside.txt is new")
        ],
    ),
]


@pytest.mark.parametrize(("change", "reasons"), ROWS, ids=[change.__name__.strip("_") for change, _ in ROWS])
def test_change_of_a_file_builds_with_that_reason_or_not_at_all(
    prepared: Project, change: Callable[[Path], None], reasons: list[str]
) -> None:
    """The content, the path, the executable bit and a link's text count; nothing else does."""
    change(prepared.directory / "examples/draftgenie" / APP)

    ran = plan(prepared)

    assert ran == ({BUILD: [reason.format(APP) for reason in reasons]} if reasons else {})


@pytest.mark.skipif(as_root, reason="root reads all; test_context.py tries it as another user")
def test_directory_that_cannot_be_read_is_an_error_that_names_step_and_path(prepared: Project) -> None:
    """Never taken for an empty one."""
    folder = prepared.directory / "examples/draftgenie" / APP / "folder"
    folder.chmod(0)

    result = prepared.run("--dry-run")

    folder.chmod(0o755)
    assert result.code == 1
    assert f"build_and_push_images: draft_service: cannot read {APP}/folder" in result.err


@pytest.mark.parametrize("gone", ["docker/Dockerfile.draft-service", "../draftgenie"])
def test_declared_file_that_is_missing_is_an_error_and_never_a_skip(prepared: Project, gone: str) -> None:
    """The configuration is the one that was found valid, so it is the hash that must notice."""
    path = prepared.directory / "examples/draftgenie" / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    result = prepared.run()

    assert result.code == 1
    assert "build_and_push_images" in result.err
    assert "Traceback" not in result.err


def test_directory_that_vanishes_from_what_is_copied_is_a_fault(prepared: Project) -> None:
    """The build would fail; it is neither skipped nor begun."""
    shutil.rmtree(prepared.directory / "examples/draftgenie" / APP)

    result = prepared.run("--dry-run")

    assert result.code == 1
    assert f"`{APP}` does not exist below docker.build_context" in result.err


def test_two_gigabytes_without_content_are_hashed_in_constant_memory(prepared: Project) -> None:
    """A sparse file: read through, not loaded."""
    with open(prepared.directory / "examples/draftgenie" / APP / "huge.bin", "wb") as file:
        file.truncate(2 << 30)
    # Measured by a small program between: what a process was forked from counts as its memory, too.
    measure = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", measure, *prepared.command("--dry-run", "--output", "json")]
    done = subprocess.run(
        command, cwd=prepared.directory, env=prepared.env(), capture_output=True, text=True, check=True
    )
    *_, memory = done.stdout.splitlines()

    assert f"file:{APP}/huge.bin is new" in done.stdout
    assert int(memory) < 90 * 1024  # validation's library included, which a change needs


@pytest.mark.parametrize("change", ["edited", "added", "removed"])
def test_tree_that_changes_while_it_is_hashed_is_seen(tmp_path: Path, change: str) -> None:
    """What was hashed first is looked at once more at the end: half of one commit and half of another is no tree."""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . .\n", encoding="utf-8")
    tree = context.Tree(str(tmp_path))
    tree.context("Dockerfile").dependencies()

    if change == "edited":
        (tmp_path / "a").write_text("b", encoding="utf-8")
    elif change == "added":
        (tmp_path / "d").write_text("", encoding="utf-8")
    else:
        (tmp_path / "b").unlink()

    assert tree.changed() is not None


def test_tree_that_never_holds_still_is_an_error_and_not_a_skip(prepared: Project) -> None:
    """A writer beside the run: it either sees a moment of quiet, or says what changes."""
    app = prepared.directory / "examples/draftgenie" / APP
    stop = threading.Event()

    def write() -> None:
        count = 0
        while not stop.is_set():
            count += 1
            (app / "one.txt").write_text(f"{count}", encoding="utf-8")
            (app / "two.txt").write_text(f"{count}", encoding="utf-8")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        result = prepared.run("--dry-run", "--output", "json", "--detailed-exitcode")
    finally:
        stop.set()
        writer.join()

    assert result.code in (1, 2), result.text
    assert "changes while it is" in result.text or "one.txt changed" in result.text


def test_edit_that_is_taken_back_while_the_images_are_packed_is_not_taken_for_deployed() -> None:
    """What is recorded is what was packed, not what was hashed before."""
    from draftgenie_azure.changes.decision import as_packed

    decided = {"config:docker.platform": "1", "file:a": "A", "mode:a": "-", "file:b": "B"}
    packed = {"file:a": "edited", "mode:a": "-"}

    assert as_packed(decided, packed) == {"config:docker.platform": "1", "file:a": "edited", "mode:a": "-"}
    assert as_packed(decided, {}) == decided


# ------------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (1, "1", False),
        (1, True, False),
        (1, 1.0, False),
        ("1", "true", False),
        ("true", True, False),
        (None, "", False),
        ("a", "b", False),
        ("x", "x", True),
    ],
)
def test_values_of_different_types_are_different_values(project: Project, before: Any, after: Any, same: bool) -> None:
    """1, "1", true and 1.0 are four values, whatever an app would make of them."""
    hashes = []
    for value in (before, after):
        values = project.config()
        values["services"]["rag_service"]["environment"]["PROBE"] = value
        project.write(values)
        hashes.append(dependencies(project)["configure_environment_variables"])

    assert (hashes[0] == hashes[1]) is same


def dependencies(project: Project, salt: str = "00" * 16, **environ: str) -> dict[str, dict[str, str]]:
    """What each step depends on, by the command's own modules, without outputs."""
    from draftgenie_azure.changes.dependencies import Hasher
    from draftgenie_azure.config import raw as configuration

    raw = configuration.read([str(project.directory / "config.yaml")], {**project.environment, **environ})
    hasher = Hasher(raw, salt, exclude=tuple(raw.paths))
    return {step.name: hasher.dependencies(step, {}) for step in STEPS}


def test_null_is_the_same_as_absent_and_an_empty_variable_of_the_environment_is_not(project: Project) -> None:
    """A null takes out what an earlier file has; `${NAME:-}` sets an empty variable."""
    step = "configure_environment_variables"
    absent = dependencies(project)[step]
    project.change("services.rag_service.environment.PROBE", "${PROBE:-}")
    empty = dependencies(project)[step]
    text = (project.directory / "config.yaml").read_text(encoding="utf-8")
    (project.directory / "config.yaml").write_text(text.replace("${PROBE:-}", "null"), encoding="utf-8")

    assert dependencies(project)[step] == absent
    assert empty.keys() - absent.keys() == {"config:services.rag_service.environment.PROBE"}


def test_two_values_that_change_places_run_the_step_and_both_are_named(prepared: Project) -> None:
    """A hash over values alone would be the same."""
    values = prepared.config()
    environment = values["services"]["draft_service"]["environment"]
    one, other = "POSTGRES_POOL_SIZE", "QDRANT_VECTOR_SIZE"
    environment[one], environment[other] = environment[other], environment[one]
    prepared.write(values)

    prefix = "config:services.draft_service.environment."
    assert plan(prepared) == {
        "configure_environment_variables": [f"{prefix}{one} changed", f"{prefix}{other} changed"],
        **AFTER_VARIABLES,
    }


def test_list_that_is_reordered_is_another_list(project: Project) -> None:
    """The order of a command's words means something, so lists count whole."""
    project.change("services.rag_service.args", ["a", "b"])
    before = dependencies(project)["deploy_application_services"]
    project.change("services.rag_service.args", ["b", "a"])
    after = dependencies(project)["deploy_application_services"]

    assert {name for name in after if after[name] != before[name]} == {"config:services.rag_service.args"}


def test_order_of_keys_comments_and_anchors_mean_nothing(prepared: Project) -> None:
    """The same values written otherwise: every key sorted, every alias resolved, every comment gone."""
    values = prepared.config()
    prepared.write({key: values[key] for key in sorted(values, reverse=True)})

    assert plan(prepared) == {}


def test_key_that_is_gone_runs_its_step_and_says_so(prepared: Project) -> None:
    """Absent is not "as before"."""
    prepared.change("services.draft_service.health_path", None)
    values = prepared.config()
    del values["services"]["rag_service"]["environment"]["DEBUG"]
    prepared.write(values)

    ran = plan(prepared)

    assert ran["deploy_application_services"] == ["config:services.draft_service.health_path is gone"]
    assert "config:services.rag_service.environment.DEBUG is gone" in ran["configure_environment_variables"]


def test_secret_that_changes_and_changes_back_is_seen_and_never_shown(prepared: Project) -> None:
    """By its key alone; with the old value nothing runs, since nothing was deployed meanwhile."""
    prepared.environment["GEMINI_API_KEY"] = "Canary5ecret"

    result = prepared.run("--dry-run", "--output", "json")

    assert lines_of(result) == {"store_secrets": ["secret:secrets.gemini_api_key is new"]}
    assert "Canary5ecret" not in result.text
    del prepared.environment["GEMINI_API_KEY"]
    assert plan(prepared) == {}


def test_variable_of_the_environment_that_changes_is_a_change_of_its_value(prepared: Project) -> None:
    """The value after `${}` counts, not the text before it."""
    prepared.environment["INSTANOTE_API_URL"] = "https://notes.example"

    assert plan(prepared) == {
        "configure_environment_variables": ["config:services.draft_service.environment.INSTANOTE_API_URL changed"],
        **AFTER_VARIABLES,
    }


def test_a_to_b_to_a_deploys_three_times(deployed: Project) -> None:
    """Files and values: the comparison is with what was deployed last, not with all that was ever seen."""
    source = deployed.directory / "examples/draftgenie" / APP / "main.py"
    first = source.read_text(encoding="utf-8")
    for text, level in ((first + "# b\n", "DEBUG"), (first, "INFO")):
        source.write_text(text, encoding="utf-8")
        deployed.change("services.rag_service.environment.LOG_LEVEL", level)

        ran = lines_of(deployed.deploy())

        assert ran[BUILD] == [f"file:{APP}/main.py changed"]
        assert "config:services.rag_service.environment.LOG_LEVEL changed" in ran["configure_environment_variables"]


# ------------------------------------------------------------------------------------------ every key of config.yaml

# Key, another valid value -> the steps that read it, so that their requests or what they look at would be others.
APPS = {"deploy_application_services"}
BROKER = {"deploy_infrastructure_services"}
PLACED = {
    "create_resource_group", "create_monitoring", "create_container_registry", "create_key_vault", "create_databases",
    "create_container_apps_env", "deploy_infrastructure_services", "deploy_application_services", "run_migrations",
}
VARIABLES = {"configure_environment_variables"}
MIGRATED = {"configure_environment_variables", "run_migrations"}
KEYS: dict[str, tuple[Any, set[str]]] = {
    "azure.subscription_id": ("11111111-1111-1111-1111-111111111111", {"check_prerequisites"}),
    "azure.resource_group": ("other-rg", {"check_prerequisites", "create_resource_group"}),
    "azure.location": ("westus2", PLACED | {"check_prerequisites"}),
    "azure.project_name": ("draftgenie2", {"create_resource_group", "create_databases"}),
    "monitoring.log_workspace": ("other-logs", {"check_prerequisites", "create_monitoring"}),
    "monitoring.app_insights": ("other-insights", {"create_monitoring"}),
    "monitoring.retention_days": (31, {"create_monitoring"}),
    "container_registry.name": ("otheracr", {"check_prerequisites", "create_container_registry"}),
    "container_registry.sku": ("Standard", {"create_container_registry"}),
    "key_vault.name": ("other-kv", {"check_prerequisites", "create_key_vault"}),
    "key_vault.sku": ("premium", {"create_key_vault"}),
    "key_vault.soft_delete_retention_days": (91 - 1 - 1, {"create_key_vault"}),
    "key_vault.purge_protection": (True, {"create_key_vault"}),
    "postgresql.server_name": ("other-pg", {"check_prerequisites", "create_databases"}),
    "postgresql.sku": ("Standard_D2ds_v5", {"create_databases"}),
    "postgresql.version": ("17", {"create_databases"}),
    "postgresql.storage_size": (64, {"create_databases"}),
    "postgresql.backup_retention_days": (8, {"create_databases"}),
    "postgresql.tier": ("GeneralPurpose", {"create_databases"}),
    "postgresql.high_availability": ("SameZone", {"create_databases"}),
    "postgresql.admin_password": ("Correct4Horse5Battery", {"create_databases"}),
    "postgresql.databases": (["more"], {"create_databases"}),
    "postgresql.extensions": (["pgcrypto"], {"create_databases"}),
    "redis.name": ("other-redis", {"check_prerequisites", "create_databases"}),
    "redis.sku": ("Balanced_B1", {"create_databases"}),
    "redis.high_availability": (False, {"create_databases"}),
    "redis.clustering_policy": ("OSSCluster", {"create_databases"}),
    "container_apps.environment_name": ("other-env", {"check_prerequisites", "create_container_apps_env"}),
    "container_apps.zone_redundant": ("false", {"create_container_apps_env"}),  # true needs a network
    "docker.build_context": ("examples/draftgenie/", {BUILD}),
    "docker.dockerfiles.draft_service": ("docker/./Dockerfile.draft-service", {BUILD}),
    "networking.cors_origin": ("https://app.example", MIGRATED),
    "networking.swagger_enabled": (False, MIGRATED),
    "networking.swagger_path": ("docs", MIGRATED),
    "services.rabbitmq.image": ("rabbitmq:4", BROKER | VARIABLES | {"check_prerequisites", "store_secrets"}),
    "services.rabbitmq.port": (5673, BROKER | VARIABLES | {"store_secrets"}),
    "services.rabbitmq.cpu": (0.25, BROKER),
    "services.rabbitmq.memory": ("2Gi", BROKER),
    "services.rabbitmq.min_replicas": (0, BROKER | {"verify_deployment"}),
    "services.rabbitmq.max_replicas": (2, BROKER),
    "services.rabbitmq.startup_seconds": (121, BROKER),
    "services.rabbitmq.volume": (
        {
            "type": "azure_file", "mount_path": "/var/lib/rabbitmq", "account_name": "account", "share_name": "share",
            "account_key": "Canary5ecret",
        },
        BROKER | {"create_container_apps_env"},
    ),
    "services.rabbitmq.volume.mount_path": ("/data", BROKER),
    "services.rabbitmq.environment.RABBITMQ_DEFAULT_USER": (
        "someone", VARIABLES | {"store_secrets"},
    ),
    "services.rabbitmq.secrets.RABBITMQ_DEFAULT_PASS": (
        "{{ secrets.other }}", VARIABLES | {"store_secrets"},
    ),
    "services.qdrant.health_path": ("/readyz", BROKER | {"verify_deployment"}),
    "services.qdrant.port": (6334, BROKER | VARIABLES),
    "services.api_gateway.port": (3100, APPS),
    "services.api_gateway.ingress": ("internal", APPS | {"verify_deployment"}),
    "services.api_gateway.health_path": ("/health", APPS | {"verify_deployment"}),
    "services.api_gateway.environment.JWT_EXPIRES_IN": ("1h", VARIABLES),
    "services.api_gateway.environment.SPEAKER_SERVICE_URL": ("http://elsewhere", VARIABLES),
    "services.api_gateway.secrets.JWT_SECRET": ("{{ secrets.other }}", VARIABLES | {"store_secrets"}),
    "services.speaker_service.port": (3101, APPS | VARIABLES),
    "services.speaker_service.cpu": (0.25, APPS | {"run_migrations"}),
    "services.speaker_service.memory": ("2Gi", APPS | {"run_migrations"}),
    "services.speaker_service.environment.PORT": (3101, MIGRATED),
    "services.speaker_service.secrets.DATABASE_URL": (
        "{{ postgresql.asyncpg_url }}", MIGRATED | {"store_secrets"},
    ),
    "services.draft_service.cpu": (0.25, APPS),
    "services.draft_service.secrets.GEMINI_API_KEY": ("{{ secrets.other }}", VARIABLES | {"store_secrets"}),
    "migrations.0.service": ("rag_service", {"run_migrations", "store_secrets"}),
    "migrations.0.command": ("true", {"run_migrations"}),
    "migrations.0.working_directory": ("/", {"run_migrations"}),
    "secrets.gemini_api_key": ("Canary5ecret", {"store_secrets"}),
    "secrets.jwt_secret": ("Canary5ecret", {"store_secrets"}),
    "tags.Project": ("Other", PLACED),
    # Keys that no step depends on: how a run behaves, or where its state is.
    "azure.cloud": ("AzureCloud", {"check_prerequisites"}),
    "docker.builder": ("docker", {"check_prerequisites", BUILD}),
    "deployment.skip_build": (True, set()),
    "deployment.skip_migrations": (True, set()),
    "deployment.dry_run": (True, set()),
    "deployment.auto_approve": (True, set()),
    "deployment.verbose": (True, set()),
    "deployment.refresh": (True, set()),
    "deployment.parallelism": (2, set()),
    "advanced.operation_timeout": (601, set()),
    "advanced.state_storage": ("blob", set()),
    "advanced.state_file": ("other.json", set()),
    # Keys that are not in the shipped file.
    "azure.identity_name": ("other-identity", {"create_resource_group"}),
    "azure.emulator": ({"scale": 0.5}, set()),
    "docker.build_timeout": (7200, set()),
    "services.draft_service.database": (
        "drafts", {"create_databases", "store_secrets"},
    ),
    "services.api_gateway.database": ("gateway", {"create_databases"}),
    "services.draft_service.build_args": ({"FLAVOUR": "x"}, {BUILD}),
    "services.draft_service.target": ("build", {BUILD}),
    "services.draft_service.name": (
        "drafts", {BUILD, "deploy_application_services", "configure_environment_variables"},
    ),
    "services.draft_service.exposed_port": (3002, APPS | VARIABLES),
    "services.draft_service.allow_insecure": (False, APPS | VARIABLES),
    "services.draft_service.args": (["x"], APPS),
    "services.draft_service.command": (["x"], APPS),
    "services.draft_service.additional_ports": ([9000], APPS),
    "services.draft_service.scale": ({"http_concurrent_requests": 7}, APPS),
    "locations.redis": ("westus2", {"check_prerequisites", "create_databases"}),
    "locations.container_apps": (
        "westus2",
        {"check_prerequisites", "create_container_apps_env", "run_migrations"} | APPS | BROKER,
    ),
    "migrations.0.environment": ({"X": "1"}, {"run_migrations"}),
    "migrations.0.secrets": ({"X": "{{ secrets.jwt_secret }}"}, {"run_migrations", "store_secrets"}),
    "migrations.0.database": ("people", {"create_databases", "store_secrets", "run_migrations"}),
    "migrations.0.timeout_seconds": (60, {"run_migrations"}),
}


@pytest.fixture(scope="session")
def _shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, dict[str, str]], dict[str, str]]:
    project = new_project(tmp_path_factory.mktemp("shipped"))
    project.change("secrets.other", "${OTHER:-0ther5ecret}")
    return project, dependencies(project), requests_of(project)


def requests_of(project: Project) -> dict[str, str]:
    """What each step would ask of Azure, as text: names and bodies, with the outputs of other steps held still."""
    from draftgenie_azure.config import raw as configuration
    from draftgenie_azure.provision.apps import shape
    from draftgenie_azure.provision.bodies import apps, environment, foundation, monitoring, registry, vault
    from draftgenie_azure.provision.bodies import databases as servers
    from draftgenie_azure.provision.template_values import plain_values

    config = configuration.load([str(project.directory / "config.yaml")], project.environment)
    assert config.monitoring and config.container_registry and config.key_vault and config.postgresql and config.redis
    assert config.container_apps
    databases = {"postgresql": {"host": "pg", "port": 5432, "login": "me"}, "redis": {"host": "r", "port": 1}}
    values = plain_values(databases, "domain")
    setting = apps.Setting(environment_id="/e", identity_id="/i", login_server="l", vault_uri="https://v/")
    built = {
        key: [service.name, config.dockerfile(key), service.target, service.build_args]
        for key, service in config.services.items()
        if service.dockerfile
    }
    bodies = {
        key: apps.container_app(
            config, service, setting, image=service.image or "built", variables=config.variables(key), values=values,
            secrets_version="1",
        )
        for key, service in config.services.items()
    }  # fmt: skip
    shapes = {
        kind: {
            key: [service.name, bodies[key]["location"], bodies[key]["tags"], shape(bodies[key]),
                  bodies[key]["properties"]["template"].get("volumes")]
            for key, service in config.services.items()
            if service.kind == kind
        }
        for kind in ("infrastructure", "application")
    }  # fmt: skip
    jobs = [
        apps.migration_job(
            config, migration, config.services[migration.service], setting, image="built",
            variables=config.migration_variables(migration), values=values, tags={},
        )
        for migration in config.migrations
    ]  # fmt: skip
    steps: dict[str, Any] = {
        "create_resource_group": [
            config.azure.resource_group, config.azure.identity_name, foundation.resource_group(config, "x"),
            foundation.identity(config),
        ],
        "create_monitoring": [
            config.monitoring.log_workspace, config.monitoring.app_insights, monitoring.workspace(config),
            monitoring.app_insights(config, "/w"),
        ],
        "create_container_registry": [config.container_registry.name, registry.registry(config)],
        "create_key_vault": [config.key_vault.name, vault.vault(config, "t")],
        "create_databases": [
            config.postgresql.server_name, servers.postgresql_server(config, config.postgresql.login, "p"),
            config.postgresql.admin_password, config.databases(), config.postgresql.extensions, config.redis.name,
            servers.managed_redis(config), servers.managed_redis_database(config),
        ],
        "store_secrets": [
            (secret.name, secret.origin, secret.template, secret.value)
            for secret in config.vault_secrets().values()
            if secret.origin != "postgresql_password"
        ],
        "create_container_apps_env": [
            config.container_apps.environment_name, environment.environment(config),
            [environment.storage(s) for s in config.services.values() if s.volume and s.volume.type == "azure_file"],
        ],
        BUILD: [built, config.docker.platform, config.docker.builder],
        "deploy_infrastructure_services": shapes["infrastructure"],
        "deploy_application_services": shapes["application"],
        "configure_environment_variables": [
            (key, service.name, body["properties"]["template"]["containers"][0]["env"],
             body["properties"]["configuration"]["secrets"])
            for (key, service), body in zip(config.services.items(), bodies.values(), strict=True)
        ],
        "run_migrations": jobs,
    }  # fmt: skip
    return {name: repr(made) for name, made in steps.items()}


def with_key(project: Project, directory: Path, key: str, value: Any) -> Project:
    """The project with another value of one key, in another directory."""
    changed = Project(directory)
    (directory / "examples").symlink_to(project.directory / "examples")
    values = project.config()
    section: Any = values
    *above, last = key.split(".")
    for name in above:
        section = section[int(name)] if isinstance(section, list) else section.setdefault(name, {})
    section[last] = value
    changed.write(values)
    return changed


@pytest.mark.parametrize("key", KEYS)
def test_each_key_sets_off_the_steps_that_read_it_and_no_other(_shipped: Any, tmp_path: Path, key: str) -> None:
    """Another value of one key at a time."""
    project, before, _ = _shipped
    value, expected = KEYS[key]

    after = dependencies(with_key(project, tmp_path, key, value))

    assert {name for name in before if before[name] != after[name]} == expected
    if key == "migrations.0.service":  # brings in all that the other service has
        return
    named = {
        line.split(":", 1)[1]
        for name in before
        for line in before[name].keys() | after[name].keys()
        if before[name].get(line) != after[name].get(line) and line.startswith(("config:", "secret:"))
    }
    # A new volume or database also brings in whose it is.
    owner = key.rsplit(".", 1)[0]
    others = {name for name in named if not (name.startswith(key) or key.startswith(name))}
    assert others <= {f"{owner}.name", f"{owner}.service", f"{owner}.database"}


# Steps that read a key although this other value of it changes no request: what else it may be could change one.
ONLY_READ = {
    "container_apps.zone_redundant": {"create_container_apps_env"},  # written as text, it is the same
    "services.rabbitmq.image": {"store_secrets", "configure_environment_variables"},  # without it, another transport
    "services.qdrant.health_path": {"deploy_infrastructure_services"},  # asked over HTTP alone
    "services.api_gateway.secrets.JWT_SECRET": {"store_secrets"},  # both secrets are stored anyway
    "services.draft_service.secrets.GEMINI_API_KEY": {"store_secrets"},
    "migrations.0.secrets": {"store_secrets"},
    "migrations.0.service": {"store_secrets"},  # stored anew only where its database is another one
    "services.speaker_service.port": {"configure_environment_variables"},  # without it, no ingress
    "services.speaker_service.secrets.DATABASE_URL": {"configure_environment_variables", "run_migrations"},
    "docker.build_context": {BUILD},  # the same folder
    "docker.dockerfiles.draft_service": {BUILD},  # the same file
}


# No configuration is valid with this one change, so there are no bodies to compare.
NOT_ALONE = {
    "postgresql.tier", "postgresql.high_availability", "advanced.state_storage", "azure.cloud",
    "services.rabbitmq.cpu", "services.rabbitmq.memory", "services.speaker_service.cpu",
    "services.speaker_service.memory", "services.draft_service.cpu", "services.draft_service.exposed_port",
}  # fmt: skip


@pytest.mark.parametrize("key", [key for key in KEYS if key not in NOT_ALONE])
def test_each_step_whose_requests_a_key_changes_depends_on_that_key(_shipped: Any, tmp_path: Path, key: str) -> None:
    """The same by another way: the very bodies, made before and after. None may change without its step running."""
    project, _, before = _shipped
    value, expected = KEYS[key]

    after = requests_of(with_key(project, tmp_path, key, value))

    others = {name for name in before if before[name] != after[name]}

    assert others - expected == set()
    assert (expected & before.keys()) - others == ONLY_READ.get(key, set())


def test_every_kind_of_key_of_the_shipped_configuration_is_in_that_table(project: Project) -> None:
    """A key of one service stands for the same key of the others."""

    def leaves(value: Any, key: str) -> Iterator[str]:
        if isinstance(value, dict) and value:
            for name, below in value.items():
                yield from leaves(below, f"{key}.{name}" if key else name)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield from leaves(value[0], f"{key}.0")
        else:
            yield key

    def kind(key: str) -> str:
        parts = key.split(".")
        if parts[0] == "services":
            return ".".join(["services", parts[2]])
        if parts[0] in ("secrets", "tags") or parts[:2] == ["docker", "dockerfiles"]:
            return parts[0]
        if parts[0] == "migrations":
            return ".".join(parts[:3])
        return key

    known = {kind(key) for key in KEYS} | {"locations"}
    assert {kind(key) for key in leaves(project.config(), "") if not key.startswith("x-")} - known == set()


# ------------------------------------------------------------------------------------------------------ modules of ours


def _imports(path: Path, function: str | None = None) -> set[str]:
    """Modules of the package that a file (or one of its functions) imports at run time."""
    tree: ast.AST = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    checking = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or id(node) in checking or not node.module:
            continue
        if node.module.startswith("draftgenie_azure"):
            inside = node.module.replace(".", "/")
            for alias in node.names:
                name = f"{inside}/{alias.name}.py"
                found.add(name if (ROOT / name).exists() else f"{inside}.py")
    return {name for name in found if (ROOT / name).exists()}


# What all steps share, and what only speaks to people, is in no step's list: a fault fixed there deploys nothing.
SHARED = {f"draftgenie_azure/provision/{name}.py" for name in ("addresses", "bodies/tags", "container_logs", "survey")}
# What other commands do, and no step.
COMMANDS = {f"draftgenie_azure/provision/{name}.py" for name in ("log_stream", "rollback", "rotation", "teardown")}


def _used_by(step: str) -> set[str]:
    """Modules of `provision` that a step of the deployer names, the vault that it opens included."""
    tree = ast.parse((ROOT / "deployer.py").read_text(encoding="utf-8"))
    (method,) = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == f"_step_{step}"
    ]
    names = {
        node.attr
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("provision", "self")
    }
    return {path for name in names if (ROOT / (path := f"draftgenie_azure/provision/{name}.py")).exists()}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_each_step_depends_on_the_modules_of_provision_that_do_its_work(step: Any) -> None:
    """So that a new version of the command runs again what it would send otherwise, and nothing else."""
    reached: set[str] = set()
    todo = list(_used_by(step.name))
    while todo:
        path = todo.pop()
        if path.startswith("draftgenie_azure/provision/") and path not in reached | SHARED:
            reached.add(path)
            todo += _imports(ROOT / path)

    assert reached == set(step.tools)


def test_every_module_of_provision_is_in_some_step() -> None:
    """A new module must not be forgotten."""
    declared = {path for step in STEPS for path in step.tools}
    folder = ROOT / "draftgenie_azure/provision"
    modules = {path.relative_to(ROOT).as_posix() for path in folder.rglob("[a-z]*.py")}

    assert modules - declared == SHARED | COMMANDS


def test_validity_rests_on_every_module_that_validates() -> None:
    """A configuration that was valid by other rules is looked at again."""
    reached: set[str] = set()
    todo = ["draftgenie_azure/config/validated/rules.py"]
    while todo:
        path = todo.pop()
        if path not in reached:
            reached.add(path)
            todo += _imports(ROOT / path)

    paths = {path.removeprefix("draftgenie_azure/") for path in reached}
    inside = {Path(path).relative_to(ROOT / "draftgenie_azure").as_posix() for path in validators()}
    assert paths - inside <= {"encodings.py", "masking.py"}  # which judge nothing


def test_module_of_ours_that_cannot_be_read_is_an_error(project: Project) -> None:
    """Not an empty hash."""
    from draftgenie_azure.changes.dependencies import Hasher
    from draftgenie_azure.config import raw as configuration
    from draftgenie_azure.errors import DeployerError
    from draftgenie_azure.steps import Step

    raw = configuration.read([str(project.directory / "config.yaml")], {})

    with pytest.raises(DeployerError, match=r"cannot read the command's own draftgenie_azure/provision/no\.py"):
        Hasher(raw, "00").dependencies(Step("x", "", tools=("no",)), {})


# ------------------------------------------------------------------------------------------------------------- reasons


def test_reasons_are_whole_in_json_and_log_and_short_on_the_terminal(deployed: Project) -> None:
    """The first few and a count for people; every one for whoever looks closer."""
    app = deployed.directory / "examples/draftgenie" / APP
    for number in range(20):
        (app / f"new{number:02}.py").write_text("", encoding="utf-8")

    short = deployed.run("--dry-run").out
    whole = plan(deployed)[BUILD]

    assert len(whole) == 40
    assert "image of draft_service: 20 files changed" in short
    assert deployed.run("--log-file", "run.log").code == 0
    log = (deployed.directory / "run.log").read_text(encoding="utf-8")
    assert all(reason in log for reason in whole)
    assert deployed.state()["steps"][BUILD]["metadata"]["reasons"] == ["image of draft_service: 20 files changed"]


def test_status_shows_since_when_how_long_and_why_each_step_last_ran(deployed: Project) -> None:
    """Without asking Azure, and without running anything."""
    deployed.change("postgresql.sku", "Standard_D2ds_v5")
    deployed.deploy()

    lines = deployed.run("--status").out.splitlines()
    document = deployed.run("--status", "--output", "json").events()[-1]["steps"]["create_databases"]

    record = deployed.state()["steps"]["create_databases"]
    (line,) = [line for line in lines if line.split()[:1] == ["create_databases"]]
    assert record["timestamp"] in line
    assert " s " in line
    assert line.endswith("postgresql.sku Standard_B1ms → Standard_D2ds_v5")
    assert document["reasons"] == ["postgresql.sku Standard_B1ms → Standard_D2ds_v5"]
    assert (document["since"], document["seconds"]) == (record["timestamp"], record["duration_seconds"])


def test_step_that_ran_and_published_the_same_sets_off_nobody_and_otherwise_is_named(deployed: Project) -> None:
    """Early cutoff: a tag is in no output; a service's name is."""
    deployed.change("monitoring.retention_days", 31)
    assert set(deployed.deploy().ran()) == {"create_monitoring"}

    deployed.change("services.draft_service.cpu", 0.25)
    deployed.change("services.draft_service.memory", "0.5Gi")
    ran = deployed.deploy().ran()

    assert ran["configure_environment_variables"] == ["outputs of deploy_application_services changed"]


def test_recorded_hash_that_is_not_that_of_its_lines_is_a_reason_to_run(deployed: Project) -> None:
    """Somebody edited the state: nothing uncertain is skipped."""
    state = deployed.state()
    state["steps"]["create_monitoring"]["dependency_hash"] = "0" * 64
    write_state(deployed, state)

    reasons = {"create_monitoring": ["the recorded hash is not that of its lines"]}
    assert deployed.run("--dry-run", "--output", "json").ran() == reasons
    assert deployed.deploy().ran() == reasons
    assert deployed.deploy().ran() == {}


@pytest.mark.parametrize("how", ["emptied", "without"])
def test_output_that_is_missing_is_a_reason_to_run_the_step_that_publishes_it(deployed: Project, how: str) -> None:
    """Never handed on as if it were there; what reads it then finds it as it was, and has no reason to run."""
    state = deployed.state()
    published = state["steps"]["create_container_registry"]["outputs"]
    if how == "emptied":
        state["steps"]["create_container_registry"]["outputs"] = {}
        reason = "its recorded id is missing or not a resource id"
    else:
        del state["steps"]["create_container_registry"]
        reason = "never ran"
    write_state(deployed, state)

    expected = {"create_container_registry": [reason]}
    assert deployed.run("--dry-run", "--output", "json").ran() == expected
    assert deployed.deploy().ran() == expected
    assert deployed.state()["steps"]["create_container_registry"]["outputs"] == published
    assert deployed.deploy().ran() == {}


def test_output_that_is_another_one_is_a_reason_to_run_what_reads_it(deployed: Project) -> None:
    """Somebody edited the state: each step that reads it runs, and says so."""
    state = deployed.state()
    state["steps"]["create_container_registry"]["outputs"]["edited"] = "by hand"
    write_state(deployed, state)

    assert plan(deployed)[BUILD] == ["output:create_container_registry changed"]


def write_state(project: Project, state: dict[str, Any]) -> None:
    """Replace the state document."""
    import json

    project.state_file.write_text(json.dumps(state, sort_keys=True, indent=2) + "\n", encoding="utf-8")
    project.state_file.chmod(stat.S_IRUSR | stat.S_IWUSR)


# ---------------------------------------------------------------------------------------------------------- per service


def test_one_service_among_fifty_means_one_build_and_one_app(tmp_path: Path) -> None:
    """And the run says so, by the file."""
    project = new_project(tmp_path)
    values = project.config()
    root = tmp_path / "examples/draftgenie"
    like = values["services"]["api_gateway"]
    for number in range(43):
        key = f"extra_{number:02}"
        (root / f"services/{key}").mkdir()
        (root / f"services/{key}/main.js").write_text(f"// {number}\n", encoding="utf-8")
        (root / f"docker/Dockerfile.{key}").write_text(
            f"FROM node:20-alpine\nCOPY services/{key}/ .\nCMD [\"node\", \"main.js\"]\n", encoding="utf-8"
        )
        values["services"][key] = {
            "port": 3000, "ingress": "internal", "health_path": like["health_path"], "min_replicas": 0,
            "dockerfile": f"docker/Dockerfile.{key}",
        }
    project.write(values)
    project.deploy()
    seen = len(project.requests())
    (root / "services/extra_07/main.js").write_text("// edited\n", encoding="utf-8")

    result = project.deploy()

    assert result.ran()[BUILD] == ["image of extra_07: services/extra_07/main.js changed"]
    done = {event["step"]: event["written"] for event in result.events() if event["event"] == "step_done"}
    assert (done[BUILD], done["deploy_application_services"]) == (["image/extra_07"], ["container_app/extra_07"])
    assert done["configure_environment_variables"] == []
    writes = project.writes(seen)
    assert sum("scheduleRun" in write for write in writes) == 1
    assert [write.rsplit("/", 1)[1] for write in writes if "/containerApps/" in write] == ["extra-07"]
