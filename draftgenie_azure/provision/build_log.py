"""The log of a build in the registry, read while it is written."""

from __future__ import annotations

import re

from draftgenie_azure.arm import hosts
from draftgenie_azure.arm.replies import member
from draftgenie_azure.errors import AzureError
from draftgenie_azure.provision.container_logs import last_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from draftgenie_azure.session import Session

LOG_LINES = 30  # lines of a failed build's log shown to the user
# Docker's classic builder, and BuildKit with plain progress.
_PROGRESS = re.compile(r"Step \d+/\d+ : .*|#\d+ \[(?!internal\]).*\d+/\d+\] .*")


def is_progress(line: str) -> bool:
    """Return whether a line of a build's output announces a step of the Dockerfile."""
    return _PROGRESS.fullmatch(line) is not None


class BuildLog:
    """The log of one run of the registry.

    Args:
        run: path of the run under Resource Manager.
        report: called once per complete line.
    """

    def __init__(self, session: Session, run: str, api_version: str, report: Callable[[str], None]) -> None:
        self._arm = session.arm
        self._transport = session.transport
        self._run = run
        self._version = api_version
        self._report = report
        self._address = ""
        self._read = 0  # bytes read, up to the end of a line
        self._last: list[str] = []

    def follow(self) -> None:
        """Read and report new lines; an unreadable log does not fail the build."""
        try:
            self._read_on()
        except AzureError:
            self._address = ""  # its signature expires after about an hour

    def finish(self) -> None:
        """Report the remaining lines, if any were reported before."""
        if self._read:
            self.follow()

    def end(self) -> str:
        """Return the last lines, or why they cannot be shown."""
        try:
            self._read_on(whole=True)
        except AzureError as error:
            return f"(its log could not be read: {error.message})"
        return last_lines("\n".join(self._last), LOG_LINES)

    def _read_on(self, *, whole: bool = False) -> None:
        if not self._address:
            link = self._arm.act(f"{self._run}/listLogSasUrl", api_version=self._version).body
            address = member(link, "logLink", of="log of a build")
            hosts.check_storage(address, self._transport.endpoints, "the log of a build")
            self._address = address
        reply = self._transport.other(
            "GET",
            self._address,
            scope=None,
            headers={"Range": f"bytes={self._read}-"} if self._read else {},
            accept=(404, 416),  # nothing written yet, or nothing new
            tries=3 if whole else 1,
        )
        if reply.status in (404, 416):
            return
        content = reply.content if reply.status == 206 else reply.content[self._read :]
        end = len(content) if whole else content.rfind(b"\n") + 1
        self._read += end
        for line in content[:end].decode("utf-8-sig", "replace").splitlines():
            self._last = [*self._last[1 - LOG_LINES :], line]
            self._report(line)
