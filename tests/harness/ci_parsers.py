"""The lines of a job as GitHub's runner and the agent of Azure Pipelines read them: which commands they would obey.

The rules are those of the published sources: actions/runner `src/Runner.Common/ActionCommand.cs` (`TryParseV2`,
`TryParse`) and `src/Runner.Worker/ActionCommandManager.cs` (stop-commands); microsoft/azure-pipelines-agent
`src/Agent.Sdk/CommandPlugin` / `src/Microsoft.VisualStudio.Services.Agent/Command.cs` (`TryParse`). Both call
`string.IndexOf(string)` and `StartsWith(string)` without a comparison type: .NET then compares by culture, in which
characters without width are passed over.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_NO_WIDTH = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
GITHUB_V1 = re.compile(r"##\[\s*([^\s\]]+)[^\]]*\]")
AZURE = re.compile(r"##vso\[\s*([^\s\].]+)\.([^\s\]]+)[^\]]*\]")
GITHUB_V2 = re.compile(r"::\s*([^\s:]+)(?:\s[^:]*)?::")


def _seen(line: str) -> str:
    """A line as a comparison by culture sees it: without control characters and what has no width."""
    return "".join(c for c in _NO_WIDTH.sub("", line) if unicodedata.category(c) not in ("Cf", "Cc", "Cs"))


def lines(output: str) -> Iterator[str]:
    """The lines of an output; .NET's stream readers end one at CR, LF or both."""
    yield from _LINE_ENDS.split(output)


def github_commands(output: str) -> list[str]:
    """The names of the commands that GitHub's runner obeys, `stop-commands` and its end left out."""
    found: list[str] = []
    token: str | None = None
    for line in lines(output):
        seen = _seen(line)
        match = GITHUB_V2.match(seen.lstrip()) or GITHUB_V1.search(seen)
        if match is None:
            continue
        if token is not None:
            if match[1] == token:
                token = None
        elif match[1] == "stop-commands":
            token = seen.rsplit("::", 1)[1]
        else:
            found.append(match[1])
    assert token is None, "the runner would obey no command any more"
    return found


def azure_commands(output: str) -> list[str]:
    """The names of the commands that the agent of Azure Pipelines obeys, and of the formats that its log view has."""
    found = []
    for line in lines(output):
        seen = _seen(line)
        found += [f"{area}.{action}" for area, action in AZURE.findall(seen)]
        found += [f"##[{name}]" for name in GITHUB_V1.findall(seen)]
    return found
