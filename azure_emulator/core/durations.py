"""Azure's typical durations in seconds, by resource type and kind of work.

Medians of recorded traffic (Azure/azure-cli, Azure/azure-dev recordings of 2022 to 2026) if available, else
estimates. The emulator multiplies each by its `scale`.
"""

from __future__ import annotations

SECONDS: dict[tuple[str, str], float] = {
    ("provider", "register"): 60,
    ("role", "effective"): 90,
    ("identity", "replicated"): 10,
    ("group", "delete"): 90,
    ("group", "delete with environment"): 1264,
    ("workspace", "create"): 13,
    ("workspace", "delete"): 6,
    ("registry", "create"): 5,
    ("registry", "update"): 3,
    ("registry", "delete with replications"): 23,
    ("vault", "create"): 30,
    ("vault", "write"): 3,
    ("vault", "purge"): 603,
    ("postgresql", "create"): 304,
    ("postgresql", "update"): 120,
    ("postgresql", "delete"): 63,
    ("postgresql", "restart"): 60,
    ("postgresql", "stop"): 614,
    ("postgresql", "start"): 803,
    ("postgresql", "database"): 12,
    ("postgresql", "configuration"): 12,
    ("postgresql", "administrator"): 15,
    ("postgresql", "firewall rule"): 60,
    ("managed redis", "create"): 330,
    ("managed redis", "update"): 300,
    ("managed redis", "delete"): 300,
    ("managed redis", "database"): 60,
    ("managed redis", "database delete"): 32,
    ("redis", "create"): 688,
    ("redis", "update"): 300,
    ("redis", "delete"): 290,
    ("environment", "create"): 129,
    ("environment", "update"): 114,
    ("environment", "delete"): 1044,
    ("managed certificate", "create"): 180,
    ("app", "provision"): 13,
    ("app", "delete"): 16,
    ("app", "ready"): 25,
    ("app", "expire on creation"): 900,
    ("app", "expire on update"): 1200,
    ("app", "cooldown"): 300,
    ("job", "provision"): 7,
    ("job", "update"): 18,
    ("job", "delete"): 16,
    ("job", "execution"): 60,
    ("storage", "create"): 30,
    ("network", "write"): 5,
    ("network", "delete"): 10,
    ("private dns", "write"): 30,
    ("build", "queued"): 5,
    ("build", "run"): 73,
}


class Durations:
    """Azure's durations times a scale."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def seconds(self, what: str, kind: str) -> float:
        """Return the duration of some work here."""
        return SECONDS[what, kind] * self.scale

    def retry_after(self, seconds: float) -> dict[str, str]:
        """Return a Retry-After in whole seconds as Azure sends, scaled; None if it would round to 0, which an
        azure-core client takes for its default of 30 seconds."""
        scaled = round(seconds * self.scale)
        return {"Retry-After": str(scaled)} if scaled >= 1 else {}
