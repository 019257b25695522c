"""The kinds of values at keys, and values that are unreplaced references."""

from __future__ import annotations

import pytest

from draftgenie_azure.config.keys import is_secret_key, is_template_key, is_vault_key
from draftgenie_azure.config.validated.leftovers import leftover


@pytest.mark.parametrize(
    "value",
    [
        "$(KEY)", "$(My.Key)", "$KEY", "$env:KEY", "${KEY}", "${KEY:-}", "${{ secrets.KEY }}", "${{secrets.KEY}}",
        "$[variables.KEY]", "%KEY%", "#{KEY}#", "#{KEY}", "{{ key }}", "__KEY__", "@KEY@", "((key))", "((a/b.c))",
        "<%= ENV['KEY'] %>", "@Microsoft.KeyVault(SecretUri=https://v/secrets/s)", " $(KEY)\n", "'$KEY'", '"%KEY%"',
        "$((KEY))", "op://vault/item/field", "vault:secret/data/app#key", "ref+awsssm://app/key",
        "$ANSIBLE_VAULT;1.1;AES256\n3",
        "ENC[AES256_GCM,data:CwE4O1s=,iv:2k=,tag:x,type:str]",
    ],
)  # fmt: skip
def test_unreplaced_references_of_other_programs_are_recognised(value: str) -> None:
    assert leftover(value)


@pytest.mark.parametrize(
    "value",
    [
        "", "abc", "a$KEY", "$KEY-x", "$2b$12$abcdefghijklmnopqrstuv", "100%", "%41%", "p$(x)y", "#1", "$1234", "$",
        "a{{b}}", "(x)", "__", "<a>b", "-----BEGIN X-----\nabc\n-----END X-----\n", "user@host", "me@example.com",
        "%KEY%%KEY%", "$KEY $KEY", "!Password!", "op://", "vault:x", "https://u:p@h/#a", "ENC[x]", "ref+x",
    ],
)  # fmt: skip
def test_other_values_are_not_taken_for_references(value: str) -> None:
    assert leftover(value) is None


def test_keys_are_classified() -> None:
    assert is_vault_key(("secrets", "a")) and is_vault_key(("services", "a", "secrets", "B"))
    assert is_vault_key(("mongodb", "connection_url")) and not is_vault_key(("secrets",))
    assert not is_vault_key(("services", "a", "volume", "account_key"))
    assert is_secret_key("services.a.volume.account_key") and not is_secret_key("services.a.environment.B")
    assert is_template_key(("migrations", 0, "environment", "A")) and not is_template_key(("secrets", "a"))
