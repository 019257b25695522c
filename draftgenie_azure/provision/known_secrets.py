"""Register every secret of the deployment with the mask before application output is shown.

A run that skips `store_secrets` neither creates, composes nor reads a secret, but an application may print its own
(a URL with a password in a stack trace). So the vault is read first, once, and only if there is such output.
"""

from __future__ import annotations

from functools import partial
from threading import Lock

from draftgenie_azure.errors import AzureError, DeploymentError
from draftgenie_azure.provision.vault import open_vault
from draftgenie_azure.run.schedule import run_concurrently

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.session import Session

_LOCK = Lock()


def withheld(session: Session, *, takes_role: bool = True) -> str:
    """Return why application output cannot be shown; '' if all secrets are known and masked.

    Args:
        session: the session, for which the result is cached.
        takes_role: assign the role to read the vault if it is missing.
    """
    with _LOCK:
        if session.secrets_unknown is None:
            session.secrets_unknown = _read_all(session, takes_role)
        return session.secrets_unknown


def _read_all(session: Session, takes_role: bool) -> str:
    if session.config.key_vault is None:
        return ""
    # Including the configured ones: a cleared state has none recorded, but the vault has them.
    names = sorted({*session.records.secrets, *session.config.vault_secrets()})
    if not names:
        return ""
    vault = open_vault(session, {"name": session.config.key_vault.name})
    know = partial(vault.know, takes_role=takes_role)
    try:
        know(names[0])  # first and alone, since it may have to assign the role
        run_concurrently([partial(know, name) for name in names[1:]], width=session.control.parallelism)
    except (AzureError, DeploymentError) as error:
        first = error.parts[0]
        return (
            "not shown: it may contain secrets, and the vault's secrets could not be read to hide them "
            f"({first.message}). {first.hint or ''}"
        ).strip()
    return ""
