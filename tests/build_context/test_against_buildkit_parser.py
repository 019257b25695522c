"""Our reading of Dockerfiles beside that of BuildKit's own parser (PyPI's `dockerfile` is that parser)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import dockerfile
import pytest
from dockerfile_cases import ALL
from hypothesis import given, settings
from hypothesis import strategies as st

from draftgenie_azure.build_context.buildkit import needs
from draftgenie_azure.build_context.dockerfile import reachable
from draftgenie_azure.build_context.instructions import Undecidable, read

AUTOMATIC = r"\$\{?((?:TARGET|BUILD)(?:PLATFORM|OS|ARCH|VARIANT))\}?"
CLASSIC = {"FROM": {"platform"}, "COPY": {"from", "chown"}, "ADD": {"chown"}, "HEALTHCHECK": {"interval"}}


def ours(text: str) -> list[tuple[int, str]]:
    return [(instruction.line, instruction.word) for instruction in read(text)]


def theirs(text: str) -> list[tuple[int, str]]:
    return [(command.start_line, (command.cmd or "").upper()) for command in dockerfile.parse_string(text)]


def expected_lines(text: str) -> set[int]:
    """The lines that need BuildKit, from that parser's options, here-documents and words."""
    return {command.start_line for command in dockerfile.parse_string(text) if _needs_buildkit(command)}


def _needs_buildkit(command: dockerfile.Command) -> bool:
    word = (command.sub_cmd or command.cmd).upper()
    given = command.flags or re.findall(r"(?i)^ONBUILD +\w+ +(--\S+)", command.original)  # it drops those of ONBUILD
    options = {flag.removeprefix("--").partition("=")[0].lower() for flag in given}
    if command.heredocs or options - CLASSIC.get(word, set()):
        return True
    if word == "FROM":
        return bool(re.search(AUTOMATIC, " ".join((*command.flags, *command.value))))
    if word == "ARG":
        return any(re.fullmatch(AUTOMATIC, "$" + name) for name in command.value)
    if word == "ADD":
        return any(re.search(r"\.git(#|$)", source) for source in command.value[:-1])
    return word == "ENV" and any("#" in value for value in command.value)


def sources(text: str) -> Iterator[str]:
    """Return the sources of COPY and ADD according to that parser."""
    for command in dockerfile.parse_string(text):
        word = (command.sub_cmd or command.cmd).upper()
        from_elsewhere = any(flag.lower().startswith("--from=") for flag in command.flags)
        if word in ("COPY", "ADD") and not from_elsewhere:
            heredocs = {heredoc.name for heredoc in command.heredocs}
            for source in command.value[:-1]:
                if source.lstrip("<-").strip("'\"") not in heredocs and not re.match(r"https?://|git@", source):
                    yield source


@pytest.mark.parametrize("text", ALL.values(), ids=ALL)
def test_same_instructions_on_the_same_lines(text: str) -> None:
    assert ours(text) == theirs(text)


@pytest.mark.parametrize("text", ALL.values(), ids=ALL)
def test_need_for_buildkit_agrees_with_its_parser(text: str) -> None:
    assert {need.line for need in needs(text)} == expected_lines(text)


@pytest.mark.parametrize("text", ALL.values(), ids=ALL)
def test_every_source_in_the_parsers_output_is_found(text: str) -> None:
    reach = reachable(text, every_stage=True)

    for source in sources(text):
        name = re.sub(r"\[.*?\]|\?", "b", source.replace("**", "x").replace("*", "x")).removesuffix("/.")
        name = re.sub(r"^(\.?\.?/)+", "", name).replace("/./", "/").replace("rel/../", "").rstrip("/")
        assert reach.everything or reach.covers(name), source
    if reach.everything:
        assert any(re.fullmatch(r"[./]*|.*\$.*|.*\[.*", source) for source in sources(text)) or "target=." in text


# What BuildKit's parser makes of any lines, one after another.
LINES = st.sampled_from(
    [
        "FROM a", "COPY a b", "RUN make \\", "  && make", "# comment", "", "\\", "RUN <<E", "E", "RUN a <<'F' b", "F",
        "\tRUN x", "ENV a=b \\  ", "COPY <<-G /g", "\tG", "LABEL a=\"b\\", "c\"", "RUN a \\\\", "ADD --chown=1 a b",
        "ONBUILD RUN <<E", "CMD [\"a\"]", "RUN echo \"<<E\"", "COPY a <<E b", "RUN 5<<E",
    ]
)  # fmt: skip


@settings(max_examples=2000, deadline=None)
@given(st.lists(LINES, max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_any_lines_are_parsed_alike_or_refused(lines: list[str], end: str) -> None:
    text = end.join(["FROM a", *lines])
    try:
        expected = theirs(text)
    except dockerfile.GoParseError:
        return
    with contextlib.suppress(Undecidable):  # then all is taken
        assert ours(text) == expected
