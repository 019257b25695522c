"""The emulator against recorded traffic of Azure (Azure/azure-dev, Azure/azure-cli, Azure/azure-cli-extensions).

The recordings lie beside the checkout, not in it; without them these tests are skipped.
"""

from __future__ import annotations

from collections import Counter

import pytest
from emulator_client import AzureClient
from recording_differences import DIFFERENCES
from recordings import RECORDINGS, TYPES, Exchange, Outcome, compare, load, served
from replay import Replay
from replay_cases import OtherHosts

from azure_emulator.attach import Attached

FLOOR = 0.98
pytestmark = pytest.mark.skipif(
    not (RECORDINGS.is_dir() and TYPES.is_dir()), reason=f"no recordings beside the checkout ({RECORDINGS})"
)
assert OtherHosts


@pytest.fixture(scope="module")
def outcomes(emulator: Attached) -> list[Outcome]:
    """Every recording replayed in its order, against an emptied emulator."""
    sequences: dict[str, list[Exchange]] = {}
    for exchange in load(RECORDINGS):
        if served(exchange):
            sequences.setdefault(exchange.blob, []).append(exchange)
    azure = AzureClient(emulator)
    return [outcome for sequence in sequences.values() for outcome in Replay(azure).run(sequence)]


@pytest.mark.timeout(400)
def test_the_emulator_answers_as_azure_was_recorded_to(
    outcomes: list[Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    every = Counter(outcome.exchange.family for outcome in outcomes)
    agreed = Counter(outcome.exchange.family for outcome in outcomes if not outcome.differences)
    share = agreed.total() / every.total()
    with capsys.disabled():
        print()
        for family in sorted(every):
            print(f"  {family:28} {agreed[family]:3} of {every[family]:3}")
        print(f"  {'all':28} {agreed.total():3} of {every.total():3}  {share:.1%}")
    assert share >= FLOOR


def test_what_differs_is_listed_with_its_reason_and_nothing_else_is(outcomes: list[Outcome]) -> None:
    differing = {outcome.exchange.name: outcome.differences for outcome in outcomes if outcome.differences}

    unlisted = {name: problems for name, problems in differing.items() if name not in DIFFERENCES}
    obsolete = set(DIFFERENCES) - set(differing)

    assert not unlisted
    assert not obsolete


@pytest.mark.parametrize(
    ("recorded", "answered", "problems"),
    [
        ({"a": 1}, {"a": 2, "b": 3}, 0),
        ({"a": 1}, {}, 1),
        ({"a": 1}, {"a": "1"}, 1),
        ({"a": None}, {"a": None}, 0),
        ({"a": True}, {"a": 1}, 1),
        ({"status": "Succeeded"}, {"status": "Failed"}, 1),
        ([{"a": 1}], [{"b": 1}, {"a": 5}], 0),
        ([{"a": 1}], [], 1),
    ],
)
def test_the_comparison_sees_what_is_missing_or_of_another_kind(
    recorded: object, answered: object, problems: int
) -> None:
    assert len(compare(recorded, answered)) == problems


def test_every_listed_difference_gives_a_reason() -> None:
    assert all(len(reason) > 20 for reason in DIFFERENCES.values())
