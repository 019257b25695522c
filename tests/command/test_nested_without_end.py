"""JSON that nests deeper than it can be read, wherever some is read: what is not ours, and no traceback."""

from __future__ import annotations

import base64
import json

import pytest
from project import STATE, Project

from draftgenie_azure.arm.replies import parsed
from draftgenie_azure.build_context import instructions
from draftgenie_azure.masking import Mask
from draftgenie_azure.session import token_claims
from draftgenie_azure.state import earlier

ENDLESS = "[" * 200_000


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        (f"{STATE}.history", ["--history"], 0),
        (f"{STATE}.history", ["--force-step", "create_monitoring"], 0),
        (f"{STATE}.baseline", ["--force-step", "create_monitoring"], 0),
        (STATE, ["--dry-run"], 1),
        (".azure-emulator/emulator.json", ["--dry-run"], 1),
    ],
)
def test_endless_document_gives_no_traceback(name: str, arguments: list[str], code: int, deployed: Project) -> None:
    (deployed.directory / name).write_text(ENDLESS, encoding="utf-8")

    result = deployed.run(*arguments)

    assert "Traceback" not in result.text
    assert result.code == code, result.text


@pytest.mark.parametrize("text", ["[]", "5", '{"id": {}}', '{"id": 5}', "null"])
def test_malformed_description_of_the_emulator_is_reported(text: str, deployed: Project) -> None:
    (deployed.directory / ".azure-emulator" / "emulator.json").write_text(text, encoding="utf-8")

    result = deployed.run("--dry-run")

    assert "Traceback" not in result.text
    assert result.code == 1


def test_endless_replies_tokens_dockerfiles_and_secrets_are_text() -> None:
    mask = Mask()
    mask.add('{"key": ' + ENDLESS)

    assert mask.text("harmless text") == "harmless text"
    assert parsed(ENDLESS) == ENDLESS
    assert token_claims(f"a.{base64.urlsafe_b64encode(ENDLESS.encode()).decode()}.c") == {}
    assert instructions.json_words(ENDLESS) is None


@pytest.mark.parametrize("section", [[1], "x", 5, {"key_vault": ["x"]}, None])
def test_earlier_state_with_malformed_resources_is_read(section: object) -> None:
    data = json.dumps({"resources": section, "created_resources": {"key_vault": {"name": "kv"}}}).encode()

    assert earlier._created(data) == {"key_vault": {"name": "kv"}}
    assert earlier._created(ENDLESS.encode()) == {}
