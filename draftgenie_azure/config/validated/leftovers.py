"""Recognise references and encrypted values that another program should have replaced."""

from __future__ import annotations

import re

# Patterns of values that are unreplaced references of another program (CI, Helm, Terraform …), with their spelling.
_LEFTOVERS = tuple(
    (re.compile(pattern, re.DOTALL), style)
    for pattern, style in (
        (r"\$\([^()]*\)", "$(NAME)"),
        (r"\$\{\{.*\}\}", "${{ … }}"),
        (r"\$\{[^{}]*\}", "${NAME}"),
        (r"\$\[.*\]", "$[ … ]"),
        (r"\$(?:env:)?[A-Za-z_][A-Za-z0-9_]*", "$NAME"),
        (r"%[A-Za-z_][A-Za-z0-9_.]*%", "%NAME%"),
        (r"#\{[^{}]*\}#?", "#{NAME}#"),
        (r"\{\{.*\}\}", "{{ … }}"),
        (r"__[A-Za-z][A-Za-z0-9_.-]*__", "__NAME__"),
        (r"@@?[A-Za-z_][A-Za-z0-9_]*@@?", "@NAME@"),
        (r"\(\([A-Za-z_][A-Za-z0-9_./-]*\)\)", "((NAME))"),
        (r"<%.*%>", "<%= … %>"),
        (r"@Microsoft\.KeyVault\(.*\)", "@Microsoft.KeyVault(…)"),
        (r"\$\(\([^()]*\)\)", "$((NAME))"),
        (r"op://[^/\s]+/\S+", "op://…"),  # 1Password
        (r"vault:[A-Za-z0-9_./-]+#\S+", "vault:…#…"),  # bank-vaults
        (r"ref\+[a-z0-9]+://\S+", "ref+…://…"),  # vals, as helmfile has it
        (r"ENC\[[A-Z0-9_]+,.*\]", "ENC[…]"),  # SOPS: still encrypted
        (r"\$ANSIBLE_VAULT;.*", "$ANSIBLE_VAULT;…"),
    )
)


def leftover(value: str) -> str | None:
    """Return the spelling of the unreplaced reference that makes up a value, or None."""
    text = value.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    return next((style for pattern, style in _LEFTOVERS if pattern.fullmatch(text)), None)
