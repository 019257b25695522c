"""The request log: one JSON object per line, with secret values in bodies masked."""

from __future__ import annotations

import json
import os
from collections import deque
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl

from azure_emulator.core.clock import stamp
from azure_emulator.core.messages import Request
from azure_emulator.core.reporting import report

HIDDEN = "***"
_SECRET_KEYS = {
    "administratorloginpassword",
    "accountkey",
    "sharedkey",
    "client_secret",
    "client_assertion",
    "access_token",
    "refresh_token",
    "password",
    "accountorkey",
}


def masked(value: Any, path: tuple[str, ...] = ()) -> Any:
    """Return a copy of a body with its secret values masked."""
    if isinstance(value, list):
        return [masked(item, path) for item in value]
    if not isinstance(value, dict):
        return value
    secret_argument = value.get("isSecret") is True
    in_secrets = bool(path) and path[-1].lower() == "secrets"
    result = {}
    for key, item in value.items():
        name = key.lower()
        hide = name in _SECRET_KEYS or (name == "value" and (secret_argument or in_secrets))
        result[key] = HIDDEN if hide and isinstance(item, str) else masked(item, (*path, key))
    return result


def _is_secret_write(request: Request) -> bool:
    path = request.path.lower()
    if request.host.endswith(".vault.azure.net"):
        return path.startswith("/secrets/")
    return "/microsoft.keyvault/vaults/" in path and "/secrets/" in path


_LARGEST_BODY = 4 * 1024 * 1024
"""Bytes of the largest body that is shown: ARM takes no larger one."""


def loggable(request: Request) -> Any:
    """Return the request's body for the log."""
    if not request.body:
        return None
    kind = request.headers.get("content-type", "")
    if "x-www-form-urlencoded" in kind:
        return masked(dict(parse_qsl(request.body.decode("utf-8", "replace"))))
    try:
        body = json.loads(request.body) if len(request.body) <= _LARGEST_BODY else None
    except (ValueError, RecursionError):
        body = None
    if body is None:
        return f"{len(request.body)} bytes"
    body = masked(body)
    if _is_secret_write(request) and isinstance(body, dict):
        _hide_value(body)
    if request.path.lower().endswith("/validateresources") and isinstance(body, dict):
        _hide_asked(body)
    return body


def _hide_value(body: dict[str, Any]) -> None:
    """Mask the value of a vault secret, sent to the vault or by ARM."""
    if "value" in body:
        body["value"] = HIDDEN
    if isinstance(body.get("properties"), dict) and "value" in body["properties"]:
        body["properties"]["value"] = HIDDEN


def _hide_asked(body: dict[str, Any]) -> None:
    """Mask the values of vault secrets to be validated."""
    resources = body.get("resources")
    for item in resources if isinstance(resources, list) else []:
        kind = str(item.get("type") or body.get("type", "")) if isinstance(item, dict) else ""
        if kind.lower().endswith("secrets"):
            _hide_value(item)


_LARGEST = 64 * 1024 * 1024
"""Maximum bytes of `requests.jsonl`; it is then renamed to `requests.1.jsonl`, replacing an older one."""


class RequestLog:
    """Append to `requests.jsonl` and keep the latest lines in memory for the control address."""

    def __init__(self, path: Path | None, largest: int = _LARGEST) -> None:
        self._lock = Lock()
        self._recent: deque[dict[str, Any]] = deque(maxlen=20_000)
        self._path = path
        self._largest = largest
        self._descriptor: int | None = None
        self._size = 0
        self._torn = False
        if path is not None:
            self._open(path)

    def _open(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def _append(self, line: bytes) -> None:
        if self._descriptor is None or self._path is None:
            return
        if self._size and self._size + len(line) > self._largest:
            os.close(self._descriptor)
            self._path.replace(self._path.with_name(f"{self._path.stem}.1{self._path.suffix}"))
            self._open(self._path)
        whole = b"\n" + line if self._torn else line
        written = os.write(self._descriptor, whole)
        self._torn = written < len(whole)
        self._size += written

    def write(self, request: Request, status: int | None, moment: float) -> None:
        """`status` is None for a reply that was dropped."""
        line = {
            "time": stamp(moment),
            "method": request.method,
            "host": request.host,
            "path": request.path,
            "api_version": request.api_version or None,
            "status": status,
            "client_request_id": request.headers.get("x-ms-client-request-id"),
            "body": loggable(request),
        }
        with self._lock:
            self._recent.append(line)
            try:
                self._append((json.dumps(line, ensure_ascii=False) + "\n").encode(errors="backslashreplace"))
            except OSError as error:  # such as a full disk: the request was handled, and its reply is wanted
                report(f"requests.jsonl: {request.method} {request.path} is missing: {error}\n")

    def recent(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._recent)
