"""A program that the tests of state start: runs a small deployment of three steps in child processes of its own, kills
them at given points, and checks the results. It forks, so it is single-threaded and not a test process itself.

    state_driver.py kill local|blob DIRECTORY fresh|again
                                                  kill a run at every point, one after the other: a first one, or one
                                                  that finds a state and as many copies of earlier ones as are kept
    state_driver.py race local|blob DIRECTORY N   N rounds of eight processes at once
    state_driver.py renew DIRECTORY               kill a run while it renews its lease

A *point* is before, after or (for a write) in the middle of each system call that the state, its lock and the steps'
records make: they are counted by wrapping the calls, so none is missed and none is met by luck. Of a reply the first
piece alone is one: the network decides how many there are. What it found is printed as JSON.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import json
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from draftgenie_azure.errors import StateLockedError  # noqa: E402
from draftgenie_azure.state import local_file as backends  # noqa: E402
from draftgenie_azure.state import lock as locks  # noqa: E402
from draftgenie_azure.state.blob import backend as blob_backend  # noqa: E402
from draftgenie_azure.state.blob.backend import BlobBackend  # noqa: E402

COMMAND = importlib.import_module("deploy-azure_v1")
STEPS = ("create_resource_group", "create_key_vault", "create_databases")
REAL = {name: getattr(os, name) for name in ("open", "write", "fsync", "close", "replace", "rename", "unlink", "mkdir")}


class Points:
    """Counts points, and kills this process at one of them."""

    def __init__(self, target: int, log: str) -> None:
        self._target = target
        self._log = log
        self._count = 0
        self._is_asked = False  # a request was sent, and nothing of its reply has been read

    def note(self, text: str) -> None:
        """Write a line that survives the kill, by calls that are not points."""
        descriptor = REAL["open"](self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        REAL["write"](descriptor, f"{text}\n".encode())
        REAL["close"](descriptor)

    def reached(self, name: str) -> bool:
        """Return whether this is the point to die at, and note it."""
        self._count += 1
        if self._target == 0:
            self.note(f"point {name}")
        return self._count == self._target

    def here(self, name: str) -> None:
        """A point."""
        if self.reached(name):
            self.die(name)

    def die(self, name: str) -> None:
        """The end."""
        self.note(f"killed {self._count} {name}")
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)

    def install(self, *, sockets: bool) -> None:
        """Wrap the calls."""
        for name in REAL:
            self._wrap(os, name)
        self._wrap(fcntl, "flock")
        if sockets:
            for name in ("connect", "sendall", "recv_into"):
                self._wrap(socket.socket, name)

    def _wrap(self, owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            if name == "recv_into" and not self._is_asked:
                return real(*arguments, **options)
            if name in ("sendall", "recv_into"):
                self._is_asked = name == "sendall"
            self.here(f"before {name}")
            if name == "write" and self.reached("in the middle of write"):
                REAL["write"](arguments[0], arguments[1][: len(arguments[1]) // 2])
                self.die("in the middle of write")
            result = real(*arguments, **options)
            self.here(f"after {name}")
            return result

        setattr(owner, name, wrapped)


def note_intents(points: Points) -> None:
    """Note what is about to be stored and that it was, so that old and new are known byte for byte."""
    write_whole, write = backends.write_whole, BlobBackend._write

    def local(path: str, data: bytes, **more: Any) -> os.stat_result:
        is_state = os.path.basename(path) == "state.json"
        if is_state:
            points.note(f"intent {data.hex()}")
        status = write_whole(path, data, **more)
        if is_state:
            points.note("done")
        return status

    def blob(self: BlobBackend, client: Any, data: bytes, **conditions: Any) -> str:
        is_state = client is self._blob
        if is_state:
            points.note(f"intent {data.hex()}")
        etag = write(self, client, data, **conditions)
        if is_state:
            points.note("done")
        return etag

    backends.write_whole = local
    BlobBackend._write = blob  # type: ignore[method-assign]


def manager(kind: str, directory: str) -> Any:
    """The command's own StateManager."""
    os.environ["AZURE_STATE_STORAGE"] = kind
    container = f"driver-{hashlib.sha256(directory.encode()).hexdigest()[:16]}"  # one Azurite serves many tests
    values = {"advanced": {"state_file": os.path.join(directory, "state.json"), "state_blob_container": container}}
    return COMMAND.StateManager(values)


def deploy(
    kind: str, directory: str, *, timeout: float = 0.0, middle: Callable[[Any], None] = lambda state: None
) -> None:
    """Use the state as a run does: lock, load, run each pending step, unlock."""
    state = manager(kind, directory)
    if all(state.is_step_completed(step) for step in STEPS):
        return
    state.lock(timeout=timeout)
    try:
        for step in STEPS:
            if state.is_step_completed(step):
                continue
            state.mark_step_running(step, {"reasons": ["never ran"]})
            with open(os.path.join(directory, "effects"), "a", encoding="utf-8") as file:
                file.write(f"{step}\n")
            middle(state)
            state.mark_step_completed(step, "0" * 64, outputs={"process": os.getpid()})
    finally:
        state.unlock()


def prepare(kind: str, place: str) -> None:
    """An earlier deployment, of which the last step failed, and eleven copies of states before it."""
    state = manager(kind, place)
    state.lock()
    for step in STEPS[:-1]:
        state.mark_step_completed(step, "0" * 64)
    state.mark_step_failed(STEPS[-1], "an earlier failure")
    for number in range(10):
        state.backend.keep(f"{number:08d}.20260101T000000Z.json", b"{}", 10)
    state.unlock()


def in_child(work: Callable[[], None]) -> int:
    """Fork, work, and how that ended: an exit code, or minus a signal."""
    child = start(work)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def start(work: Callable[[], None]) -> int:
    """Fork and work; the child's id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - the child of a fork must not return
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def effects(directory: str) -> list[str]:
    """The steps whose effect took place, in order."""
    try:
        return Path(directory, "effects").read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return []


def stored(kind: str, directory: str) -> bytes | None:
    """The bytes of the state."""
    data: bytes | None = manager(kind, directory).backend.load()
    return data


def old_and_new(log: str) -> tuple[list[bytes | None], list[str]]:
    """Return the possible stored states from a run's notes, and its other notes."""
    before: bytes | None = None
    after: bytes | None = None
    notes = []
    for line in Path(log).read_text(encoding="utf-8").splitlines():
        word, _, rest = line.partition(" ")
        if word == "intent":
            after = bytes.fromhex(rest)
        elif word == "done":
            before, after = after, None
        else:
            notes.append(line)
    return [before] if after is None else [before, after], notes


def kill_everywhere(kind: str, directory: str, which: str) -> dict[str, Any]:
    """Kill a run at each of its points; look at the state; let the next run finish."""

    def new(name: str) -> str:
        place = os.path.join(directory, name)
        os.mkdir(place)
        if which == "again":
            assert in_child(lambda: prepare(kind, place)) == 0
        return place

    def killed_at(target: int, place: str) -> Callable[[], None]:
        def work() -> None:
            points = Points(target, f"{place}.log")
            note_intents(points)
            points.install(sockets=kind == "blob")
            deploy(kind, place)

        return work

    first = new(f"{kind}-{which}")
    stored(kind, first)  # what is imported on the way is imported here, once, and makes no points in the children
    assert in_child(killed_at(0, first)) == 0
    _, notes = old_and_new(f"{first}.log")
    names = [note.removeprefix("point ") for note in notes]
    torn, killed = [], []
    for number in range(1, len(names) + 1):
        place = new(f"{kind}-{which}-{number}")
        untouched = stored(kind, place)
        code = in_child(killed_at(number, place))
        allowed, notes = old_and_new(f"{place}.log")
        allowed = [untouched if data is None else data for data in allowed]
        if code != -signal.SIGKILL:
            torn.append(f"{number}: ended with {code}, not killed")
            continue
        killed.append(notes[-1])
        found = stored(kind, place)
        if found not in allowed:
            torn.append(f"{notes[-1]}: neither the old nor the new state")
        done = [name for name, record in json.loads(found or b'{"steps": {}}')["steps"].items()
                if record["status"] == "completed"]
        before = effects(place)
        if kind == "blob":
            manager(kind, place).break_lock()  # as time does, within a minute
        if in_child(lambda place=place: deploy(kind, place)) != 0:  # type: ignore[misc]
            torn.append(f"{notes[-1]}: the next run failed")
            continue
        again = effects(place)[len(before):]
        if set(again) & set(done):
            torn.append(f"{notes[-1]}: {set(again) & set(done)} ran again")
        last = json.loads(stored(kind, place) or b"{}")
        if any(last["steps"][step]["status"] != "completed" for step in STEPS):
            torn.append(f"{notes[-1]}: not finished by the next run")
        left = [name for _, _, names in os.walk(place) for name in names if name.endswith(".tmp")]
        if left:
            torn.append(f"{notes[-1]}: {left} are left behind")
    return {"points": len(names), "kinds": sorted(set(names)), "killed": len(killed), "wrong": torn}


def kill_while_renewing(directory: str) -> dict[str, Any]:
    """Kill a run at each point of a renewal of its lease, while nothing else happens."""
    wrong, killed = [], set()
    for number in range(1, 9):
        place = os.path.join(directory, f"renew{number}")
        os.mkdir(place)

        def work(number: int = number, place: str = place) -> None:
            blob_backend.RENEW = 0.2
            points = Points(number, f"{place}.log")
            note_intents(points)

            def middle(state: Any) -> None:
                points.install(sockets=True)
                time.sleep(30)  # until it is killed

            deploy("blob", place, middle=middle)

        if in_child(work) != -signal.SIGKILL:
            wrong.append(f"{number}: not killed")
            continue
        allowed, notes = old_and_new(f"{place}.log")
        killed.add(notes[-1])
        if stored("blob", place) not in allowed:
            wrong.append(f"{notes[-1]}: neither the old nor the new state")
        manager("blob", place).break_lock()
        if in_child(lambda place=place: deploy("blob", place)) != 0:  # type: ignore[misc]
            wrong.append(f"{notes[-1]}: the next run failed")
    return {"killed": len(killed), "kinds": sorted(killed), "wrong": wrong}


def race(kind: str, directory: str, rounds: int) -> dict[str, Any]:
    """Eight processes that start at random against one state; each step's effect happens exactly once a round."""
    locks.LocalLock.POLL = 0.01
    blob_backend.POLL = 0.05
    wrong = []
    seed = int.from_bytes(os.urandom(4), "big")
    chance = random.Random(seed)
    began = time.monotonic()
    for number in range(rounds):
        place = os.path.join(directory, f"race{number}")
        os.mkdir(place)
        pauses = [chance.uniform(0, 0.1) for _ in range(8)]
        # Half of them wait, half would be refused; those try again, as people do.

        def work(pause: float, patient: bool, place: str = place) -> None:
            time.sleep(pause)
            deadline = time.monotonic() + 60
            while True:
                try:
                    deploy(kind, place, timeout=60 if patient else 0)
                    return
                except StateLockedError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(random.uniform(0.01, 0.1))

        children = [
            start(lambda pause=pause, index=index: work(pause, index % 2 == 0))  # type: ignore[misc]
            for index, pause in enumerate(pauses)
        ]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        last = json.loads(stored(kind, place) or b'{"steps": {}}')
        if any(codes):
            wrong.append(f"round {number}: exit codes {codes}")
        if sorted(effects(place)) != sorted(STEPS):
            wrong.append(f"round {number}: effects {effects(place)}")
        if [name for name in STEPS if last["steps"].get(name, {}).get("status") != "completed"]:
            wrong.append(f"round {number}: an update is lost")
        # Two saves for each step, and for a blob the document that there must be to take a lease on.
        if last.get("serial") != 2 * len(STEPS) + (kind == "blob"):
            wrong.append(f"round {number}: serial {last.get('serial')}")
    return {"rounds": rounds, "seed": seed, "wrong": wrong, "seconds": round(time.monotonic() - began, 1)}


def main(arguments: list[str]) -> None:
    """Do what is asked, and print what was found."""
    if arguments[0] == "kill":
        found = kill_everywhere(*arguments[1:])
    elif arguments[0] == "renew":
        found = kill_while_renewing(arguments[1])
    else:
        found = race(arguments[1], arguments[2], int(arguments[3]))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
