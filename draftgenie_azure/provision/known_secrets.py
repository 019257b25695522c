"""Has the mask know every secret of the deployment before text of an application is shown.

A run in which `store_secrets` is skipped neither makes, composes nor reads a secret; an application prints its own all
the same (a URL with a password in a stack trace). So the vault is read first, once, and only where there is such text.
"""

from __future__ import annotations

from functools import partial
from threading import Lock

from draftgenie_azure.errors import AzureError, DeploymentError
from draftgenie_azure.provision.vault import open_vault
from draftgenie_azure.run.schedule import side_by_side

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.session import Session

_LOCK = Lock()


def withheld(session: Session, *, takes_role: bool = True) -> str:
    """Return why text of an application cannot be shown; '' where all secrets are known and hidden.

    Args:
        session: the way to Azure; what was found holds for as long as it.
        takes_role: whether the role to read the vault is taken where it is missing.
    """
    with _LOCK:
        if session.secrets_unknown is None:
            session.secrets_unknown = _read_all(session, takes_role)
        return session.secrets_unknown


def _read_all(session: Session, takes_role: bool) -> str:
    if session.config.key_vault is None:
        return ""
    # The configuration's as well: a state that was cleared knows of none, and the vault has them all the same.
    names = sorted({*session.records.secrets, *session.config.vault_secrets()})
    if not names:
        return ""
    vault = open_vault(session, {"name": session.config.key_vault.name})
    know = partial(vault.know, takes_role=takes_role)
    try:
        know(names[0])  # alone, since it may have to take the role
        side_by_side([partial(know, name) for name in names[1:]], width=session.control.parallelism)
    except (AzureError, DeploymentError) as error:
        first = error.parts[0]
        return (
            "not shown: it may contain secrets, and the vault's secrets could not be read to hide them "
            f"({first.message}). {first.hint or ''}"
        ).strip()
    return ""
