"""Runs the emulator: `python -m azure_emulator`."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from azure_emulator.core.clock import stamp
from azure_emulator.core.faults import BadFault
from azure_emulator.core.world import World, checked_scale
from azure_emulator.front.certificates import Certificates
from azure_emulator.front.server import Server
from azure_emulator.lockfile import ALREADY_RUNS, HELD, announce, check_owner, read_lock, withdraw

_GRACE = 2.0
"""Seconds that an attached emulator keeps running after its last client has gone."""
_LONELY = 30.0
"""Seconds that it waits for its first client."""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.temporary:
        try:
            with tempfile.TemporaryDirectory(prefix="azure-emulator-") as name:
                return _run(Path(name), options)
        except OSError as error:
            return _fail(str(error))
    return _run_in(options)


def _run_in(options: argparse.Namespace) -> int:
    """In the directory that is asked for, which one emulator at a time may write to."""
    directory = Path(options.directory).absolute()
    if options.read_only and not (directory / "emulator.json").exists():
        return _fail(f"{directory} contains no emulator; without --read-only one is created")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    problem = check_owner(directory)
    if problem is not None:
        return _fail(problem)
    lock = FileLock(directory / HELD, timeout=0, mode=0o600)
    if not options.read_only:
        try:
            lock.acquire()
        except Timeout:
            running = read_lock(directory) or {}
            _fail(f"an emulator is already running in {directory}, at {running.get('control', 'an unknown address')}")
            return ALREADY_RUNS
    try:
        return _run(directory, options)
    finally:
        lock.release()


def _run(directory: Path, options: argparse.Namespace) -> int:
    try:
        world = _world(directory, options)
    except (BadFault, ValueError, TypeError, OSError) as error:
        return _fail(f"{type(error).__name__}: {error}" if isinstance(error, TypeError) else str(error))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        server = Server(world, Certificates(directory, options.read_only), options.port)
    except OSError as error:
        return _fail(f"cannot listen on port {options.port}: {error}")
    if not (options.read_only or options.temporary):
        announce(directory, server.address, server.secret, stamp(time.time(), digits=0))
    _announce(options, world, server)
    _serve(server, stop, attached=options.attached)
    if not (options.read_only or options.temporary):
        withdraw(directory)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m azure_emulator", description="An Azure on loopback, for development and tests."
    )
    parser.add_argument(
        "--directory", default=".azure-emulator", metavar="DIR", help="where it keeps everything (default: %(default)s)"
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="loopback port (default: a free one)")
    parser.add_argument(
        "--scale",
        type=_scale,
        default=None,
        metavar="X",
        help="durations as a fraction of Azure's; 0, the default: done at the first poll",
    )
    parser.add_argument(
        "--faults",
        metavar="FILE",
        help="a list of faults, or a mapping with faults and policies",
    )
    parser.add_argument("--images", metavar="FILE", help="behaviour of images by pattern of the repository's name")
    parser.add_argument("--read-only", action="store_true", help="write no file")
    parser.add_argument(
        "--temporary", action="store_true", help="begin empty, in a temporary directory that ends with it"
    )
    parser.add_argument(
        "--env",
        nargs="?",
        const="bash",
        choices=("bash", "powershell", "dotenv"),
        help="print the variables that a client needs",
    )
    parser.add_argument("--attached", action="store_true", help=argparse.SUPPRESS)
    return parser


def _scale(text: str) -> float:
    try:
        return checked_scale(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _fail(text: str) -> int:
    print(f"emulator: {text}", file=sys.stderr, flush=True)
    return 1


def _document(path: str) -> Any:
    file = Path(path)
    text = file.read_text(encoding="utf-8")
    if file.suffix in (".yaml", ".yml"):
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"{path}: {error}") from error
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _world(directory: Path, options: argparse.Namespace) -> World:
    world = World(directory, read_only=options.read_only, scale=options.scale or 0.0)
    if options.faults:
        document = _document(options.faults)
        declared = document if isinstance(document, dict) else {"faults": document}
        unknown = set(declared) - {"faults", "policies"}
        lists = all(isinstance(value, list) for value in declared.values())
        if not declared or unknown or not lists:
            raise BadFault(f"{options.faults}: a list of faults, or lists under faults and policies, is expected")
        world.faults.declare(declared.get("faults", []))
        world.policies.declare(declared.get("policies", []))
    if options.images:
        document = _document(options.images)
        world.adjust({"images": document.get("images", document)})
    return world


def _announce(options: argparse.Namespace, world: World, server: Server) -> None:
    if options.attached:
        # One that is for its starter alone has no file for its secret, which is read here, from a pipe.
        found = {"control": server.address, "directory": str(world.directory)}
        secret = {"secret": server.secret} if options.read_only or options.temporary else {}
        print(json.dumps({**found, **secret}), flush=True)
        return
    if not options.env:
        print(f"Azure emulator at {server.address}, in {world.directory}; Ctrl-C ends it.", flush=True)
    identity = world.identity
    values = {
        "HTTPS_PROXY": server.address,
        "REQUESTS_CA_BUNDLE": str(world.directory / "ca.pem"),
        "AZURE_TENANT_ID": identity.tenant_id,
        "AZURE_CLIENT_ID": identity.client_id,
        "AZURE_CLIENT_SECRET": identity.client_secret,
        "AZURE_SUBSCRIPTION_ID": identity.subscription_id,
    }
    for name, value in values.items():
        print(_assignment(options.env or "bash", name, value), flush=True)


def _assignment(form: str, name: str, value: str) -> str:
    if form == "bash":
        return f"export {name}={shlex.quote(value)}"
    if form == "powershell":
        quoted = value.replace("'", "''")
        return f"$env:{name} = '{quoted}'"
    plain = all(character.isalnum() or character in "/:._-\\" for character in value)
    return f"{name}={value}" if plain else f'{name}="{value}"'


def _serve(server: Server, stop: threading.Event, *, attached: bool) -> None:
    """Serve until Ctrl-C or, with clients attached, until the last has gone."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    while not stop.wait(0.1):
        grace = _GRACE if server.holders.ever else _LONELY
        if attached and server.holders.idle_seconds() > grace:
            break
    server.shutdown()
    server.server_close()
    with server.world.lock:
        server.world.store.close()


if __name__ == "__main__":
    sys.exit(main())
