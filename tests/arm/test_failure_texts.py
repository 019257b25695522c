"""What is told about a failed connection holds no part of a signed URL."""

from __future__ import annotations

import pytest
from azure.core.exceptions import ServiceRequestError

from draftgenie_azure.arm.refusals import no_answer


@pytest.mark.parametrize(
    "text",
    [
        "HTTPSConnectionPool(host='a.blob.core.windows.net', port=443): Max retries exceeded with url: "
        "/c/log.txt?sv=2024&sig=S1gnature%3D (Caused by SomethingNew('no'))",
        "bad reply of https://management.azure.com/operations/1?api-version=2024-01-01&t=1&s=S1gnature&h=x",
        "'/o/1?t=1&s=S1gnature'",
    ],
)
def test_query_of_a_url_is_left_out(text: str) -> None:
    failure = no_answer(ServiceRequestError(text), "GET status")
    assert "S1gnature" not in failure.message
    assert "?…" in failure.message


def test_question_is_kept() -> None:
    assert "what is this? x=y" in no_answer(ServiceRequestError("what is this? x=y"), "GET status").message
