"""Extract values from Azure's replies, or raise an error for replies that are not Azure's."""

from __future__ import annotations

from draftgenie_azure.errors import NOT_AZURE, AzureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def member(body: Any, *path: str, of: str) -> str:
    """Return a string from a reply's body.

    Args:
        body: the parsed body, possibly an error page, an empty text or null.
        path: keys, outermost first.
        of: description of the request, for the message.

    Raises:
        AzureError: there is no such string; the body is not shown, since it may contain a token.
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
