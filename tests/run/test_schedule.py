"""Running by needs: order respected, each at most once, what needs a failure not run, everything else finished."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from draftgenie_azure.errors import DeployerError, DeploymentError, StateError, StopRequested
from draftgenie_azure.run.control import RunControl
from draftgenie_azure.run.schedule import _Heartbeats, run_by_needs, run_concurrently, together


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
    """For any needs, durations, failures and parallelism."""
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


def test_critical_path_starts_first() -> None:
    """With room for one more, what keeps the end waiting longest is begun."""
    needs: dict[str, list[str]] = {"first": [], "short": [], "long": [], "after long": ["long"]}
    order: list[str] = []
    ended = threading.Event()

    def work(name: str) -> None:
        order.append(name)
        if name == "first":
            ended.wait(30)  # so that there is room for one more
        elif name == "short":
            ended.set()

    durations = {"first": 99, "short": 5, "long": 1, "after long": 9}
    run_by_needs(needs, work, width=2, durations=durations, control=RunControl())

    assert [name for name in order if name != "first"] == ["long", "after long", "short"]


def test_stop_starts_nothing_more_and_abandons_what_hangs() -> None:
    """A step that is deaf is abandoned after a moment."""
    control = RunControl()
    began: list[str] = []
    ended: list[str] = []
    deaf = threading.Event()

    def work(name: str) -> None:
        began.append(name)
        if name == "first":
            threading.Timer(0.05, control.request_stop).start()
            deaf.wait(60)
        ended.append(name)

    with pytest.raises(StopRequested):
        run_by_needs({"first": [], "second": ["first"]}, work, width=1, durations={}, control=control)

    assert (began, ended) == (["first"], [])
    deaf.set()


def test_stop_ends_the_wait_for_a_slot() -> None:
    """Whoever has one may be at work for long."""
    control = RunControl(parallelism=1)
    with control.slot():
        control.request_stop()

        with pytest.raises(StopRequested), control.slot():
            pytest.fail("there was no place")


def test_run_concurrently_keeps_order_of_results() -> None:
    """Whoever ends first."""
    tasks = [partial(_after, 0.002 * (5 - number), number) for number in range(5)]

    assert run_concurrently(tasks, width=5) == [0, 1, 2, 3, 4]


def _after(seconds: float, result: int) -> int:
    time.sleep(seconds)
    return result


@pytest.mark.parametrize("width", [1, 3])
def test_run_concurrently_lets_all_end_and_raises_all_failures(width: int) -> None:
    """In order of the tasks; those that were raised together further down one by one, and the same words once."""
    done: list[str] = []

    def fails(*words: str) -> None:
        done.extend(words)
        raise together([DeployerError(word) for word in words])

    with pytest.raises(DeploymentError) as caught:
        run_concurrently([partial(fails, *words) for words in (("a",), ("b", "c"), ("lost",), ("lost",))], width=width)

    assert [error.message for error in caught.value.errors] == ["a", "b", "c", "lost"]
    assert sorted(done) == ["a", "b", "c", "lost", "lost"]


def test_one_failure_is_raised_as_it_is() -> None:
    """It keeps its kind, by which others know it."""
    error = StateError("lost")

    assert together([error]) is error
    assert together([error, StateError("lost")]).__class__ is StateError


def test_stop_and_programming_error_precede_failures() -> None:
    """The stop first: its requester is waiting."""
    failure, fault, stop = DeployerError("a"), KeyError("b"), StopRequested()

    assert together([failure, fault]) is fault
    assert together([failure, fault, stop]) is stop


def test_heartbeats_become_less_frequent(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 10 s, 30 s, a minute, and then every two minutes; by a clock of its own."""
    clock = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    told: list[tuple[str, float]] = []
    beats = _Heartbeats(lambda name: told.append((name, clock)))
    beats.begin("a")
    clock = 5.0
    beats.begin("b")
    while clock < 400:
        clock += beats.pause()
        beats.report()
        if clock > 100:
            beats.end("b")

    assert [when for name, when in told if name == "a"] == [10, 40, 100, 220, 340, 460]
    assert [when for name, when in told if name == "b"] == [15, 45, 105]
