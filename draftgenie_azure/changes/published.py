"""The shape of each step's outputs: recorded outputs that do not match are a reason to run the step again.

A state may be edited, restored, or written by another version; a later step must find what it reads. Whether a recorded
host belongs to this deployment is checked before anything is sent (`provision/survey.py`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Fault = str | None
    Check = Callable[[Any, str], Fault]


def fault(step: str, outputs: object, sections: Callable[[str], object], images: list[str]) -> str | None:
    """Return a message about the first output that is missing or malformed, or None.

    Args:
        sections: returns the section of the configuration with a name.
        images: services built from a Dockerfile.
    """
    if not isinstance(outputs, dict):
        return "outputs are not a mapping"
    if step == "create_databases":
        return _databases(outputs, sections)
    if step == "build_and_push_images":
        return next(filter(None, (_object(outputs.get(key), key, _IMAGE) for key in images)), None)
    shape, section = _SHAPES.get(step, ({}, None))
    if section is not None and not sections(section):
        return None
    return _object(outputs, "outputs", shape)


def _databases(outputs: Mapping[str, Any], sections: Callable[[str], object]) -> Fault:
    for product, shape in (("postgresql", _POSTGRESQL), ("redis", _REDIS)):
        found = _object(outputs.get(product), product, shape) if sections(product) else None
        if found is not None:
            return found
    return None


def _object(value: object, name: str, shape: Mapping[str, Check]) -> Fault:
    if not isinstance(value, dict):
        return f"{name} is missing or not a mapping"
    return next(filter(None, (check(value.get(key), key) for key, check in shape.items())), None)


def _text(value: object, name: str) -> Fault:
    is_text = isinstance(value, str) and value != "" and value.isprintable()
    return None if is_text else f"{name} is missing or not text"


def _id(value: object, name: str) -> Fault:
    is_id = isinstance(value, str) and value.startswith("/subscriptions/") and value.isprintable()
    return None if is_id else f"{name} is missing or not a resource id"


def _host(value: object, name: str) -> Fault:
    letters = value.replace(".", "").replace("-", "") if isinstance(value, str) else ""
    return None if letters.isascii() and letters.isalnum() else f"{name} is missing or not a host"


def _address(value: object, name: str) -> Fault:
    if isinstance(value, str) and value.startswith("https://") and value.endswith("/"):
        return None if _host(value[8:-1], name) is None else f"{name} is not an address"
    return f"{name} is missing or not an address"


def _port(value: object, name: str) -> Fault:
    return None if type(value) is int and 0 < value < 65536 else f"{name} is missing or not a port"


def _texts(value: object, name: str) -> Fault:
    is_list = isinstance(value, list) and not any(_text(item, name) for item in value)
    return None if is_list else f"{name} is missing or not a list of strings"


def _stored(value: object, name: str) -> Fault:
    """Check the stored secrets: by name, with address and version."""
    if not isinstance(value, dict):
        return f"{name} is missing or not a mapping"
    shape = {"uri": _text, "version": _text}
    return next(filter(None, (_object(item, key, shape) for key, item in value.items())), None)


def _checks(value: object, name: str) -> Fault:
    is_fine = isinstance(value, dict) and not any(_text(item, name) for item in value.values())
    return None if is_fine else f"{name} is missing or not a mapping of strings"


_IMAGE: Mapping[str, Check] = {"reference": _text, "tag": _text}
_POSTGRESQL: Mapping[str, Check] = {
    "id": _id, "host": _host, "port": _port, "login": _text, "password_version": _text,
}  # fmt: skip
_REDIS: Mapping[str, Check] = {"id": _id, "host": _host, "port": _port, "keys_of": _id}
# Step -> the keys that later steps read; and the configuration section without which it publishes nothing.
_SHAPES: Mapping[str, tuple[Mapping[str, Check], str | None]] = {
    "check_prerequisites": ({"tenant_id": _text, "subscription_id": _text}, None),
    "create_resource_group": ({"group_id": _id, "identity_id": _id, "principal_id": _text, "client_id": _text}, None),
    "create_monitoring": ({"workspace_id": _id, "customer_id": _text, "app_insights_id": _id}, "monitoring"),
    "create_container_registry": ({"id": _id, "login_server": _host, "pull_role": _id}, "container_registry"),
    "create_key_vault": ({"id": _id, "vault_uri": _address, "read_role": _id}, "key_vault"),
    "store_secrets": ({"secrets": _stored}, "key_vault"),
    "create_container_apps_env": ({"id": _id, "default_domain": _host}, "container_apps"),
    "run_migrations": ({"jobs": _texts}, None),
    "verify_deployment": ({"checks": _checks}, None),
}
