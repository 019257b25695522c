"""Texts that are printed as they are (--help, --version, --completion), closed streams, full disks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from project import COMMAND

TEXTS = [["--help"], ["--version"], ["--completion", "zsh"]]
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device here that is always full")


def shell(script: str, directory: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command in a shell: `"$@"` is the command."""
    return subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, str(COMMAND), *arguments], cwd=directory, env={**os.environ, **more},
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize("arguments", TEXTS, ids=lambda arguments: arguments[0])
def test_text_is_an_event_where_json_is_asked_for(tmp_path: Path, arguments: list[str]) -> None:
    """Standard output has nothing but JSON, wherever the flags stand."""
    plain = shell('"$@"', tmp_path, *arguments)
    before = shell('"$@"', tmp_path, "--output", "json", *arguments)
    after = shell('"$@"', tmp_path, *arguments, "--output=json")

    for done in (before, after):
        (event,) = map(json.loads, done.stdout.splitlines())
        assert (done.returncode, done.stderr) == (0, "")
        assert (event["type"], event["event"], event["exit_code"]) == ("end", arguments[0][2:], 0)
        assert "\n".join(event["lines"]) + "\n" == plain.stdout


@needs_full
@pytest.mark.parametrize("arguments", TEXTS, ids=lambda arguments: arguments[0])
def test_text_that_cannot_be_written_is_a_failure(tmp_path: Path, arguments: list[str]) -> None:
    done = shell('"$@" > /dev/full', tmp_path, *arguments)

    assert done.returncode == 1
    assert done.stderr.startswith("failed: the result could not be written: No space left on device\n  next: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", TEXTS, ids=lambda arguments: arguments[0])
def test_reader_that_went_away_is_not_a_failure(tmp_path: Path, arguments: list[str]) -> None:
    """As with `| head -1`; the reader here never reads at all."""
    done = shell('{ "$@"; echo "code $?" >&2; } | true', tmp_path, *arguments)

    assert done.stderr == "code 0\n"


@pytest.mark.parametrize("script", ['"$@" >&-', '"$@" 2>&-', '"$@" >&- 2>&-', '"$@" <&-'])
def test_closed_stream_is_not_a_failure(tmp_path: Path, script: str) -> None:
    done = shell(script, tmp_path, "--help")

    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_deleted_working_directory_is_named(tmp_path: Path) -> None:
    """A shell whose checkout was deleted and made again below it."""
    here = tmp_path / "gone"
    here.mkdir()
    done = shell('rmdir "$PWD" && "$@"', here, "--status")

    assert done.returncode == 1
    assert done.stderr.startswith("failed: the working directory was deleted\n  next: Change to a directory")


def test_signs_are_ascii_where_nothing_else_can_be_shown() -> None:
    """Arrow, dash and ellipsis of ours; what others wrote is escaped."""
    program = (
        "import sys; from draftgenie_azure.cli.views import print_text\n"
        "print_text(sys.stdout, 'sku A → B, 6–11 min, sha256:12…, ü')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=COMMAND.parent, env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == "sku A -> B, 6-11 min, sha256:12..., \\xfc\n"


def test_missing_package_for_completion_is_reported_like_any_other(tmp_path: Path) -> None:
    """A checkout without `pip install`: the command that installs it, and no traceback."""
    hidden = (
        "import runpy, sys\n"
        "sys.modules['shtab'] = None\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden, str(COMMAND), "--completion", "bash"], cwd=tmp_path, capture_output=True,
        text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr.startswith("failed: the Python package that provides shtab is not installed for ")
    assert "pip install --require-hashes" in done.stderr
