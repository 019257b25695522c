"""Run steps concurrently by their needs, and the parts of a step in parallel.

Threads, since steps block in SDK calls; daemon threads, since an interrupted run does not wait for them.
"""

from __future__ import annotations

import heapq
import threading
import time
from functools import partial
from graphlib import TopologicalSorter
from queue import Empty, SimpleQueue

from draftgenie_azure.errors import DeployerError, DeploymentError, StopRequested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn, TypeVar

    from draftgenie_azure.run.control import RunControl

    T = TypeVar("T")

# Seconds after which a name is reported as still running, and to each next report; the last one repeats.
HEARTBEATS = (10.0, 30.0, 60.0, 120.0)
GRACE = 1.5  # seconds that running steps have to notice a stop; operations in Azure continue
ENDING = 15.0  # seconds that they have to cancel a build, or to stop a local one


def run_by_needs(
    needs: Mapping[str, Sequence[str]],
    work: Callable[[str], None],
    *,
    width: int,
    durations: Mapping[str, float],
    control: RunControl,
    still_running: Callable[[str], None] = lambda name: None,
) -> dict[str, BaseException]:
    """Run each name as soon as its needs have succeeded, critical path first.

    Args:
        needs: name -> names that must have succeeded before; in topological order.
        work: runs one name; called in its own thread.
        width: maximum concurrency; 1 runs them in the given order.
        durations: expected seconds of each.
        control: a stop ends the waiting; what still runs is abandoned after a grace period.
        still_running: called with a name that still runs, at increasing intervals (`HEARTBEATS`).

    Returns:
        name -> its exception, for those that failed. Their dependants did not run; everything else did.

    Raises:
        StopRequested: a stop was requested.
    """
    return _Graph(needs, work, width, durations, control, still_running).run()


class _Graph:
    """The waiting, ready, running and failed names; see `run_by_needs`."""

    def __init__(
        self,
        needs: Mapping[str, Sequence[str]],
        work: Callable[[str], None],
        width: int,
        durations: Mapping[str, float],
        control: RunControl,
        still_running: Callable[[str], None],
    ) -> None:
        self._work = work
        self._width = width
        self._control = control
        self._ended: SimpleQueue[tuple[str, BaseException | None] | None] = SimpleQueue()
        control.on_stop = lambda: self._ended.put(None)
        self._order = _priorities(needs, durations, width)
        self._sorter = TopologicalSorter({name: list(before) for name, before in needs.items()})
        self._sorter.prepare()
        self._ready: list[tuple[float, str]] = []
        self._running: set[str] = set()
        self._failures: dict[str, BaseException] = {}
        self._beats = _Heartbeats(still_running)

    def run(self) -> dict[str, BaseException]:
        while True:
            self._start()
            if not self._running:
                break
            try:
                message = self._ended.get(timeout=self._beats.pause())
            except Empty:
                self._beats.report()
                continue
            if message is None:
                self._stop()
            else:
                self._end(*message)
        self._control.check()
        return self._failures

    def _start(self) -> None:
        """Start ready names while there is room."""
        for name in self._sorter.get_ready():
            heapq.heappush(self._ready, (self._order[name], name))
        while self._ready and len(self._running) < self._width and not self._control.stopping:
            name = self._ready[0][1]
            if not is_started(partial(self._one, name), name=name):
                if self._running:
                    break  # a running name will end and make room for another thread
                self._one(name)
            heapq.heappop(self._ready)
            self._running.add(name)
            self._beats.begin(name)

    def _one(self, name: str) -> None:
        try:
            self._work(name)
        except BaseException as error:  # noqa: BLE001 - passed on to the waiting thread
            self._ended.put((name, error))
        else:
            self._ended.put((name, None))

    def _end(self, name: str, error: BaseException | None) -> None:
        self._running.discard(name)
        self._beats.end(name)
        if error is None:
            self._sorter.done(name)
        elif isinstance(error, StopRequested):
            self._stop()
        else:
            self._failures[name] = error

    def _stop(self) -> NoReturn:
        _drain(self._ended, self._running, self._control)
        raise StopRequested


def name_of_thread() -> str:
    """Return the name that the current thread runs."""
    return threading.current_thread().name


class _Heartbeats:
    """The times at which to report each running name."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._due: dict[str, tuple[float, int]] = {}  # name -> time of the next report, and number of earlier ones

    def begin(self, name: str) -> None:
        """Register a name that starts."""
        self._due[name] = (time.monotonic() + HEARTBEATS[0], 0)

    def end(self, name: str) -> None:
        """Remove a name that ended."""
        self._due.pop(name, None)

    def pause(self) -> float:
        """Return the seconds to the next report."""
        return max(0.0, min(when for when, _ in self._due.values()) - time.monotonic())

    def report(self) -> None:
        """Report each name that is due."""
        now = time.monotonic()
        for name in sorted(name for name, (when, _) in self._due.items() if when <= now):
            count = min(self._due[name][1] + 1, len(HEARTBEATS) - 1)
            self._due[name] = (now + HEARTBEATS[count], count)
            self._report(name)


def run_concurrently(tasks: Sequence[Callable[[], T]], *, width: int) -> list[T]:
    """Call functions concurrently, at most `width` at once.

    Returns:
        Their results, in order.

    Raises:
        what they raised, after all have ended: none is interrupted half-way. Several failures are raised together; a
            stop, or a programming error, is raised before them.
    """
    waiting: SimpleQueue[int] = SimpleQueue()
    for number in range(len(tasks)):
        waiting.put(number)
    results: dict[int, T] = {}
    errors: dict[int, BaseException] = {}

    def worker() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except Empty:
                return
            try:
                results[number] = tasks[number]()
            except DeployerError as error:
                errors[number] = error
            except BaseException as error:  # noqa: BLE001 - raised again by the caller
                errors[number] = error
                return

    _in_threads(worker, min(width, len(tasks)))
    if errors:
        raise together([errors[number] for number in sorted(errors)])
    return [results[number] for number in range(len(tasks))]


def _in_threads(worker: Callable[[], None], count: int) -> None:
    """Call a function in so many threads; in this one, where one is enough or the system allows no other."""
    name = threading.current_thread().name  # the step's name, which output and log lines show
    threads = [threading.Thread(target=worker, name=name, daemon=True) for _ in range(count if count > 1 else 0)]
    threads = [thread for thread in threads if _starts(thread)]
    if not threads:
        worker()
    for thread in threads:
        thread.join()


def is_started(target: Callable[[], object], *, name: str) -> bool:
    """Start a thread; return False if the system refuses another one."""
    return _starts(threading.Thread(target=target, name=name, daemon=True))


def _starts(thread: threading.Thread) -> bool:
    try:
        thread.start()
    except RuntimeError:  # the limit of processes or threads (ulimit -u, cgroup)
        return False
    return True


def together(errors: Sequence[BaseException]) -> BaseException:
    """Return the exception for one or more errors: a stop first, then a programming error, then all failures.

    Identical messages, such as a lost lock, appear once.
    """
    faults = [error for error in errors if not isinstance(error, DeployerError)]
    if faults:
        return next((error for error in faults if isinstance(error, StopRequested)), faults[0])
    failures = [part for error in errors if isinstance(error, DeployerError) for part in error.parts]
    distinct = list({(failure.message, failure.hint): failure for failure in failures}.values())
    return distinct[0] if len(distinct) == 1 else DeploymentError(distinct)


def _priorities(needs: Mapping[str, Sequence[str]], durations: Mapping[str, float], width: int) -> dict[str, float]:
    """Return sort keys: the negated critical path from each name, or its position if only one runs at a time."""
    if width == 1:
        return {name: float(number) for number, name in enumerate(needs)}
    length: dict[str, float] = {}
    for name in reversed(list(needs)):
        beyond = max((length[other] for other in length if name in needs[other]), default=0.0)
        length[name] = durations.get(name, 0.0) + beyond
    return {name: -longest for name, longest in length.items()}


def _drain(
    ended: SimpleQueue[tuple[str, BaseException | None] | None], running: set[str], control: RunControl
) -> None:
    """Give running names time to notice the stop and record their progress; more if they have work to cancel."""
    began = time.monotonic()
    while running and (passed := time.monotonic() - began) < (ENDING if control.is_ending else GRACE):
        try:
            message = ended.get(timeout=min(GRACE, max(0.05, GRACE - passed)))
        except Empty:
            continue
        if message is not None:
            running.discard(message[0])
