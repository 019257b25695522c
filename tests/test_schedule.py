"""Running by needs: order respected, each at most once, what needs a failure not run, everything else finished."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from draftgenie_azure.control import RunControl
from draftgenie_azure.errors import DeployerError, StopRequested
from draftgenie_azure.schedule import run_by_needs, side_by_side


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, list[str]], dict[str, float], set[str]]:
    """Up to 12 names, each needing some before it; how long each takes in milliseconds; which of them fail."""
    count = draw(st.integers(1, 12))
    names = [f"s{number}" for number in range(count)]
    needs = {
        name: sorted(draw(st.sets(st.sampled_from(names[:number]), max_size=3))) if number else []
        for number, name in enumerate(names)
    }
    durations = {name: draw(st.integers(0, 3)) / 1000 for name in names}
    failing = draw(st.sets(st.sampled_from(names), max_size=3))
    return needs, durations, failing


@settings(max_examples=150, deadline=None)
@given(graph=graphs(), width=st.integers(1, 6))
def test_any_graph_runs_in_order_once_and_around_failures(
    graph: tuple[dict[str, list[str]], dict[str, float], set[str]], width: int
) -> None:
    """Whatever the needs, durations and failures, and however many go at once."""
    needs, durations, failing = graph
    began: list[str] = []
    ended: set[str] = set()
    running: set[str] = set()
    lock = threading.Lock()

    def work(name: str) -> None:
        with lock:
            assert set(needs[name]) <= ended
            assert name not in began
            began.append(name)
            running.add(name)
            assert len(running) <= width
        time.sleep(durations[name])
        with lock:
            running.discard(name)
            if name in failing:
                raise DeployerError(name)
            ended.add(name)

    failures = run_by_needs(needs, work, width=width, durations=durations, control=RunControl())

    blocked: set[str] = set()
    for name, before in needs.items():
        if name in failing or any(other in blocked for other in before):
            blocked.add(name)
    reached = {name for name in needs if not any(other in blocked for other in needs[name])}
    assert set(began) == reached
    assert set(failures) == reached & failing
    assert all(isinstance(error, DeployerError) for error in failures.values())


def test_one_at_a_time_keeps_the_order_of_the_table() -> None:
    """--parallelism 1 runs 1 to 14."""
    needs = {"a": [], "b": [], "c": ["a"], "d": []}
    order: list[str] = []

    run_by_needs(needs, order.append, width=1, durations={"d": 100.0}, control=RunControl())

    assert order == ["a", "b", "c", "d"]


def test_longest_road_starts_first() -> None:
    """With room for one more, what keeps the end waiting longest is begun."""
    needs = {"short": [], "long": [], "after long": ["long"]}
    order: list[str] = []
    gate = threading.Barrier(2, timeout=5)

    def work(name: str) -> None:
        order.append(name)
        if name in ("short", "long"):
            gate.wait()

    run_by_needs(needs, work, width=2, durations={"short": 5, "long": 1, "after long": 9}, control=RunControl())

    assert order[:2] == ["long", "short"]


def test_stop_starts_nothing_more_and_does_not_wait_for_what_hangs() -> None:
    """A step that is deaf is abandoned after a moment."""
    control = RunControl()
    began: list[str] = []
    deaf = threading.Event()

    def work(name: str) -> None:
        began.append(name)
        if name == "first":
            threading.Timer(0.05, control.request_stop).start()
            deaf.wait(30)

    clock = time.monotonic()
    with pytest.raises(StopRequested):
        run_by_needs({"first": [], "second": ["first"]}, work, width=1, durations={}, control=control)
    deaf.set()

    assert time.monotonic() - clock < 4
    assert began == ["first"]


def test_side_by_side_keeps_order_and_lets_all_end_before_it_fails() -> None:
    """The first error, in order, is raised; nobody is cut off."""
    done: list[int] = []

    def task(number: int) -> int:
        time.sleep(0.002 * (5 - number))
        done.append(number)
        if number in (1, 3):
            raise DeployerError(f"task {number}")
        return number

    assert side_by_side([lambda: 1, lambda: 2], width=5) == [1, 2]
    with pytest.raises(DeployerError, match="task 1"):
        side_by_side([lambda number=number: task(number) for number in range(5)], width=3)
    assert sorted(done) == [0, 1, 2, 3, 4]
