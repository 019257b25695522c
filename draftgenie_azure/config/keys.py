"""Classify keys of the configuration: secrets, values kept in the vault, text with placeholders."""

from __future__ import annotations

from functools import cache

Key = tuple["str | int", ...]
GENERATED = ("jwt_secret", "rabbitmq_password")  # secrets that are generated if empty, even without `generate`


@cache  # queried for each value by several callers
def is_secret_key(dotted: str) -> bool:
    """Return whether a dotted key may hold a secret, so that its value is not shown and is hashed with a salt only.

    These are `secrets.*`, `services.*.secrets.*`, `migrations.*.secrets.*`, `postgresql.admin_password`,
    `mongodb.connection_url`, `services.*.volume.account_key` and `services.*.build_args.*.value`.
    """
    parts = dotted.split(".")
    if is_vault_key(parts):
        return True
    if parts[0] != "services" or len(parts) < 4:
        return False
    if parts[2:] == ["volume", "account_key"]:
        return True
    return parts[2] == "build_args" and len(parts) > 4 and parts[-1] == "value"


def is_vault_key(parts: list[str] | Key) -> bool:
    """Return whether a value is stored in the vault, so that the vault may have it if the environment does not."""
    if tuple(parts) in (("postgresql", "admin_password"), ("mongodb", "connection_url")):
        return True
    if not parts or parts[0] == "secrets":
        return len(parts) > 1
    return len(parts) > 3 and parts[0] in ("services", "migrations") and parts[2] == "secrets"


def is_template_key(key: Key) -> bool:
    """Return whether `{{ name }}` in a value is a placeholder."""
    return len(key) == 4 and key[0] in ("services", "migrations") and key[2] in ("environment", "secrets")


def is_text_key(key: Key) -> bool:
    """Return whether a value is passed on as text, so that an environment variable there is never a boolean or null."""
    if key[0] == "tags" or is_template_key(key) or is_secret_key(".".join(map(str, key))):
        return True
    return len(key) > 2 and key[0] == "services" and key[2] in ("args", "build_args", "command")
