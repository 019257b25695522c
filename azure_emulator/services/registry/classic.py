"""The errors of Docker's classic builder, which runs a registry's quick builds, for BuildKit syntax.

It has no BuildKit (github.com/Azure/acr issue 721, github.com/Azure/AKS issue 3565): flags that its parser knows are
refused at their step (moby 915b239519), others while the file is parsed (`Unknown flag: link`,
github.com/foundationallm/foundationallm pull request 281), and the lines of a here-document are parsed as instructions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_INSTRUCTIONS = frozenset(
    [
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "RUN",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    ]
)
_FLAGS = {
    "ADD": {"chown", "chmod"},
    "COPY": {"chown", "chmod", "from"},
    "FROM": {"platform"},
    "HEALTHCHECK": {"interval", "timeout", "start-period", "retries"},
    "RUN": {"mount", "network", "security"},
}
_NEEDS_BUILDKIT = {"ADD": {"chmod"}, "COPY": {"chmod"}, "RUN": {"mount", "network", "security"}}
_ADVICE = "Refer to https://docs.docker.com/go/buildkit/ to learn how to build images with BuildKit enabled"


def logical_lines(text: str, escape: str = "\\") -> Iterator[tuple[int, str]]:
    """Return instructions with their line numbers, continuation lines joined, without comments."""
    lines = enumerate(text.splitlines(), 1)
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        whole = line.strip()
        while whole.endswith(escape):
            whole = whole[:-1].rstrip()
            following = next((more for _, more in lines if more.strip() and not more.lstrip().startswith("#")), None)
            if following is None:
                break
            whole += " " + following.strip()
        yield number, whole


def flags_of(rest: str) -> list[tuple[str, str]]:
    """Return the leading flags of an instruction's arguments."""
    found = []
    for word in rest.split():
        match = re.fullmatch(r"--([\w-]+)(?:=(.*))?", word)
        if match is None:
            break
        found.append((match[1], match[2] or ""))
    return found


def parse_error(text: str) -> str | None:
    """Return why the file does not parse, or None."""
    for number, line in logical_lines(text):
        word, _, rest = line.partition(" ")
        name = word.upper()
        if name not in _INSTRUCTIONS:
            return f"dockerfile parse error line {number}: unknown instruction: {name}"
        unknown = [flag for flag, _ in flags_of(rest) if flag not in _FLAGS.get(name, set())]
        if unknown and name in _FLAGS:
            return f"dockerfile parse error line {number}: Unknown flag: {unknown[0]}"
    return None


def step_error(word: str, rest: str, values: Mapping[str, str]) -> str | None:
    """Return why a step fails when executed, or None."""
    for flag, value in flags_of(rest):
        if flag in _NEEDS_BUILDKIT.get(word, set()):
            return f"the --{flag} option requires BuildKit. {_ADVICE}"
        if word == "FROM" and flag == "platform":
            return _platform_error(value, values)
    return None


def _platform_error(platform: str, values: Mapping[str, str]) -> str | None:
    """Check BuildKit's variables such as BUILDPLATFORM, which are empty here unless given as arguments."""
    named = re.sub(r"\$\{?(\w+)\}?", lambda match: values.get(match[1], ""), platform.strip("\"'"))
    if re.fullmatch(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", named):
        return None
    return (
        f'failed to parse platform {named}: "{named}" is an invalid component of "{named}": platform specifier '
        'component must match "^[A-Za-z0-9_-]+$": invalid argument'
    )
