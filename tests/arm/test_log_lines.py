"""Lines of a log stream: split where a line is too long, but never within a secret."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from draftgenie_azure.arm.replies import LONGEST_LINE, lines_of
from draftgenie_azure.masking import HIDDEN, MASK

SECRET = "Sup3r-s3cret-välue"


@pytest.fixture(autouse=True)
def _forgetting() -> Iterator[None]:
    MASK.forget()
    MASK.add(SECRET)
    yield
    MASK.forget()


@pytest.mark.parametrize("size", [1, 7, 4096, 1_000_000])
def test_lines_do_not_depend_on_where_chunks_end(size: int) -> None:
    data = f"one\r\ntwo {SECRET}\n\nthree".encode()
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    assert list(lines_of(chunks)) == ["one", f"two {SECRET}", "", "three"]


@pytest.mark.parametrize("shift", [1, 5, 17])
@pytest.mark.parametrize("size", [4096, 1_000_000])
def test_line_without_end_is_split_beside_a_secret(shift: int, size: int) -> None:
    text = "x " * 200_000
    for end in (LONGEST_LINE, 2 * LONGEST_LINE, 3 * LONGEST_LINE):
        start = end - shift
        text = f"{text[:start]}{SECRET}{text[start + len(SECRET) :]}"
    data = text.encode()

    found = list(lines_of(data[i : i + size] for i in range(0, len(data), size)))

    assert "".join(found) == text
    assert len(found) > 4
    assert "".join(map(MASK.text, found)).count(HIDDEN) == 3
    assert max(map(len, found)) < 2 * LONGEST_LINE


def test_secret_longer_than_a_line_does_not_stop_the_log() -> None:
    MASK.add("y" * 200_000)
    assert "".join(lines_of([b"y" * 300_000])) == "y" * 300_000
