"""Container output: the log streams of replicas, read with a token issued by the app or job.

As in the Azure CLI (azure-cli 2.91, `containerapp/custom.py`): POST `getAuthtoken`, then GET the stream.
"""

from __future__ import annotations

import shlex

from draftgenie_azure.arm import hosts, ids
from draftgenie_azure.arm.replies import member
from draftgenie_azure.errors import AzureError
from draftgenie_azure.masking import MASK
from draftgenie_azure.provision.known_secrets import withheld

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.session import Session

LINES = 20
LONGEST = 1000  # characters of a line
_APPS = ids.API_VERSIONS["Microsoft.App/containerApps"]


def last_lines(text: object, count: int) -> str:
    """Return the end of a log, masked before it is cut, since half a secret would not be found."""
    lines = [line for line in MASK.text(str(text)).splitlines() if line.strip()]
    return "\n".join(line if len(line) <= LONGEST else f"{line[:LONGEST]}..." for line in lines[-count:])


def command(resource_id: str, kind: str, *options: str) -> str:
    """Return the command that shows the log of an app (`kind` empty) or job."""
    group, name = resource_id.split("/")[4], ids.last_name(resource_id)
    return shlex.join(["az", "containerapp", *kind.split(), "logs", "show", "-g", group, "-n", name, *options])


def stream(session: Session, owner_id: str, address: str) -> str:
    """Return the last lines of a log stream, or a line with the reason they are unavailable.

    Args:
        owner_id: the app or job.
        address: the stream's URL, from a replica's container.
    """
    transport = session.transport
    if not hosts.is_log_stream(address, transport.endpoints):
        return f"(its log was not read: {hosts.shown(address)} is not a host of this cloud)"
    unknown = withheld(session)
    if unknown:
        return f"(its log is {unknown})"
    try:
        answer = session.arm.act(f"{owner_id}/getAuthtoken", api_version=_APPS).body
        token = member(answer, "properties", "token", of="token for the log")
        reply = transport.other(
            "GET",
            address,
            scope=None,
            params={"follow": "false", "tailLines": str(LINES), "output": "text"},
            headers={"Authorization": f"Bearer {token}"},
            tries=2,
        )
    except AzureError as error:
        return f"(its log could not be read: {error.message})"
    return last_lines(reply.body, LINES) or "(it printed nothing)"


def job_log(session: Session, job_id: str, execution: str) -> tuple[list[str], str]:
    """Return how each container of an execution ended, in Azure's words, and the last lines of its output."""
    try:
        replicas = list(session.arm.listing(f"{job_id}/executions/{execution}/replicas", api_version=_APPS))
    except AzureError as error:
        return [f"its replicas could not be listed: {error.message}"], ""
    ends, logs = [], []
    for replica in replicas:
        for container in (replica.get("properties") or replica).get("containers") or []:
            state = container.get("runningStateDetails") or container.get("runningState") or "unknown"
            ends.append(f"{container.get('name')}: {state}")
            address = container.get("logStreamEndpoint")
            if address:
                logs.append(stream(session, job_id, address))
    return ends or ["no replica is left"], "\n".join(logs)
