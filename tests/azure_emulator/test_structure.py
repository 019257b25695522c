"""Allowed imports of the emulator: acyclic, in one direction, nothing of the deployer."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "azure_emulator"
ALLOWED = {
    "core": {"core"},
    "services": {"core", "services"},
    "front": {"core", "services", "front"},
    "attach": {"core", "lockfile"},
    "lockfile": {"core"},
    "__main__": {"core", "services", "front", "lockfile"},
}
"""By the folder or module directly below the package: what it may import of the package."""


def _modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }


def _imports(path: Path, known: dict[str, Path]) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for name in node.names:
                full = f"{node.module}.{name.name}"
                found.add(full if full in known else str(node.module))
    return found


def test_modules_import_each_other_in_one_direction_without_circles() -> None:
    known = _modules()
    graph = {name: _imports(path, known) & known.keys() for name, path in known.items()}
    list(TopologicalSorter(graph).static_order())  # raises CycleError


def test_a_folder_imports_only_what_the_table_allows() -> None:
    known = _modules()
    wrong = []
    for name, path in known.items():
        if name == "azure_emulator":
            continue
        own = name.split(".")[1]
        for other in _imports(path, known):
            if other in known and other != "azure_emulator" and other.split(".")[1] not in ALLOWED[own]:
                wrong.append(f"{name} -> {other}")
            if other.split(".")[0] in ("draftgenie_azure", "deployer"):
                wrong.append(f"{name} -> {other}")
    assert not wrong


def test_the_running_emulator_has_loaded_nothing_of_the_deployer() -> None:
    code = (
        "import sys, azure_emulator.__main__, azure_emulator.attach;"
        "print([name for name in sys.modules if name.split('.')[0] in ('draftgenie_azure', 'deployer')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.strip() == "[]"
