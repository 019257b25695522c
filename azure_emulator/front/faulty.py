"""The reply to a request that a declared fault hits, in the shape of the service that would have failed."""

from __future__ import annotations

from typing import Any

from azure_emulator.core.faults import Fault
from azure_emulator.core.messages import Request, Response
from azure_emulator.front import hosts

_APP_NULLS: dict[str, Any] = {"details": None, "target": None, "additionalInfo": None}
"""Header in errors of the Container Apps service itself (recorded traffic of Azure/azure-dev)."""


def reply(fault: Fault, request: Request) -> Response:
    assert fault.status is not None
    headers = _headers(fault, request)
    if not fault.code:
        return Response(fault.status, None, headers)
    if request.host.endswith(".azurecontainerapps.io"):
        return Response(fault.status, fault.message, headers, content_type="text/plain")
    error = {"code": fault.code, "message": fault.message}
    if fault.status >= 500 and "/providers/microsoft.app/" in request.path.lower():
        error |= _APP_NULLS
    return Response(fault.status, {"error": error}, headers)


def _headers(fault: Fault, request: Request) -> dict[str, str]:
    """Return the header that marks a provider's failure (5xx; recorded 500 and 504)."""
    headers = {}
    if fault.status is not None and fault.status >= 500 and hosts.is_arm(request.host):
        headers["x-ms-failure-cause"] = "service"
    retry_after = fault.retry_after
    if retry_after is not None:
        headers["Retry-After"] = retry_after if isinstance(retry_after, str) else str(round(retry_after))
    return headers
