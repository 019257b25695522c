"""The rooms of the code: which may import which, what is light and what heavy, and the page that shows them."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
import rooms
from project import COMMAND, ROOT, Project

# Function -> what it imports: the seams at which heavy code is entered. Elsewhere, imports are at the top of the file.
SEAMS = {
    # Not heavy, but the one package that every run needs: where it is missing, the command still starts and says so.
    ("draftgenie_azure/config/raw.py", "read"): "draftgenie_azure.config.yaml_reader",
    ("draftgenie_azure/config/raw.py", "validate"): "draftgenie_azure.config.validated.rules",
    ("deployer.py", "connect"): "draftgenie_azure.session",
    ("deploy-azure_v1.py", "_open_backend"): "draftgenie_azure.state.blob.location",
    # Two thousand names of characters, 1.4 ms: few texts have one, and every run imports this module.
    ("draftgenie_azure/encodings.py", "_named"): "html.entities",
    # cryptography, which only a name needs that no client asked for before.
    ("azure_emulator/front/certificates.py", "_issuing"): "azure_emulator.front",
}
# What only a run that does something needs, and what takes long to import.
HEAVY = (
    "azure.", "pydantic", "requests", "filelock", "logging", "urllib3", "trustme", "cryptography",
    "shtab", "dataclasses", "azure_emulator", "draftgenie_azure.arm", "draftgenie_azure.session",
    "draftgenie_azure.provision.", "draftgenie_azure.config.validated.", "draftgenie_azure.state.blob",
    "draftgenie_azure.run.", "draftgenie_azure.cli.live", "draftgenie_azure.cli.terminal",
)  # fmt: skip


@pytest.mark.parametrize("arrow", sorted(rooms.arrows()), ids=" -> ".join)
def test_each_room_imports_only_what_the_table_allows(arrow: tuple[str, str]) -> None:
    """Imports for the type checker included."""
    here, there = arrow

    assert there in rooms.ALLOWED[here], rooms.arrows()[arrow]


def test_the_table_of_arrows_has_no_circle_and_no_arrow_that_no_one_uses() -> None:
    """So that it can be read from top to bottom, and says what is."""
    names = list(rooms.ALLOWED)

    assert all(names.index(there) > names.index(here) for here, allowed in rooms.ALLOWED.items() for there in allowed)
    assert {(here, there) for here, allowed in rooms.ALLOWED.items() for there in allowed} == set(rooms.arrows())


def test_shared_modules_import_no_room() -> None:
    """Every room may use them."""
    shared = [one for one in rooms.imports() if rooms.room_of(one.source) == rooms.SHARED]

    assert [one for one in shared if rooms.room_of(one.target) != rooms.SHARED] == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Wherever the import is, and if only for the type checker."""
    assert rooms.circles() == []


def test_imports_are_at_the_top_of_the_file_but_at_the_seams() -> None:
    """Heavy code is entered there alone."""
    inside = {}
    for path in rooms.files():
        for node, function, _ in rooms.walk(rooms.tree_of(path)):
            if function is not None:
                name = node.module if isinstance(node, ast.ImportFrom) else ast.unparse(node)
                inside[path.relative_to(ROOT).as_posix(), function] = name

    assert inside == SEAMS


# Runs the command, and prints the modules that it has imported at its end.
PROBE = f"""
import os, runpy, sys
def tell(code):
    print(*sys.modules, file=sys.stderr, flush=True)
    raise SystemExit(code)
os._exit = sys.exit = tell
sys.path.insert(0, {str(ROOT)!r})
sys.argv = ["deploy-azure_v1.py", *sys.argv[1:]]
runpy.run_path({str(COMMAND)!r}, run_name="__main__")
"""


@pytest.mark.parametrize("arguments", [(), ("--dry-run",), ("--status",), ("--help",)], ids=" ".join)
def test_light_commands_import_nothing_heavy(deployed: Project, arguments: tuple[str, ...]) -> None:
    """A run in which nothing changed, a plan of it, the status and the help."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        cwd=deployed.directory, env=deployed.env(), capture_output=True, text=True,
    )  # fmt: skip
    modules = set(done.stderr.splitlines()[-1].split())
    # The status says who holds the lock, for which it has to try it.
    heavy = [name for name in HEAVY if arguments != ("--status",) or name not in ("filelock", "logging", "dataclasses")]

    assert "draftgenie_azure.steps" in modules
    assert [name for name in modules if name.startswith(tuple(heavy)) or name == "azure"] == []


def test_emulator_imports_nothing_of_the_deployer() -> None:
    """It is written from Azure's documents, or it would only agree with itself."""
    ours = "[name for name in sys.modules if name.startswith(('draftgenie', 'deploy'))]"
    code = f"import azure_emulator.__main__, sys; print({ours})"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_picture_of_the_rooms_is_drawn_from_the_code() -> None:
    """`python tests/harness/rooms.py` draws it again."""
    text = rooms.PAGE.read_text(encoding="utf-8")

    assert rooms.with_picture(text) == text
    assert all(room in text for room in rooms.ALLOWED if room not in ("command", "deployer"))


def test_every_module_has_one_sentence_that_says_its_subject() -> None:
    """Its docstring."""
    files = [path for path in rooms.files() if path.name != "__init__.py"]

    assert [str(path) for path in files if not ast.get_docstring(rooms.tree_of(path))] == []
