"""The command on a state: slow runs and their output."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from project import Project, hold_at_server, let_time_pass


@contextmanager
def slow_run(project: Project, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A run that is in the middle of making the server, for as long as the block lasts and time stands still."""
    with project.start(*project.faults(scale=0.02), *arguments) as process:
        hold_at_server(project, process)
        yield process
    let_time_pass(project)


def follow(project: Project, text: str) -> Any:
    """Run the command line that a message names."""
    match = re.search(r"python (\S*deploy-azure_v1\.py.*?)(?: \(or delete that file\)\.)?$", text, re.MULTILINE)
    assert match is not None, text
    return project.run(*shlex.split(match.group(1))[1:])
