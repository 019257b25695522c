"""The command line: flags, their values, and errors in them."""

from __future__ import annotations

import argparse
import os
import stat

from draftgenie_azure import cli
from draftgenie_azure.constants import COMMAND, REPORT_MARK, VERSION
from draftgenie_azure.errors import UsageError
from draftgenie_azure.steps import STEP_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_COMMANDS = (
    "status", "history", "logs", "prune", "destroy", "forget", "rollback", "rotate_secret", "reset_state",
    "restore_state", "move_state", "force_unlock",
)  # fmt: skip
_DEPLOY = ("rollback", "rotate_secret")  # they are deployments, and have a plan
_BELONGS_TO = {
    "include_data": ("prune", "destroy"),
    "purge": ("destroy", "prune"),
    "accept_newer_schema": ("rollback",),
    "follow": ("logs",),
}


class _Parser(argparse.ArgumentParser):
    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the arguments; for an unknown one, suggest the nearest flag."""
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(cli.mistakes.unknown_arguments(unknown, self._option_string_actions))
        fault = _contradiction(parsed)
        if fault:
            self.error(fault)
        return parsed

    def format_help(self) -> str:
        """Return the page of `--help`, fitted to the terminal; only this command queries its size."""
        self.formatter_class = cli.help_page.HelpPage
        return super().format_help()

    def error(self, message: str) -> Any:
        """Raise a usage error, handled like any other failure."""
        raise UsageError(message, hint=f"{self.prog} --help lists the flags.")


class TextAsked(Exception):
    """Raised by --help, --version and --completion, whatever else is in the command line.

    Attributes:
        what: `help`, `version` or `completion`.
        text: what was asked for.
    """

    def __init__(self, what: str, text: str) -> None:
        super().__init__(what)
        self.what = what
        self.text = text


class _Help(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, flag: Any = None) -> None:
        raise TextAsked("help", parser.format_help().rstrip("\n"))


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, flag: Any = None) -> None:
        raise TextAsked("version", f"{parser.prog} {VERSION}")


class _Completion(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, flag: Any = None) -> None:
        raise TextAsked("completion", cli.completion.script(parser, values))


def _contradiction(args: argparse.Namespace) -> str | None:
    """Return the error in a combination of flags: two conflicting commands, or a flag without the one it modifies."""

    def given(name: str) -> bool:
        value = getattr(args, name)
        return value is not None and value is not False  # `--history` alone is 0

    def flag(name: str) -> str:
        return f"--{name.replace('_', '-')}"

    commands = [name for name in _COMMANDS if given(name)]
    if len(commands) > 1:
        return f"{flag(commands[0])} and {flag(commands[1])} are different commands: give only one of them"
    if commands and commands[0] not in _DEPLOY and given("expect_plan"):
        return f"--expect-plan is for a deployment: {flag(commands[0])} has no plan with an id"
    forced = next((name for name in ("force_step", "force_all") if getattr(args, name)), None)
    if commands and commands[0] not in _DEPLOY and forced:
        return f"{flag(forced)} is for a deployment: {flag(commands[0])} runs no step"
    for name, owners in _BELONGS_TO.items():
        if given(name) and not any(given(owner) for owner in owners):
            return f"{flag(name)} is only for {' or '.join(map(flag, owners))}"
    return None


def _value(text: str) -> str:
    """Reject an empty value, as from an unset shell variable, instead of running something else."""
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a value, got an empty one")
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"expected an integer from 1 to 100, got {text!r}")
    return int(text)


def _run(text: str) -> int:
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected the number of a run, as --history shows it, got {text!r}")
    return int(text)


def _run_or_off(text: str) -> int | str:
    return text if text == "off" else _run(text)


def is_life_command(args: argparse.Namespace) -> bool:
    """Return whether the flags request one of the commands in `cli/life.py`."""
    asked = (args.destroy, args.prune, args.forget, args.logs, args.rotate_secret, args.rollback)
    return args.history is not None or any(asked)


def kind_of_run(args: argparse.Namespace) -> dict[str, Any]:
    """Return the kind of run that the history records for the flags."""
    if args.rollback and args.rollback != "off":
        return {"kind": "rollback", "of": args.rollback}
    return {"kind": "rotate" if args.rotate_secret else "deploy"}


def _seconds(text: str) -> float:
    number, factor = (text[:-1], {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)) if text[-1:].isalpha() else (text, 1)
    if not factor or not number.isdecimal() or len(number) > 9:
        raise argparse.ArgumentTypeError(f"expected a duration such as 30, 90s, 10m or 1h, got {text!r}")
    return float(int(number) * factor)


def _report(path: str) -> str:
    """Check a path for a report, which must not overwrite another kind of file."""
    if not path.lower().endswith((".html", ".md", ".json")):
        raise argparse.ArgumentTypeError(f"expected a file name that ends in .html, .md or .json, got {path!r}")
    directory = os.path.dirname(path) or "."
    if not os.path.isdir(directory):
        raise argparse.ArgumentTypeError(f"{path!r} cannot be written: there is no directory {directory!r}")
    try:
        if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):  # reading a pipe would block
            raise argparse.ArgumentTypeError(f"{path!r} cannot be written: it is not a file")
        with open(path, "rb") as file:
            is_ours = REPORT_MARK.encode() in file.read(300)
    except FileNotFoundError:
        return path
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path!r} cannot be written: {error.strerror}") from None
    if not is_ours:
        raise argparse.ArgumentTypeError(f"{path!r} is not a report of this command; it was left unchanged")
    return path


def _step(name: str) -> str:
    if name in STEP_NAMES:
        return name
    raise argparse.ArgumentTypeError(cli.mistakes.unknown_step(name))


def build_parser(description: str | None) -> argparse.ArgumentParser:
    """Return the parser, with flags in groups."""
    parser = _Parser(
        prog=COMMAND,
        usage="%(prog)s [--config PATH]... [flag]...",
        description=description,
        add_help=False,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=80),  # does not query the terminal
    )
    parser.set_defaults(special=None)  # the additional effect of a deployment, once it is known
    parser.add_argument("-h", "--help", action=_Help, nargs=0, help="show this help message and exit")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    for title, add_flags in _GROUPS.items():
        add_flags(parser.add_argument_group(title).add_argument)
    return parser


def _configuration(add: Callable[..., Any]) -> None:
    files = "configuration (default config.yaml); later files override earlier ones"
    add("--config", type=_value, action="append", metavar="PATH", help=files)
    variables = "variables for ${NAME} from a file; the process environment takes precedence"
    add("--env-file", type=_value, metavar="PATH", help=variables)


def _deployment(add: Callable[..., Any]) -> None:
    dry = "show what would run and why, and which properties would change; write nothing"
    add("--dry-run", action="store_true", help=dry)
    detailed = "with --dry-run: exit 2 when something would run, or with --refresh when something drifted"
    add("--detailed-exitcode", action="store_true", help=detailed)
    expected = "run only if the plan, recomputed under the lock, is the reviewed one"
    add("--expect-plan", type=_value, metavar="ID", help=expected)
    looked = "read every resource before deciding, and repair drift; default deployment.refresh"
    add("--refresh", action="store_true", default=None, help=looked)
    add("--no-refresh", dest="refresh", action="store_false", help="do not, regardless of deployment.refresh")
    forced = "run STEP regardless of changes; repeatable"
    add("--force-step", action="append", type=_step, default=[], metavar="STEP", help=forced)
    add("--force-all", action="store_true", help="run every step")
    add("--adopt", action="store_true", help="take over a group that another state manages, and restrict access")
    add("--parallelism", type=_count, metavar="N", help="steps and resources in flight; 1 runs the steps in order")
    waited = "time to wait for another run's lock (30, 90s, 10m, 1h); default 0: fail at once"
    add("--lock-timeout", type=_seconds, default=0.0, metavar="DURATION", help=waited)
    add("--auto-approve", action="store_true", help="never ask")
    add("--resume", action="store_true", help="accepted for older callers: a run always resumes")


def _inspection(add: Callable[..., Any]) -> None:
    add("--status", action="store_true", help="show the recorded state")
    add("--history", nargs="?", type=_run, const=0, metavar="RUN", help="show the runs so far, or one of them")
    add("--logs", type=_value, metavar="SERVICE", help="show the log of a service's running replicas")
    add("--follow", action="store_true", help="with --logs: continue until Ctrl-C")


def _life(add: Callable[..., Any]) -> None:
    back = "deploy the images of an earlier run again; `off` ends that; asks first"
    add("--rollback", type=_run_or_off, metavar="RUN", help=back)
    newer = "with --rollback: even if migrations ran since"
    add("--accept-newer-schema", action="store_true", help=newer)
    add("--rotate-secret", type=_value, metavar="NAME", help="give a secret a new value, and deploy it; asks first")
    add("--prune", action="store_true", help="delete resources that left the configuration; asks first")
    add("--destroy", action="store_true", help="delete what this deployment created, except data; asks first")
    add("--include-data", action="store_true", help="with --prune or --destroy: also delete resources with data")
    purged = "with --destroy or --prune: also purge deleted vaults, those of an earlier one as well"
    add("--purge", action="store_true", help=purged)
    add("--forget", type=_value, metavar="KEY", help="remove a resource from the state; the resource is kept")


def _state(add: Callable[..., Any]) -> None:
    add("--reset-state", action="store_true", help="keep a dated copy of the state, clear it and exit")
    restored = "restore an earlier copy of the state, or an emergency state file"
    add("--restore-state", type=_value, metavar="FILE", help=restored)
    add("--move-state", choices=("local", "blob"), help="move the state to the other storage")
    add("--force-unlock", action="store_true", help="break another run's lock on a state in a blob; asks first")


def _output(add: Callable[..., Any]) -> None:
    output = "readable lines, or one JSON event per line"
    add("--output", choices=("auto", "plain", "json"), default="auto", help=output)
    add("--report", type=_report, metavar="PATH", help="also write a report as .html, .md or .json")
    add("--log-file", type=_value, metavar="PATH", help="write every request and decision to PATH")
    add("--no-color", action="store_true", help="no colours, as with NO_COLOR")
    add("--verbose", action="store_true", help="log to the terminal too")
    completed = "print a completion script for the shell, and exit"
    add("--completion", action=_Completion, choices=("bash", "zsh", "fish"), help=completed)


_GROUPS = {
    "configuration": _configuration,
    "deploy (the default)": _deployment,
    "inspect": _inspection,
    "go back, rotate, delete": _life,
    "the state": _state,
    "output": _output,
}
