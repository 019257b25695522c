"""The effects of rotating a secret, reported before anything is written (`--rotate-secret`)."""

from __future__ import annotations

from dataclasses import dataclass

from draftgenie_azure.config.placeholders import is_secret_name
from draftgenie_azure.config.validated.vault_secrets import POSTGRESQL_PASSWORD, vault_name_of
from draftgenie_azure.errors import RefusedError
from draftgenie_azure.nearest import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.config.validated.vault_secrets import VaultSecret

_EFFECTS = {
    POSTGRESQL_PASSWORD: "open connections continue; new ones fail from the server's change until the new revisions "
    "run",
    "jwt-secret": "all signed-in users must sign in again",
    "rabbitmq-password": "the broker restarts, and its queues are lost, since they are stored in its container",
}


def _generated(wanted: Mapping[str, VaultSecret]) -> Iterator[str]:
    return (name for name, secret in wanted.items() if secret.origin in ("generated", "postgresql_password"))


@dataclass(frozen=True)
class Rotation:
    """A secret to be rotated, and the effects.

    Attributes:
        name: its name in the vault.
        also: vault secrets that contain it, and also get a new version.
        services: services that get a new revision.
        steps: steps that must run.
        effect: temporary disruption.
    """

    name: str
    also: tuple[str, ...]
    services: tuple[str, ...]
    steps: tuple[str, ...]
    effect: str

    def lines(self) -> list[str]:
        """Return the rotation as lines of text."""
        lines = [f"  new value    {self.name}"]
        lines += [f"  composed     {name}" for name in self.also]
        lines += [f"  new revision {name}" for name in self.services]
        return [*lines, f"  effect       {self.effect}"]


def plan(config: Config, name: str) -> Rotation:
    """Determine the effects of rotating a secret.

    Args:
        name: `jwt_secret`, `secrets.jwt_secret`, `postgresql.admin_password`, or the name in the vault.

    Raises:
        RefusedError: there is no such secret, or its value comes from the configuration or from Azure.
    """
    wanted = config.vault_secrets()
    vault_name = name.removeprefix("secrets.").replace(".", "-").replace("_", "-").lower()
    if vault_name not in wanted:
        hint = f"Secrets with a generated value: {', '.join(sorted(_generated(wanted)))}."
        raise RefusedError(f"there is no secret {name!r}{did_you_mean(vault_name, wanted)}", hint=hint)
    origin = wanted[vault_name].origin
    given = config.postgresql is not None and bool(config.postgresql.admin_password)
    if origin not in ("generated", "postgresql_password") or (origin == "postgresql_password" and given):
        parts = sorted(_contents(wanted[vault_name]) & set(_generated(wanted)))
        raise RefusedError(
            f"{name} is not generated: its value comes from elsewhere ({origin})",
            hint=f"It follows when what it contains gets a new value: {', '.join(parts)}."
            if parts
            else "Change it there, then run again to update the vault and the services.",
        )
    also = tuple(sorted(key for key, secret in wanted.items() if vault_name in _contents(secret)))
    touched = {vault_name, *also}
    services = [key for key in config.services if touched & {one.secret for one in config.variables(key)}]
    steps = ("create_databases", "store_secrets") if vault_name == POSTGRESQL_PASSWORD else ("store_secrets",)
    effect = _EFFECTS.get(vault_name, "the services that use it restart")
    return Rotation(vault_name, also, tuple(services), steps, effect)


def _contents(secret: VaultSecret) -> set[str]:
    """Return the vault secrets that a composed one contains."""
    return {vault_name_of(name) for name in secret.parts if is_secret_name(name)}
