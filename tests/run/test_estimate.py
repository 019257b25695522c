"""The estimate of the remaining time: its sources, and that it neither stalls nor becomes negative."""

from __future__ import annotations

import pytest

from draftgenie_azure.run.estimate import HIGH, LOW, USUAL, in_words, simulate, spread_of


def test_step_without_history_takes_its_usual_time() -> None:
    spread = spread_of((), 100.0)

    assert spread.usual == 100.0
    assert spread.low < 100.0 < spread.high


def test_one_unusual_run_does_not_determine_the_estimate() -> None:
    """A run of a step in which there was nothing to do took a tenth of a second: the next one may change a server."""
    spread = spread_of((0.1,), 120.0)

    assert spread.usual > 30.0
    assert spread.high > 120.0


def test_a_few_runs_determine_the_estimate() -> None:
    spread = spread_of((300.0, 310.0, 320.0), 1000.0)

    assert spread.usual == 310.0
    assert spread.high < 500.0


@pytest.mark.parametrize("seen", [(), (100.0,), (80.0, 100.0, 120.0, 90.0)])
@pytest.mark.parametrize("share", [LOW, USUAL, HIGH])
def test_time_left_stays_positive_however_long_a_step_runs(seen: tuple[float, ...], share: float) -> None:
    spread = spread_of(seen, 100.0)
    left = [spread.left(elapsed, share) for elapsed in (0.0, 10.0, 99.0, 150.0, 500.0, 5000.0)]

    assert all(seconds > 0 for seconds in left)
    assert left[-1] > left[-2]  # nobody knows any longer: it grows with what has passed


def test_time_left_is_that_of_the_critical_path_which_is_named() -> None:
    needs = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
    seconds = {"b": 10.0, "c": 30.0, "d": 5.0}

    assert simulate(needs, seconds, {"b", "c"}, width=10) == (35.0, "c")
    assert simulate(needs, seconds, {"b"}, width=1) == (45.0, "b")
    assert simulate(needs, {}, set(), width=1) == (0.0, None)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0, 5, "less than 10 s"), (30, 50, "about 40 s"), (20, 100, "up to 2 min"), (360, 660, "6–11 min"),
     (7000, 9000, "1–3 h")],
)  # fmt: skip
def test_range_is_formatted_for_people(low: float, high: float, words: str) -> None:
    assert in_words(low, high) == words
