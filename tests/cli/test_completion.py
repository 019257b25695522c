"""Completion in the shells themselves: what pressing TAB completes."""

from __future__ import annotations

import importlib
import subprocess
from pathlib import Path

import pytest
from programs import program
from project import Project
from terminal import Terminal

CASES = [  # typed text, and the line after TAB
    ("deploy-azure_v1.py --rot", "--rotate-secret"),
    ("deploy-azure_v1.py --dry-run --force-step create_d", "create_databases"),
    ("deploy-azure_v1.py --move-state b", "--move-state blob"),
    ("deploy-azure_v1.py --config conf", "--config config.yaml"),
    ("draftgenie-deploy --completion fi", "--completion fish"),
]
PROMPT = "ready>"


def script(project: Project, shell: str) -> Path:
    """The script as the command prints it, in a file."""
    result = project.run("--completion", shell)
    assert (result.code, result.err) == (0, "")
    path = project.directory / f"completion.{shell}"
    path.write_text(result.out, encoding="utf-8")
    return path


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_tab_completes_flags_steps_choices_and_files(project: Project, shell: str) -> None:
    """In an interactive shell on a terminal, with the script as the documents say."""
    source = {
        "bash": f"source {script(project, shell).name}",
        "zsh": f'autoload -U compinit; compinit -u -D; eval "$(cat {script(project, shell).name})"',
    }[shell]
    command = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}[shell]
    prompts = {"PS1": PROMPT, "PROMPT": PROMPT, "INPUTRC": "/dev/null", "HOME": str(project.directory)}
    with Terminal([program(shell), *command], project.directory, project.env() | prompts, columns=120) as terminal:
        terminal.wait_for(PROMPT)
        terminal.send(f"{source}; echo loa''ded\n".encode())
        terminal.wait_for("\nloaded")
        for typed, completed in CASES:
            terminal.send(f"{typed}\t".encode())
            terminal.wait_for(f"{typed.split(' ')[0]} {completed}" if completed.startswith("--") else completed)
            terminal.send(b"\x15")  # Ctrl-U: an empty line again
        terminal.send(b"exit\n")
        terminal.end()


def test_fish_completes_flags_steps_choices_and_files(project: Project) -> None:
    """Fish says what TAB would offer."""
    path = script(project, "fish")
    for typed, completed in CASES:
        done = subprocess.run(
            [program("fish"), "--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"', str(path), typed],
            cwd=project.directory, env=project.env() | {"HOME": str(project.directory)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip

        offered = [line.split("\t")[0] for line in done.stdout.splitlines()]
        assert completed.split(" ")[-1] in offered, done


def test_every_flag_is_completed(project: Project) -> None:
    """By name, in each of the three scripts."""
    command = importlib.import_module("deploy-azure_v1")
    flags = [flag for action in command.build_parser("")._actions for flag in action.option_strings]
    for shell in ("bash", "zsh", "fish"):
        text = script(project, shell).read_text(encoding="utf-8")

        assert [flag for flag in flags if flag.lstrip("-") not in text] == []


def test_unknown_shell_is_bad_usage(project: Project) -> None:
    result = project.run("--completion", "csh")

    assert result.code == 1
    assert "bash" in result.err
