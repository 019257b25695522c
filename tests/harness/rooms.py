"""The rooms of the code and the imports between them; `python tests/harness/rooms.py` draws them in the documents."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/architecture.md"
PACKAGE = "draftgenie_azure"
# What a room may import, besides the modules at the root of the package that import nothing but one another.
ALLOWED: dict[str, frozenset[str]] = {
    "command": frozenset(
        {"cli", "deployer", "planning", "provision", "changes", "state/blob", "state", "run", "config", "steps"}
    ),
    "cli": frozenset({"planning", "provision", "session", "changes", "state", "run", "config", "steps"}),
    "deployer": frozenset({"provision", "session", "arm", "state", "run", "config", "steps"}),
    "planning": frozenset({"provision", "session", "arm", "changes", "state", "steps"}),
    "provision": frozenset({"session", "arm", "build_context", "run", "config", "steps"}),
    "session": frozenset({"arm", "azure_emulator", "state", "run", "config"}),
    "state/blob": frozenset({"arm", "state", "config"}),
    "arm": frozenset({"state", "run", "config"}),
    "changes": frozenset({"build_context", "config", "steps"}),
    "state": frozenset({"config"}),
    "run": frozenset(),
    "build_context": frozenset(),
    "config": frozenset(),
    "steps": frozenset(),
    "azure_emulator": frozenset(),
}
# Modules at the root of the package that every room may use; they import nothing but one another.
SHARED = "shared"


@dataclass(frozen=True)
class Import:
    """One import statement.

    Attributes:
        source: path of the importing file, relative to the repository.
        line: its line.
        target: dotted name of what is imported, a module.
        checked_only: True if only for the type checker.
        function: name of the enclosing function; None at the top of the file.
    """

    source: str
    line: int
    target: str
    checked_only: bool
    function: str | None


def files() -> list[Path]:
    """The product's own Python files."""
    found = [ROOT / "deploy-azure_v1.py", ROOT / "deployer.py"]
    for folder in (PACKAGE, "azure_emulator"):
        found += sorted((ROOT / folder).rglob("*.py"))
    return found


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(name: str) -> str | None:
    """The room of a module by its dotted name or its path; None for what is not ours."""
    parts = name.removesuffix(".py").replace("/", ".").split(".")
    if parts[0] in ("deploy-azure_v1", "deployer", "azure_emulator"):
        return "command" if parts[0].startswith("deploy-") else parts[0]
    if parts[0] != PACKAGE:
        return None
    if len(parts) == 1:
        return SHARED
    if parts[1] == "__main__":
        return "command"
    if parts[1:3] == ["state", "blob"]:
        return "state/blob"
    return parts[1] if parts[1] in ALLOWED else SHARED


@cache
def imports() -> tuple[Import, ...]:
    """Every import of one of our modules by another."""
    return tuple(found for path in files() for found in _imports(path))


def _imports(path: Path) -> Iterator[Import]:
    tree = tree_of(path)
    source = path.relative_to(ROOT).as_posix()
    for node, function, checked in walk(tree):
        for target in _targets(node, source):
            if room_of(target) is not None:
                yield Import(source, node.lineno, target, checked, function)


def walk(
    node: ast.AST, function: str | None = None, checked: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom, str | None, bool]]:
    """Import statements, with the function and whether the type checker alone reads them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, function, checked
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from walk(child, child.name, checked)
        else:
            inside = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            yield from walk(child, function, checked or inside)


def _targets(node: ast.stmt, source: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert isinstance(node, ast.ImportFrom)
    module = node.module or ""
    if node.level:
        above = source.removesuffix(".py").split("/")[: -node.level]
        module = ".".join([*above, *([module] if module else [])])
    return [f"{module}.{alias.name}" if _is_module(f"{module}.{alias.name}") else module for alias in node.names]


def _is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or path.is_dir()


def arrows() -> dict[tuple[str, str], list[Import]]:
    """Imports from one room into another."""
    found: dict[tuple[str, str], list[Import]] = {}
    for one in imports():
        here, there = room_of(one.source), room_of(one.target)
        if here != there and there != SHARED:
            found.setdefault((str(here), str(there)), []).append(one)
    return found


def circles() -> list[list[str]]:
    """Return modules that import one another, directly or not, if only for the type checker."""
    graph: dict[str, set[str]] = {}
    for one in imports():
        graph.setdefault(_module(one.source), set()).add(one.target)
    try:
        tuple(TopologicalSorter({name: _loaded(graph[name]) for name in graph}).static_order())
    except CycleError as error:
        return [error.args[1]]
    return []


def _module(source: str) -> str:
    return source.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _loaded(names: set[str]) -> set[str]:
    """Modules without packages: importing a module imports its package first, which needs none of its modules."""
    return {name for name in names if not (ROOT / name.replace(".", "/")).is_dir()}


def picture() -> str:
    """The rooms and their arrows, as a Mermaid drawing; dotted where the type checker alone needs it."""
    lines = ["```mermaid", "flowchart TD"]
    for (here, there), used in sorted(arrows().items()):
        arrow = "-.->" if all(one.checked_only for one in used) else "-->"
        lines.append(f"    {here} {arrow} {there}")
    return "\n".join([*lines, "```"])


def with_picture(text: str) -> str:
    """The page with the drawing as it is now."""
    return re.sub(r"```mermaid\n.*?```", lambda _: picture(), text, count=1, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(with_picture(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(picture() + "\n")
