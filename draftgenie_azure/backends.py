"""Where the bytes of the state live. A backend knows bytes; `StateManager` knows the document."""

from __future__ import annotations

import os

from draftgenie_azure.errors import StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Backend(Protocol):
        """What `StateManager` asks of a place for state."""

        @property
        def where(self) -> str:
            """The place, for people."""

        def load(self) -> bytes | None:
            """The bytes, or None where no state was ever saved. Raises StateError."""

        def save(self, data: bytes) -> None:
            """Replace the bytes, all or nothing. Raises StateError."""

        def put_aside(self, suffix: str) -> str:
            """Move the present bytes to a place beside, named by the suffix; that place, for people."""


class LocalBackend:
    """A file that is replaced whole: temporary file beside it, flush, rename, flush of the directory.

    Args:
        path: the file; a symbolic link is followed, so that its target is replaced and not the link.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)

    @property
    def where(self) -> str:
        """The file's path."""
        return self.path

    def load(self) -> bytes | None:
        """The file's bytes, or None where there is no file.

        Raises:
            StateError: the file cannot be read.
        """
        try:
            with open(self.path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(
                f"the state {self.path} cannot be read: {error.strerror}", hint="Mend that, then run again."
            ) from error

    def save(self, data: bytes) -> None:
        """Replace the file; a kill at any point leaves the old or the new bytes.

        Raises:
            StateError: it cannot be written; the old file is as it was.
        """
        temporary = f"{self.path}.{os.getpid()}.tmp"
        try:
            # The state names every resource and digests secrets: nobody else has to read it.
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
            _flush_directory(os.path.dirname(self.path))
        except OSError as error:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise StateError(
                f"the state {self.path} cannot be saved: {error.strerror}",
                hint="Make room, or the directory writable, then run again.",
            ) from error

    def put_aside(self, suffix: str) -> str:
        """Rename the file to `<name>.<suffix>`, never over another one.

        Returns:
            the new path.
        """
        aside, count = f"{self.path}.{suffix}", 0
        while os.path.exists(aside):
            count += 1
            aside = f"{self.path}.{suffix}-{count}"
        os.rename(self.path, aside)
        os.chmod(aside, 0o600)
        return aside


def _flush_directory(path: str) -> None:
    """Have the rename itself on disk; Windows has no such thing."""
    if os.name != "nt":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
