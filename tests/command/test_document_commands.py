"""Every command that the documents show is run, or the table here says why not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from programs import program
from project import ROOT, Project

BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
# Page and place of each block of shell commands, and which test runs it, or why none does.
RUN = {
    ("README.md", 0): "test_readme_can_be_followed",
    ("README.md", 1): "test_readme_can_be_followed",
    ("README.md", 2): "test_readme_can_be_followed",
    ("README.md", 3): "no test: it runs the tests; .ci/run runs the same command in a fresh environment",
    ("CONTRIBUTING.md", 0): "no test: .ci/run runs these commands; the tables are checked by test_docs.py",
    ("CONTRIBUTING.md", 1): "no test: it asks the package index for the newest; test_requirements.py checks its result",
    ("docs/emulator.md", 0): "test_emulator_page_can_be_followed",
    ("docs/emulator.md", 1): "test_emulator_page_can_be_followed",
    ("docs/emulator.md", 2): "test_emulator_page_can_be_followed",
    ("docs/how-it-decides.md", 0): "test_hash_can_be_computed_by_hand",
    ("docs/index.md", 0): "test_index_shows_the_commands_of_the_readme",
    **{("docs/moving.md", place): "test_moving_document.py runs them all in order" for place in range(7)},
}


def blocks(page: Path) -> list[str]:
    """The shell commands of a page, block by block."""
    return [re.sub("^  ", "", block, flags=re.MULTILINE) for block in BLOCK.findall(page.read_text(encoding="utf-8"))]


def shell(script: str, directory: Path, env: dict[str, str], timeout: float = 600) -> str:
    """Return the output of a script, which must succeed."""
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{script}"], cwd=directory, env=env, capture_output=True, text=True,
        timeout=timeout, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def plain_environment(**more: str) -> dict[str, str]:
    """The environment of a newcomer: nothing of ours, the programs of this Python first."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AZURE_", "ARM_", "VIRTUAL_ENV"))}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **more}


def test_every_block_of_commands_is_in_the_table() -> None:
    found = {(str(page.relative_to(ROOT)), place) for page in PAGES for place in range(len(blocks(page)))}

    assert found == set(RUN)
    here = set(globals())
    assert all(how in here or how.startswith(("no test: ", "test_moving_document.py")) for how in RUN.values())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_readme_can_be_followed(tmp_path: Path) -> None:
    """In a clean checkout: install, deploy, again, look at a change, and production beside it."""
    shell(f"git clone --quiet {ROOT} checkout", tmp_path, plain_environment())
    checkout = tmp_path / "checkout"
    install_and_deploy, look, production, _ = blocks(ROOT / "README.md")
    _, deploy = install_and_deploy.splitlines()
    (overlay,) = re.findall(r"(?ms)^  ```yaml\n  # prod\.yaml\n(.*?)^  ```$", (ROOT / "README.md").read_text("utf-8"))

    first = shell(install_and_deploy, checkout, plain_environment())
    again = shell(deploy, checkout, plain_environment())
    configuration = checkout / "config.yaml"
    changed = configuration.read_text(encoding="utf-8").replace("sku: Standard_B1ms", "sku: Standard_D2ds_v5")
    configuration.write_text(changed, encoding="utf-8")
    plan = shell(look, checkout, plain_environment())
    (checkout / "prod.yaml").write_text(re.sub("^  ", "", overlay, flags=re.MULTILINE), encoding="utf-8")
    beside = shell(production, checkout, plain_environment())

    assert "14 ran" in first
    assert "0 ran" in again
    assert "Standard_D2ds_v5" in plan
    assert "14 ran" in beside
    assert (checkout / ".azure-deployment-state-prod.json").exists()
    assert shell("git status --porcelain --untracked-files=no", checkout, plain_environment()) == " M config.yaml\n"


def test_index_shows_the_commands_of_the_readme() -> None:
    """The same two, in an environment that is active."""
    readme = blocks(ROOT / "README.md")[0].replace("python3 -m venv .venv && ", "").replace(".venv/bin/", "")

    assert blocks(ROOT / "docs/index.md") == [readme]


@pytest.mark.program("jq")
def test_hash_can_be_computed_by_hand(deployed: Project) -> None:
    """By the command of docs/how-it-decides.md."""
    (command,) = blocks(ROOT / "docs/how-it-decides.md")

    printed = shell(command, deployed.directory, plain_environment())

    assert printed.split()[0] == deployed.state()["steps"]["create_databases"]["dependency_hash"]


@pytest.mark.slow
@pytest.mark.program("az")
def test_emulator_page_can_be_followed(tmp_path: Path) -> None:
    """Start it, use it by az, and give Terraform its variables."""
    start, az, terraform = blocks(ROOT / "docs/emulator.md")
    use = f"az() {{ {program('az')} \"$@\"; }}\n{az}"
    script = f"trap 'kill %1' EXIT\n{start}{use}\n{terraform}test -f \"$SSL_CERT_FILE\"; echo \"$ARM_SUBSCRIPTION_ID\""
    env = plain_environment(PYTHONPATH=str(ROOT), AZURE_CONFIG_DIR=str(tmp_path / "az"))

    printed = shell(script, tmp_path, env, timeout=110)

    assert re.search(r"^[0-9a-f-]{36}$", printed.splitlines()[-1])


HELP = import_module("deploy-azure_v1").__doc__ or ""
EXAMPLES = re.findall(r"^    deploy-azure_v1\.py (.+?)(?:  .*)?$", HELP, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_example_of_the_help_runs(deployed: Project, example: str) -> None:
    """As `--help` shows it, in a deployed project with a file for production."""
    deployed.overlay("prod.yaml", {"postgresql": {"backup_retention_days": 14}})

    result = deployed.run(*example.split())

    assert result.code == 0, result.text


def test_help_has_examples() -> None:
    assert len(EXAMPLES) >= 3
