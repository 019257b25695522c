"""The report for a migration from the earlier script, before anything is written."""

from __future__ import annotations

from draftgenie_azure.cli.signals import Interrupts
from draftgenie_azure.config import draftgenie
from draftgenie_azure.config import raw as configuration
from draftgenie_azure.errors import AuthenticationError, ConfigError, Fault, NoEmulatorError
from draftgenie_azure.provision import inventory
from draftgenie_azure.run import log as run_log
from draftgenie_azure.run.control import RunControl
from draftgenie_azure.session import Mode, open_session
from draftgenie_azure.state import earlier
from draftgenie_azure.state.resource_records import ResourceRecords

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from draftgenie_azure.cli.events import Reporter
    from draftgenie_azure.config.raw import RawConfig
    from draftgenie_azure.state.store import StateStore

_RESTRICTED = (
    "  kept, with a warning, until --adopt: the vault's access policies, the registry's admin user, a "
    "firewall that is open to all addresses"
)
_HINT = (
    "What is missing is on standard output. Save it (add --dry-run > variables.yaml), and pass it after the "
    "configuration: --config variables.yaml"
)


def check(args: argparse.Namespace, raw: RawConfig, state: StateStore, reporter: Reporter) -> None:
    """Report what the earlier script left in its state and in Azure, and what the configuration lacks.

    The missing text is the result, alone on standard output, usable as a later configuration file.

    Raises:
        ConfigError: something must be fixed first; the hint says how.
    """
    documents = state.earlier_documents()
    findings = earlier.find(documents, raw)
    lines = [*findings.lines, *(_in_azure(args, raw, state) if documents else ())]
    for text in lines:
        reporter.message(text, level="note")
    text = draftgenie.missing(raw)
    if text:
        reporter.result(text.splitlines(), {"event": "missing_variables", "yaml": text})
    faults = [*findings.faults, *_without_variables(raw)]
    if faults:
        raise ConfigError(faults, hint=_HINT if text else None)


def _in_azure(args: argparse.Namespace, raw: RawConfig, state: StateStore) -> list[str]:
    """Return the findings in the resource group, or a line that says so without a sign-in."""
    config = configuration.validate(raw)
    control = Interrupts.control = RunControl(args.parallelism or config.deployment.parallelism)
    records = ResourceRecords(state.state, lambda: None)
    try:
        session = open_session(config, run_log.quiet_log(), records=records, control=control, mode=Mode(read_only=True))
    except (AuthenticationError, NoEmulatorError) as error:
        return [_RESTRICTED, f"  Azure was not queried: {error.message}"]
    try:
        return list(inventory.lines(session))
    finally:
        session.close()


def _without_variables(raw: RawConfig) -> Iterator[Fault]:
    """Yield services without variables, which the earlier script set in code."""
    for key in draftgenie.without_variables(raw):
        file, line = raw.place(("services", key))
        words = "add the text for it" if key in draftgenie.VARIABLES else "add what it reads"
        yield Fault(
            "this service would get no variables, since the earlier script set them in code; "
            f"{words} (services.{key}.environment and services.{key}.secrets)",
            key=f"services.{key}",
            file=file,
            line=line,
        )
