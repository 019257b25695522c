"""Thousands of broken configurations and states: a sentence or a plan, no traceback, no control character, no hang."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import random
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from project import STATE, Project

from draftgenie_azure.cli.signals import Interrupts
from draftgenie_azure.masking import MASK

PARTS = 8
EACH = 10_000 // 2 // PARTS  # of configurations and of states alike
LONGEST = 30.0  # seconds of the processor, of which each needs less than two
ODD_TEXTS = (
    "", " ", "~", "null", "yes", "0", "-1", "1e400", "0x10", "1_000", "2026-01-01", ".nan", "[]", "{}", "[[[[",
    "!!python/object/apply:os.system ['true']", "!!binary AA==", "&a [*a]", "*a", "<<: *a", "${", "${X}", "${X:-${Y}}",
    "a: b: c", "{{", "{{ }}", "{{ services.qdrant.url }}", "{{ secrets.x | urlencode }}", "$(X)", "%X%", "a\rb",
    "\x1b[31mred\x1b[0m", "a\x7fb", "\x9b31m", "\u202eabc", "##vso[task.setvariable variable=x]y", "::add-mask::x",
    "::set-output name=a::b", "ünïcödé", "\ud800", "a" * 5000, "../" * 50, "https://evil.test/", "/dev/zero",
    "/proc/self/mem", "\t", "# x", "'", '"',
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**30, 1.5, "", [], {}, [[]], {"": ""}, {"x": {"y": "z"}}, ["x"], *ODD_TEXTS,
)  # fmt: skip
RAW_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def mutated_text(text: str, chance: random.Random) -> str:
    """A file with one to three things wrong in its text."""
    for _ in range(chance.randint(1, 3)):
        lines = text.split("\n")
        where = chance.randrange(len(lines))
        how = chance.randrange(7)
        if how == 0:
            del lines[where]
        elif how == 1:
            lines.insert(where, chance.choice(lines))
        elif how == 2:
            lines[where] = lines[where][: chance.randint(0, len(lines[where]))]
        elif how == 3:
            lines[where] = " " * chance.randint(0, 5) + lines[where].lstrip()
        elif how == 4:
            key, colon, _ = lines[where].partition(":")
            lines[where] = f"{key}{colon} {chance.choice(ODD_TEXTS)}"
        elif how == 5:
            at = chance.randint(0, len(lines[where]))
            lines[where] = lines[where][:at] + chance.choice(ODD_TEXTS) + lines[where][at:]
        else:
            key, colon, rest = lines[where].partition(":")
            lines[where] = f"{key}{chance.choice(ODD_TEXTS)}{colon}{rest}"
        text = "\n".join(lines)
    return text


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document."""
    if path:
        yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(item, (*path, key))


def mutated_state(document: dict[str, Any], chance: random.Random) -> str:
    """A state with one to three values that are missing or something else; now and then broken as text."""
    made: dict[str, Any] = json.loads(json.dumps(document))
    for _ in range(chance.randint(1, 3)):
        path = chance.choice(list(places(made)))
        place: Any = made
        for key in path[:-1]:
            place = place[key]
        how = chance.randrange(4)
        if how == 0:
            del place[path[-1]]
        elif how == 1 and isinstance(place, dict):
            place[chance.choice(ODD_TEXTS)] = place[path[-1]]
        else:
            place[path[-1]] = chance.choice(ODD_VALUES)
        if not made:
            break
    text = json.dumps(made, indent=2, ensure_ascii=chance.random() < 0.5)
    return mutated_text(text, chance) if chance.random() < 0.1 else text


def run_here(command: Any, *arguments: str) -> tuple[int, str, float]:
    """The command in this process: its exit code, all that it printed, and seconds of the processor."""
    out, began = io.StringIO(), time.process_time()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            code = command.main(list(arguments))
        except SystemExit as end:
            code = int(end.code or 0)
    return code, out.getvalue(), time.process_time() - began


def check(command: Any, what: str, *arguments: str) -> None:
    """Run, and look at what came out."""
    MASK.forget()
    code, text, seconds = run_here(command, *arguments)

    assert code in (0, 1, 2), (what, code, text)
    assert "Traceback" not in text, (what, text)
    assert not RAW_CONTROL.search(text), (what, RAW_CONTROL.findall(text), text)
    assert seconds < LONGEST, (what, seconds)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The command as a module; signals and hooks are left as they were."""
    monkeypatch.setattr(Interrupts, "install", classmethod(lambda cls: None))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    module = importlib.import_module("deploy-azure_v1")
    yield module


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("subject", ["configurations", "states"])
def test_ten_thousand_mutated_files_give_a_message_or_are_used(
    subject: str, part: int, deployed: Project, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of them configurations, half of them states; their content is used, whatever it is."""
    chance = random.Random(f"{subject} {part}")
    monkeypatch.chdir(deployed.directory)
    config, state = Path("config.yaml"), Path(STATE)
    good_config, good_state = config.read_text(encoding="utf-8"), json.loads(state.read_text(encoding="utf-8"))
    good_state["target"].pop("emulator")  # no confirmation
    shutil.rmtree(".azure-emulator")
    state.unlink()
    for number in range(EACH):
        if subject == "configurations":
            text = mutated_text(good_config, chance)
            config.write_text(text, encoding="utf-8", errors="surrogatepass")
        else:
            text = mutated_state(good_state, chance)
            state.write_text(text, encoding="utf-8", errors="surrogatepass")
        output = ("--output", "json") if number % 4 == 0 else ()
        check(command, text, "--status" if number % 3 == 0 else "--dry-run", *output)
        assert Path(STATE).exists() == (subject == "states")
