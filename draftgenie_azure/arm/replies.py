"""Takes values out of what Azure answers, or says that it is not what Azure answers."""

from __future__ import annotations

from draftgenie_azure.errors import NOT_AZURE, AzureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def member(body: Any, *path: str, of: str) -> str:
    """A text inside an answer's body.

    Args:
        body: as it was parsed: an error page, an empty text or null as well.
        path: keys, from the outside in.
        of: what was asked for, as the message names it.

    Raises:
        AzureError: there is no such text; the body is not shown, since it may hold a token.
    """
    found = body
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, str) or not found:
        raise AzureError(
            f"{of}: unexpected answer, without {'.'.join(path)}",
            hint=NOT_AZURE,
        )
    return found
