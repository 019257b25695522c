"""Each step depends on the modules that do its work."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from project import ROOT, Project

from draftgenie_azure.changes.decision import validators
from draftgenie_azure.changes.dependencies import Hasher
from draftgenie_azure.config import raw as configuration
from draftgenie_azure.errors import DeployerError
from draftgenie_azure.steps import STEPS, Step

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


# Modules shared by all steps, and those for display, are in no step's list: a fix there deploys nothing.
_SHARED = ("addresses", "bodies/tags", "container_logs", "known_secrets", "remedies", "survey")
SHARED = {f"draftgenie_azure/provision/{name}.py" for name in _SHARED}
# What other commands do, and no step.
_COMMANDS = (
    "deleted_vaults", "inventory", "log_stream", "rollback", "rotation",
    "teardown", "teardown_checks", "teardown_plan",
)
COMMANDS = {f"draftgenie_azure/provision/{name}.py" for name in _COMMANDS}


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


def test_cached_validity_depends_on_every_validating_module() -> None:
    """A configuration that was valid by other rules is validated again."""
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

    raw = configuration.read([str(project.directory / "config.yaml")], {})

    with pytest.raises(DeployerError, match=r"cannot read the command's own draftgenie_azure/provision/no\.py"):
        Hasher(raw, "00").dependencies(Step("x", "", tools=("no",)), {})
