"""The emulator's own certificate authority, and leaf certificates for its host names."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path
from threading import Lock
from types import ModuleType


class Certificates:
    """Issue leaf certificates on first use and keep them on disk, since creating one costs an import of
    `cryptography`. A read-only emulator keeps new ones out of its directory."""

    def __init__(self, directory: Path, read_only: bool = False) -> None:
        self._directory = directory
        self._leaves = directory / "certificates"
        self._read_only = read_only
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = Lock()
        if not self.authority.exists() and not read_only:
            self._make_authority()

    @property
    def authority(self) -> Path:
        return self._directory / "ca.pem"

    def context(self, host: str) -> ssl.SSLContext:
        with self._lock:
            found = self._contexts.get(host)
            if found is None:
                found = self._contexts[host] = self._load(host)
            return found

    def _load(self, host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        path = self._leaves / f"{host}.pem"
        if path.exists():
            context.load_cert_chain(path)
            return context
        pem = self._issue(host)
        if not self._read_only:
            self._leaves.mkdir(mode=0o700, exist_ok=True)
            _write(path, pem)
            context.load_cert_chain(path)
            return context
        with tempfile.TemporaryDirectory() as folder:
            elsewhere = Path(folder) / "leaf.pem"
            _write(elsewhere, pem)
            context.load_cert_chain(elsewhere)
        return context

    def _issue(self, host: str) -> bytes:
        key = (self._directory / "ca.key").read_bytes()
        leaf: bytes = _issuing().issue(self.authority.read_bytes(), key, host)
        return leaf

    def _make_authority(self) -> None:
        certificate, key = _issuing().new_authority()
        _write(self._directory / "ca.key", key)
        _write(self.authority, certificate)


def _issuing() -> ModuleType:
    from azure_emulator.front import issuing  # 60 ms, and needed only for a new name

    return issuing


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
