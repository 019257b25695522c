"""The summary at the end of every run."""

from __future__ import annotations

from draftgenie_azure.cli.events import shortened
from draftgenie_azure.constants import FAILURE, INTERRUPTED, SUCCESS
from draftgenie_azure.printable import duration
from draftgenie_azure.state.document import last_outputs
from draftgenie_azure.steps import STEP_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

_MOST = 10  # lines of a kind


class Summary:
    """The summary of one run, from the state after it, as lines and as a document.

    Args:
        state: the state document.
        ran: step -> reasons and seconds.
        seconds: duration of the run.
        asked: True if Azure was queried.
        skipped: how many steps had nothing to do.
        begun: the steps that began in this run; what the state has about others is of an earlier one.
        code: the exit code.
        warnings: settings that were kept although they should be changed.
        notes: warnings about the configuration.
    """

    def __init__(
        self,
        state: Mapping[str, Any],
        ran: Mapping[str, tuple[list[str], float]],
        seconds: float,
        *,
        asked: bool,
        skipped: int,
        begun: Collection[str] = (),
        code: int = SUCCESS,
        warnings: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> None:
        self._state = state
        self._records: dict[str, Any] = state["steps"]
        self._resources = dict(state["resources"])  # a copy: abandoned threads of an interrupted run may still write
        self._ran = ran
        self._seconds = seconds
        self._asked = asked
        self._notes = notes
        opened = {key: record["left_open"] for key, record in self._resources.items() if record.get("left_open")}
        self._warnings = [*warnings, *(f"{key}: {text}" for key, text in sorted(opened.items()))]
        self._orphans = sorted(key for key, record in self._resources.items() if record.get("orphaned"))
        self._skipped = skipped
        self._code = code
        self._failed = [name for name in STEP_NAMES if name in begun and self._status(name) == "failed"]
        self._stopped = [name for name in STEP_NAMES if name in begun and self._status(name) == "running"]

    def _status(self, step: str) -> str | None:
        status: str | None = self._records.get(step, {}).get("status")
        return status

    def _urls(self) -> dict[str, str]:
        services = last_outputs(self._state, "deploy_application_services")
        found = {key: str(service.get("url")) for key, service in services.items() if isinstance(service, dict)}
        return {key: url for key, url in found.items() if url.startswith("https")}

    def lines(self) -> list[str]:
        """Return the lines: URLs first, then what ran and why, failures, and what to do next."""
        counts = f"{self._outcome()}{len(self._ran)} ran, {self._skipped} skipped, {len(self._failed)} failed"
        ended = {*self._ran, *self._failed, *self._stopped}
        if self._asked and len(ended) + self._skipped < len(STEP_NAMES):
            counts += f", {len(STEP_NAMES) - len(ended) - self._skipped} not reached"
        lines = [f"Deployment summary ({duration(self._seconds)}): {counts}"]
        lines += [f"  {key:20} {url}" for key, url in self._urls().items()]
        lines += [f"  ran     {name} ({duration(took)}){_why(reasons)}" for name, (reasons, took) in self._ran.items()]
        lines += [f"  failed  {name}" for name in self._failed] + [f"  stopped {name}" for name in self._stopped]
        if self._state.get("pin"):
            lines.append(f"  pinned  {pinned(self._state['pin'])}")
        lines += _first("left in Azure, no longer configured: ", self._orphans, "--status names them")
        lines += _first("warning ", self._warnings, "the log has them")
        lines += _first("note    ", self._notes, "the log has them")
        if not self._asked:
            lines.append("  Up to date according to the state; Azure was not queried. --refresh queries it.")
        elif self._failed or self._stopped:
            lines.append("  Run the same command again: it continues where this run ended.")
        elif not self._ran and self._code == SUCCESS:
            lines.append("  Up to date, according to the state and to Azure.")
        return lines

    def _outcome(self) -> str:
        """Describe a failure that no step shows: a refusal before the first one, or a state that was not saved."""
        if self._code == FAILURE and not self._failed:
            return "the run failed; "
        return "interrupted; " if self._code == INTERRUPTED and not self._stopped else ""

    def document(self) -> dict[str, Any]:
        """Return the summary as a document."""
        images = last_outputs(self._state, "build_and_push_images").items()
        return {
            "event": "summary",
            "urls": self._urls(),
            "images": {key: one["reference"] for key, one in images if isinstance(one, dict) and "reference" in one},
            "ran": {name: {"reasons": reasons, "seconds": took} for name, (reasons, took) in self._ran.items()},
            "target": self._state["target"],
            "resources": {key: record["id"] for key, record in self._resources.items() if record.get("id")},
            "skipped": self._skipped,
            "failed": self._failed,
            "interrupted": self._stopped,
            "orphaned": self._orphans,
            "warnings": self._warnings,
            "asked_azure": self._asked,
            "seconds": round(self._seconds, 3),
        }


def _first(what: str, texts: Sequence[str], where: str) -> list[str]:
    """Return the lines of the first texts, and how many others there are."""
    more = len(texts) - _MOST
    lines = [f"  {what}{text}" for text in texts[:_MOST]]
    return [*lines, f"  {what}{more} more ({where})"] if more > 0 else lines


def _why(reasons: list[str]) -> str:
    """Return the reasons of a step as the end of a line, except "never ran", reported at its start."""
    return "" if reasons == ["never ran"] else f": {shortened(reasons)}"


def pinned(pin: Mapping[str, Any]) -> str:
    """Describe a rollback in force."""
    how = "--rollback off ends it"
    if pin.get("ends"):
        how = "the next run ends that"
    elif pin.get("pending"):
        how = "they are not deployed yet: the next run continues"
    since = f" since {pin['since']}" if pin.get("since") else ""
    return f"to the images of run {pin.get('run')}{since}; {how}"
