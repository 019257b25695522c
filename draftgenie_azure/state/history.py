"""The history of runs: one entry per run that changed something, immutable once the run ended."""

from __future__ import annotations

import json
import os

from draftgenie_azure.errors import StateError
from draftgenie_azure.masking import MASK
from draftgenie_azure.printable import duration
from draftgenie_azure.state.document import last_outputs
from draftgenie_azure.state.lock import Holder
from draftgenie_azure.state.resource_records import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from draftgenie_azure.state.backend import Backend
    from draftgenie_azure.state.store import StateStore

COMPANION = "history"
KEPT_RUNS = 100
_MOST_REASONS = 5
_LONGEST = 1e9  # seconds, some 30 years
_MOST_RUNS = 10**9  # a number that no deployment reaches, and the most that the command line takes
_CI_RUN = (  # environment variables of CI systems that identify a run
    ("GITHUB_ACTIONS", ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"), "{}/{}/actions/runs/{}"),
    (
        "TF_BUILD",
        ("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_BUILDID"),
        "{}{}/_build/results?buildId={}",
    ),
)


class History:
    """The last 100 runs, as JSON lines in the storage of the state.

    Each entry: `run` (an increasing number), `kind` (`deploy`, `rollback`, `prune`, `destroy`, `rotate`), `result`
    (`running`, `succeeded`, `failed`, `interrupted`), `started_at`, `seconds`, `who`, `host`, `ci`, `correlation_id`,
    `plan_id`, `serial`, `steps` (name -> verdict, seconds, reasons), `services` (key -> image, tag, revision,
    secret_versions), `migrations`, and `of` for the run that a rollback restored.

    Args:
        backend: backend of the state; only the lock's holder writes.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def entries(self) -> list[dict[str, Any]]:
        """Return all runs, oldest first.

        Raises:
            StateError: the storage fails. Invalid lines are skipped.
        """
        return [entry for entry in self._lines() if _is_usable(entry)]

    def _lines(self) -> list[dict[str, Any]]:
        """Return all entries, including those that only a newer version can read, which are kept unchanged."""
        data = self._backend.read_companion(COMPANION) or b""
        return [entry for line in data.splitlines() if (entry := _entry(line)) is not None]

    def find(self, run: int) -> dict[str, Any]:
        """Return the entry of a run.

        Raises:
            StateError: there is no such run; the message names the recorded ones.
        """
        entries = self.entries()
        for entry in entries:
            if entry["run"] == run:
                return entry
        if any(entry["run"] == run for entry in self._lines()):
            raise StateError(
                f"run {run} is recorded in a form that this command cannot read",
                hint="A newer version of it wrote the entry, or it was edited. The entry stays as it is.",
            )
        if not entries:
            raise StateError(f"there is no run {run}: no run is recorded yet", hint="Deploy first.")
        first, last = entries[0]["run"], entries[-1]["run"]
        raise StateError(f"there is no run {run}", hint=f"Runs {first} to {last} are recorded: see --history.")

    def begin(self, kind: str, **facts: Any) -> int:
        """Add an entry for a starting run, and close entries that a killed run left as running.

        Args:
            facts: further fields, such as `who`, `host`, `plan_id`, `correlation_id` or `of`.

        Returns:
            The run's number.
        """
        entries = self._lines()
        for entry in entries:
            if entry.get("result") == "running":
                entry["result"] = "interrupted"
        run = 1 + max((entry["run"] for entry in entries), default=0)
        entries.append({"run": run, "kind": kind, "result": "running", "started_at": now(), **_origin(), **facts})
        self._write(entries)
        return run

    def end(self, run: int, result: str, **facts: Any) -> None:
        """Complete the entry of a run."""
        entries = self._lines()
        for entry in entries:
            if entry["run"] == run:
                entry |= {"result": result, **facts}
        self._write(entries)

    def _write(self, entries: list[dict[str, Any]]) -> None:
        lines = (json.dumps(MASK.document(entry), sort_keys=True, ensure_ascii=True) for entry in entries[-KEPT_RUNS:])
        self._backend.write_companion(COMPANION, "".join(f"{line}\n" for line in lines).encode())


class RunRecord:
    """The history entry of one run, from its first write to its end.

    Args:
        state: the store, whose lock is held.
        kind: `deploy`, `rollback`, `prune`, `destroy` or `rotate`.
        facts: further fields, such as `correlation_id` or `of`.

    Attributes:
        past: the entries of earlier runs.
    """

    def __init__(self, state: StateStore, kind: str, **facts: Any) -> None:
        holder = Holder.this_process()
        self._state = state
        self._history = History(state.backend)
        self.past = self._history.entries()
        self.run = self._history.begin(kind, who=holder.who, host=holder.host, serial=state.state["serial"], **facts)

    def end(
        self,
        code: int,
        ran: Mapping[str, tuple[list[str], float]],
        seconds: float,
        *,
        report: Callable[..., None] = lambda text, **level: None,
        **facts: Any,
    ) -> None:
        """Complete the entry. A storage failure here is only reported: the deployment itself is recorded.

        Args:
            code: the exit code that the run ends with.
            ran: step -> reasons and seconds.
            report: called with a warning if the history cannot be written.
        """
        result = {0: "succeeded", 130: "interrupted"}.get(code, "failed")
        try:
            self._history.end(self.run, result, **outcome(self._state.state, ran, seconds), **facts)
        except StateError as error:
            report(f"the history of runs could not be written: {error.message}", level="warning")


def _entry(line: bytes) -> dict[str, Any] | None:
    """Return the entry in a line, if it has at least the number of its run, or None."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_numbered = isinstance(entry, dict) and type(entry.get("run")) is int and 0 < entry["run"] < _MOST_RUNS
    return entry if is_numbered else None


def _is_usable(entry: dict[str, Any]) -> bool:
    """Return whether an entry has the fields that readers rely on; optional fields may be missing."""
    steps, services = entry.get("steps", {}), entry.get("services", {})
    return (
        all(isinstance(entry.get(name), str) for name in ("kind", "result"))
        and isinstance(entry.get("started_at", ""), str)
        and _are_seconds(entry.get("seconds", 0))
        and isinstance(steps, dict)
        and all(isinstance(step, dict) and _is_step(step) for step in steps.values())
        and isinstance(services, dict)
        and all(service is None or isinstance(service, dict) for service in services.values())
        and all(_are_texts(entry.get(name, [])) for name in ("migrations", "deleted"))
    )


def _is_step(step: dict[str, Any]) -> bool:
    is_named = isinstance(step.get("verdict", ""), str)
    return is_named and _are_seconds(step.get("seconds", 0)) and _are_texts(step.get("reasons", []))


def _are_seconds(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < _LONGEST  # type: ignore[operator]  # neither NaN nor infinite


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _origin() -> dict[str, Any]:
    """Return the URL of the CI run, if there is one."""
    origin = {}
    for mark, names, address in _CI_RUN:
        values = [os.environ.get(name, "") for name in names]
        if os.environ.get(mark) and all(values):
            origin["ci"] = address.format(*values)
    return origin


def outcome(state: Mapping[str, Any], ran: Mapping[str, tuple[list[str], float]], seconds: float) -> dict[str, Any]:
    """Return the fields of an entry that describe the end of a run.

    Args:
        state: the document as the run left it.
        ran: step -> reasons and seconds, of the steps that ran.
        seconds: how long the run took.
    """
    steps = {
        name: {"verdict": "ran", "seconds": took, "reasons": list(reasons[:_MOST_REASONS])}
        for name, (reasons, took) in ran.items()
    }
    for name, record in state["steps"].items():
        if record.get("status") == "failed" and name not in steps:
            steps[name] = {"verdict": "failed"}
    return {
        "seconds": round(seconds, 1),
        "ended_at": now(),
        "serial": state["serial"],
        "steps": steps,
        "services": _services(state),
        "migrations": last_outputs(state, "run_migrations").get("jobs", []),
    }


def _services(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return image, tag, revision and secret versions per service, as far as they are in the state."""
    images = last_outputs(state, "build_and_push_images")
    versions = last_outputs(state, "store_secrets").get("secrets", {})
    services: dict[str, Any] = {}
    for step in ("deploy_infrastructure_services", "deploy_application_services"):
        for key, output in last_outputs(state, step).items():
            image = images.get(key, {})
            services[key] = {
                "image": image.get("reference") or output.get("image"),
                "tag": image.get("tag"),
                "url": output.get("url"),
            }
    if services and isinstance(versions, dict):
        known = {name: secret.get("version") for name, secret in versions.items() if isinstance(secret, dict)}
        for service in services.values():
            service["secret_versions"] = known
    return services


def listing(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one line per run for display, newest first."""
    rows = [
        (
            str(entry["run"]),
            entry.get("started_at", ""),
            entry["kind"] + (f" to run {entry['of']}" if entry.get("of") else ""),
            entry["result"],
            f"{sum(step.get('verdict') == 'ran' for step in entry.get('steps', {}).values())} steps",
            duration(entry.get("seconds", 0)),
            f"{entry.get('who', '?')}@{entry.get('host', '?')}",
        )
        for entry in reversed(list(entries))
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = (0, 4, 5)  # numbers
    return [
        "  ".join(f"{cell:{'>' if at in right else '<'}{widths[at]}}" for at, cell in enumerate(row)).rstrip()
        for row in rows
    ]
