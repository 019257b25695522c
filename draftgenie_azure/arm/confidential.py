"""Find the secrets in requests and replies by Azure's property names."""

from __future__ import annotations

from draftgenie_azure.masking import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# Names of secrets in bodies of Resource Manager, Key Vault, the registry and the token service, in lower case.
_NAMES = frozenset(
    {
        "access_token", "accesstoken", "accountkey", "administratorloginpassword", "client_assertion", "client_secret",
        "clientsecret", "connectionstring", "id_token", "instrumentationkey", "loglink", "password",
        "primaryconnectionstring", "primarykey", "primarysharedkey", "refresh_token", "secondaryconnectionstring",
        "secondarykey", "secondarysharedkey", "sharedkey", "token", "uploadurl",
    }
)  # fmt: skip
# Lists whose items contain a secret under `value`: keys of a storage account, secrets of an app or job.
_LISTS = frozenset({"keys", "secrets", "passwords"})


def remember(path: str, body: Any) -> None:
    """Register the secrets of a body with the mask.

    Args:
        path: path of the request that carried or returned the body.
    """
    is_secret = "/secrets/" in path or path.lower().endswith(("/listsecrets", "/listkeys", "/listcredentials"))
    MASK.add(*_secrets(body, hides_value=is_secret))


def _secrets(value: Any, *, hides_value: bool) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _secrets(item, hides_value=hides_value)
    if not isinstance(value, dict):
        return
    for name, below in value.items():
        if isinstance(below, str):
            if name.lower() in _NAMES or (name == "value" and (hides_value or value.get("isSecret") is True)):
                yield below
        else:
            yield from _secrets(below, hides_value=hides_value or name in _LISTS)
