"""Failures of the state, its storage and its lock, and of commands on what is deployed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

from failure_kinds import kind
from project import Project, Result
from state_runs import slow_run

DEAD_END = "http://127.0.0.1:9/devstoreaccount1"  # nobody listens there


def _with_state(project: Project, text: str) -> Result:
    project.state_file.write_text(text, encoding="utf-8")
    return project.run()


@kind("state empty", deployed=True, what="the state \\S+ is empty", why="is empty",
      next="--reset-state, then .*--adopt")  # fmt: skip
def _(project: Project) -> Result:
    return _with_state(project, "")


@kind("state torn", deployed=True, what="the state \\S+ is not valid JSON", why="line \\d+ column \\d+",
      next="The last good copy is .* --restore-state ")  # fmt: skip
def _(project: Project) -> Result:
    project.deploy("--force-step", "create_monitoring")
    return _with_state(project, project.state_file.read_text(encoding="utf-8")[:4576])


@kind("state of another program", deployed=True, what="the state \\S+ has version 4",
      why="this command knows '1.0'", next="--reset-state")  # fmt: skip
def _(project: Project) -> Result:
    return _with_state(project, '{"version": 4, "terraform_version": "1.9.0", "lineage": "x"}')


@kind("state of a newer command", deployed=True, what="the state \\S+ has version '9.0'",
      why="this command knows '1.0'", next="--reset-state")  # fmt: skip
def _(project: Project) -> Result:
    return _with_state(project, json.dumps(project.state() | {"version": "9.0"}))


@kind("state with a value of another form", deployed=True, what="the state \\S+: steps has an",
      why="has an unexpected value", next="--reset-state")  # fmt: skip
def _(project: Project) -> Result:
    return _with_state(project, json.dumps(project.state() | {"steps": []}))


@kind("state of another target", deployed=True, what="was recorded for resource_group draftgenie-rg",
      why="the configuration targets draftgenie-prod", next="advanced.state_file.*--reset-state")  # fmt: skip
def _(project: Project) -> Result:
    project.change("azure.resource_group", "draftgenie-prod")
    return project.run()


@kind("emulator deleted under a state", deployed=True, what="was recorded for emulator",
      why=".azure-emulator is missing", next="--reset-state")  # fmt: skip
def _(project: Project) -> Result:
    shutil.rmtree(project.directory / ".azure-emulator")
    return project.run()


@kind("directory of the state read-only", deployed=True, what="the state \\S+ cannot be locked",
      next="Make the directory", why="Read-only file system")  # fmt: skip
def _(project: Project) -> Result:
    (project.directory / "state").mkdir()
    project.state_file.rename(project.directory / "state/state.json")
    project.change("advanced.state_file", "state/state.json")
    script = 'mount --bind state state && mount -o remount,bind,ro state && exec "$@"'
    return _with_mounts(project, script, "--force-step", "create_monitoring")


@kind("disk full", what="the state \\S+ cannot be saved", why="No space left on device",
      next="restore it: .*--restore-state")  # fmt: skip
def _(project: Project) -> Result:
    (project.directory / "small").mkdir()
    project.change("advanced.state_file", "small/state.json")
    return _with_mounts(project, 'mount -t tmpfs -o size=64k tmpfs small && exec "$@"', "--parallelism", "1")


def can_mount() -> bool:
    """Return whether a file system can be mounted in a separate namespace."""
    if shutil.which("unshare") is None:
        return False
    command = [*_unshare(), "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _unshare() -> list[str]:
    return ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--mount"]


def _with_mounts(project: Project, script: str, *arguments: str) -> Result:
    command = [*_unshare(), "sh", "-c", script, "sh", *project.command(*arguments)]
    done = subprocess.run(command, cwd=project.directory, env=project.env(), capture_output=True, text=True,
                          timeout=100, check=False)  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)


@kind("emergency state file that is not restored", deployed=True,
      what="an earlier run could not save the state", why="serial \\d+, the state has \\d+",
      next="--restore-state")  # fmt: skip
def _(project: Project) -> Result:
    newer = project.state() | {"serial": project.state()["serial"] + 5}
    emergency = project.directory / f"{project.state_file.name}.rescue-20260101T000000Z-1.json"
    emergency.write_text(json.dumps(newer), encoding="utf-8")
    emergency.chmod(0o600)
    return project.run("--force-step", "create_monitoring")


@kind("two runs at once", what="the state \\S+ is locked by", why="process \\d+, since .*deploy-azure_v1.py",
      next="--lock-timeout 10m\n.*kill \\d+")  # fmt: skip
def _(project: Project) -> Result:
    with slow_run(project):
        return project.run()


@kind("unlock of a run that lives", what="the state \\S+ is locked by", why="process \\d+", next="kill \\d+")
def _(project: Project) -> Result:
    with slow_run(project):
        return project.run("--force-unlock", "--auto-approve")


@kind("restore of a file that is not there", deployed=True, what="there is no nowhere.json", why="there is no",
      next="cop")  # fmt: skip
def _(project: Project) -> Result:
    return project.run("--restore-state", "nowhere.json")


@kind("restore of something else", deployed=True, what="config.yaml is not valid JSON", why="line 1 column 1",
      next="Name a copy of a state")  # fmt: skip
def _(project: Project) -> Result:
    return project.run("--restore-state", "config.yaml")


@kind("blob without an account", what="needs a storage account", why="state in a blob",
      next="advanced.state_blob_account, or AZURE_STORAGE_CONNECTION_STRING")  # fmt: skip
def _(project: Project) -> Result:
    project.environment["AZURE_STATE_STORAGE"] = "blob"
    return project.run()


@kind("connection string that is none", what="AZURE_STORAGE_CONNECTION_STRING",
      why="is not a storage account's", next="Access keys")  # fmt: skip
def _(project: Project) -> Result:
    project.environment |= {"AZURE_STATE_STORAGE": "blob", "AZURE_STORAGE_CONNECTION_STRING": "nonsense"}
    return project.run()


@kind("storage that cannot be reached", what="the state \\S+ cannot be read", why="the connection is refused",
      next="firewall, proxy")  # fmt: skip
def _(project: Project) -> Result:
    account = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=a2V5"
    connection = f"{account};BlobEndpoint={DEAD_END};"
    project.environment |= {"AZURE_STATE_STORAGE": "blob", "AZURE_STORAGE_CONNECTION_STRING": connection}
    return project.run()


@kind("another plan than the one reviewed", deployed=True, what="the plan differs from the reviewed one",
      why="instead of 0000", next="Review it again with --dry-run")  # fmt: skip
def _(project: Project) -> Result:
    project.change("postgresql.backup_retention_days", 14)
    return project.run("--expect-plan", "0" * 64)


@kind("rollback to a run that is not there", deployed=True, what="there is no run 7", why="no run 7", next="--history")
def _(project: Project) -> Result:
    return project.run("--rollback", "7", "--auto-approve")


@kind("rollback to what is deployed", deployed=True, what="images of run 1", why="are deployed already",
      next="Nothing to do")  # fmt: skip
def _(project: Project) -> Result:
    return project.run("--rollback", "1", "--auto-approve")


@kind("rotation of an unknown secret", deployed=True, what="there is no secret 'jwt_secrt'",
      why="did you mean jwt-secret", next="jwt-secret")  # fmt: skip
def _(project: Project) -> Result:
    return project.run("--rotate-secret", "jwt_secrt")


@kind("rotation of a given secret", deployed=True, what="gemini_api_key is not generated",
      why="comes from elsewhere", next="Change it there")  # fmt: skip
def _(project: Project) -> Result:
    return project.run("--rotate-secret", "gemini_api_key")


@kind("record that is not there", deployed=True, what="no resource 'redsi'", why="the state has no", next="redis")
def _(project: Project) -> Result:
    return project.run("--forget", "redsi")


@kind("log of an unknown service", deployed=True, what="no service 'rag_servce'", why="there is no", next="rag_service")
def _(project: Project) -> Result:
    return project.run("--logs", "rag_servce")


@kind("history of a run that is not there", deployed=True, what="there is no run 42", why="no run 42", next="--history")
def _(project: Project) -> Result:
    return project.run("--history", "42")
