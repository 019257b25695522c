"""The parts of a configuration known to the mask: secrets and their parts, not templates or names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from draftgenie_azure.config.raw import read
from draftgenie_azure.masking import HIDDEN, MASK

CONFIG = """\
azure: {resource_group: draftgenie-rg}
postgresql: {admin_password: Adm1n-Passw0rd}
secrets:
  api_key: ${API_KEY}
  user: draftgenie
  number: 1234567890
  braces: "a{{{{b}}c-0123"
services:
  api:
    secrets:
      COMPOSED: "https://x:${PART}@{{ postgresql.host }}/db"
      URL: "{{ postgresql.url }}"
migrations:
  - {service: api, secrets: {TOKEN: Migr4tion-Token}}
"""


@pytest.fixture(autouse=True)
def _forgetting() -> Iterator[None]:
    MASK.forget()
    yield
    MASK.forget()


def test_secrets_are_masked_once_the_configuration_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")

    read([str(path)], {"API_KEY": "from-{{the}}-environment", "PART": "p@rt-of-a-url"})

    secrets = ["Adm1n-Passw0rd", "from-{{the}}-environment", "1234567890", "p@rt-of-a-url", "Migr4tion-Token"]
    for secret in [*secrets, "a{{b}}c-0123"]:
        assert MASK.text(f"<{secret}>") == f"<{HIDDEN}>"
    shown = "{{ postgresql.url }} draftgenie-rg draftgenie {{ postgresql.host }}/db"
    assert MASK.text(shown) == shown


def test_secret_that_a_later_file_replaces_stays_hidden(tmp_path: Path) -> None:
    for name, secret in (("one.yaml", "first-secret-1"), ("two.yaml", "second-secret-2")):
        (tmp_path / name).write_text(f"secrets: {{api_key: {secret}}}\n", encoding="utf-8")

    read([str(tmp_path / "one.yaml"), str(tmp_path / "two.yaml")], {})

    assert MASK.text("first-secret-1 second-secret-2") == f"{HIDDEN} {HIDDEN}"


@pytest.mark.parametrize(
    "place",
    [
        "services: {api: {args: ['--key=${TOKEN}']}}", "services: {api: {command: ['${TOKEN}']}}",
        "services: {api: {environment: {A: '${TOKEN}'}}}", "services: {api: {build_args: {A: '${TOKEN}'}}}",
        "services: {api: {build_args: {A: {value: '${TOKEN}'}}}}",
        "services: {api: {scale: {rules: [{name: a, type: b, metadata: {c: '${TOKEN}'}}]}}}",
        "migrations: [{service: api, command: 'run --key=${TOKEN}'}]",
        "migrations: [{service: api, command: [run, '${TOKEN}']}]",
        "migrations: [{service: api, environment: {A: '${TOKEN}'}}]",
    ],
)
def test_value_of_a_variable_is_masked_wherever_an_application_may_get_a_token(place: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(place, encoding="utf-8")

    read([str(path)], {"TOKEN": "tok_0123456789"})

    assert MASK.text("tok_0123456789 and api") == f"{HIDDEN} and api"
