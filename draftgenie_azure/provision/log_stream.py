"""Stream the log of a service's running replicas (`--logs SERVICE`, `--follow`).

As in the Azure CLI, `getAuthtoken` on the app returns a token for its streams only, and each container of a replica
has its own stream (azure-cli 2.91, `containerapp/custom.py`). A stream ends after some minutes; with
`follow` it is reopened from its end.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from draftgenie_azure.arm import hosts, ids
from draftgenie_azure.arm.replies import member
from draftgenie_azure.errors import AzureError, DeployerError, StopRequested
from draftgenie_azure.provision.container_logs import command
from draftgenie_azure.provision.known_secrets import withheld

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from draftgenie_azure.session import Session

TAIL = 100  # past lines to show; the service returns at most 300
_VERSION = ids.API_VERSIONS["Microsoft.App/containerApps"]
_RECONNECT = 2.0  # seconds before an ended stream is reopened


@dataclass(frozen=True)
class Source:
    """One container of one running replica."""

    replica: str
    container: str
    address: str


class LogStream:
    """Reads the streams of all running replicas of a service.

    Args:
        session: the session.
        key: the service's key in the configuration.

    Raises:
        DeployerError: there is no such service.
    """

    def __init__(self, session: Session, key: str) -> None:
        service = session.config.services.get(key)
        if service is None:
            known = ", ".join(session.config.services)
            raise DeployerError(f"there is no service {key!r}", hint=f"The configuration has: {known}.")
        self._session = session
        self._key = key
        self._app_id = session.scope.resource("Microsoft.App/containerApps", service.name)
        self._lines: SimpleQueue[tuple[Source, str] | None] = SimpleQueue()

    def sources(self) -> list[Source]:
        """Return the containers of the replicas of every active revision.

        Raises:
            DeployerError: the service is not deployed, or none of its replicas runs.
        """
        if self._session.arm.read(self._app_id) is None:
            raise DeployerError(f"the service {self._key} is not deployed", hint="Deploy first.")
        found = [source for revision in self._active() for source in self._of(revision)]
        if not found:
            raise DeployerError(
                f"no replica of {self._key} is running, so there is no log to stream",
                hint="It may be scaled to zero: send it a request, then try again. Earlier logs are in Log Analytics.",
            )
        return found

    def _active(self) -> Iterator[str]:
        for revision in self._session.arm.listing(f"{self._app_id}/revisions", api_version=_VERSION):
            if revision["properties"].get("active"):
                yield str(revision["name"])

    def _of(self, revision: str) -> Iterator[Source]:
        path = f"{self._app_id}/revisions/{revision}/replicas"
        for replica in self._session.arm.listing(path, api_version=_VERSION):
            for container in replica["properties"].get("containers") or []:
                address = str(container.get("logStreamEndpoint") or "")
                if hosts.is_log_stream(address, self._session.transport.endpoints):
                    yield Source(str(replica["name"]), str(container.get("name")), address)

    def read(self, *, follow: bool, show: Callable[[Source, str], None]) -> None:
        """Show each line as it arrives; without `follow` until the streams end.

        Args:
            show: called in this thread with each line, without its line break.

        Raises:
            AzureError: no stream could be read.
            DeployerError: the vault's secrets, which the log may contain, could not be read to hide them.
            StopRequested: a stop was requested.
        """
        sources = self.sources()
        unknown = withheld(self._session, takes_role=False)
        if unknown:
            by_hand = command(self._app_id, "")
            raise DeployerError(f"the log of {self._key} is {unknown}", hint=f"To read it as it is: {by_hand}")
        errors: list[AzureError] = []
        for source in sources:
            threading.Thread(target=self._pump, args=(source, follow, errors), daemon=True).start()
        left = len(sources)
        while left:
            self._session.control.check()
            try:
                line = self._lines.get(timeout=0.2)
            except Empty:
                continue
            if line is None:
                left -= 1
            else:
                show(*line)
        self._session.control.check()
        if len(errors) == len(sources):
            raise errors[0]

    def _pump(self, source: Source, follow: bool, errors: list[AzureError]) -> None:
        """Put the lines of one stream into the queue; None at its end."""
        tail = TAIL
        try:
            while True:
                for line in self._open(source, follow, tail):
                    self._lines.put((source, line))
                if not follow or self._session.control.stopping:
                    return
                tail = 0
                self._session.control.wait(_RECONNECT)
        except StopRequested:
            return
        except AzureError as error:
            errors.append(error)
            self._lines.put((source, f"(the stream ended: {error.message})"))
        finally:
            self._lines.put(None)

    def _open(self, source: Source, follow: bool, tail: int) -> Iterator[str]:
        answer = self._session.arm.act(f"{self._app_id}/getAuthtoken", api_version=_VERSION).body
        token = member(answer, "properties", "token", of="token for the log")
        return self._session.transport.lines(
            source.address,
            params={"follow": str(follow).lower(), "tailLines": str(tail), "output": "text"},
            headers={"Authorization": f"Bearer {token}"},
        )
