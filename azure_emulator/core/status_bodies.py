"""The bodies of operation status URLs, by service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from azure_emulator.core.clock import stamp

Json = dict[str, Any]


def _with_error(operation: Json, body: Json) -> Json:
    if operation["done"] and operation["error"]:
        body["error"] = {"code": operation["error"][0], "message": operation["error"][1]}
    return body


def _status_app(operation: Json) -> Json:
    """No endTime even at the end, startTime without Z."""
    return _with_error(
        operation,
        {
            "id": operation["status_path"],
            "name": operation["id"],
            "status": operation["status"],
            "startTime": stamp(operation["started"], zone=""),
        },
    )


def _status_postgresql(operation: Json) -> Json:
    return _with_error(
        operation,
        {"name": operation["id"], "status": operation["status"], "startTime": stamp(operation["started"], digits=3)},
    )


def _status_registry(operation: Json) -> Json:
    return _with_error(operation, {"status": operation["status"]})


def _status_workspace(operation: Json) -> Json:
    body = {
        "id": operation["status_path"],
        "name": operation["id"],
        "status": operation["status"],
        "startTime": stamp(operation["started"]),
    }
    if operation["done"]:
        body |= {"endTime": stamp(operation["ended"]), "properties": {}}
    return _with_error(operation, body)


def _status_managed_redis(operation: Json) -> Json:
    """endTime already while InProgress, and the year 1 while Pending."""
    end = stamp(operation["ended"] if operation["done"] else operation["started"], zone="+00:00")
    if operation["status"] == "Pending":
        end = "0001-01-01T00:00:00+00:00"
    return _with_error(
        operation,
        {
            "id": operation["status_path"],
            "name": operation["id"],
            "status": operation["status"],
            "startTime": stamp(operation["started"], zone="+00:00"),
            "endTime": end,
        },
    )


def _status_redis(operation: Json) -> Json:
    body: Json = {
        "id": operation["status_path"],
        "name": operation["id"],
        "status": operation["status"],
        "startTime": None,
        "endTime": None,
        "percentComplete": None,
        "properties": None,
        "error": None,
    }
    return _with_error(operation, body)


STATUS_BODIES: dict[str, Callable[[Json], Json]] = {
    "app": _status_app,
    "postgresql": _status_postgresql,
    "registry": _status_registry,
    "workspace": _status_workspace,
    "managed redis": _status_managed_redis,
    "redis": _status_redis,
    "group": _status_registry,
    "vault": _status_registry,
}
