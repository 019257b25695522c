"""The two passwords of a registry's admin user."""

from __future__ import annotations

from azure_emulator.core.store import Resource
from azure_emulator.core.world import World

PASSWORDS = ("password", "password2")


def admin_password(world: World, registry: Resource, name: str) -> str:
    """One of them; another one each time that it is renewed."""
    times = registry.private.get("renewed", {}).get(name, 0)
    return world.derived_key("registry", registry.key, str(registry.created), name, *([str(times)] if times else []))
