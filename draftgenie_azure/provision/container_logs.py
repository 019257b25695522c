"""What containers printed: the log streams of replicas, read with a token that the app or job hands out.

The way of the Azure CLI (azure-cli 2.91, `containerapp/custom.py`): POST `getAuthtoken`, then GET the stream.
"""

from __future__ import annotations

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.replies import member
from draftgenie_azure.errors import AzureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.arm.client import Arm
    from draftgenie_azure.arm.transport import Wire

LINES = 20
_APPS = ids.API_VERSIONS["Microsoft.App/containerApps"]


def stream(arm: Arm, transport: Wire, owner_id: str, address: str) -> str:
    """The last lines of a log stream, or a line that says why they cannot be had.

    Args:
        owner_id: the app or job.
        address: the stream's address, as a replica's container gives it.
    """
    try:
        answer = arm.act(f"{owner_id}/getAuthtoken", api_version=_APPS).body
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
        return f"    (its log could not be read: {error.message})"
    lines = [line for line in str(reply.body).splitlines() if line.strip()]
    return "\n".join(f"    | {line}" for line in lines[-LINES:]) or "    (it printed nothing)"


def job_log(arm: Arm, transport: Wire, job_id: str, execution: str) -> str:
    """The last lines of each container of an execution."""
    texts = []
    try:
        replicas = list(arm.listing(f"{job_id}/executions/{execution}/replicas", api_version=_APPS))
    except AzureError as error:
        return f"    (its replicas could not be listed: {error.message})"
    for replica in replicas:
        for container in (replica.get("properties") or replica).get("containers") or []:
            details = container.get("runningStateDetails") or container.get("runningState") or ""
            address = container.get("logStreamEndpoint")
            texts.append(f"    {container.get('name')}: {details}")
            if address:
                texts.append(stream(arm, transport, job_id, address))
    return "\n".join(texts) or "    (no replica is left to tell)"
