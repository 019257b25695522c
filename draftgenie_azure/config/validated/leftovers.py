"""References that some program was to replace and did not."""

from __future__ import annotations

import re

# A whole value that is a reference which some program was to replace and did not, and where such a program is used.
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
    )
)


def leftover(value: str) -> str | None:
    """The spelling of the reference that a whole value is, which nobody replaced; None where it is none."""
    text = value.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    return next((style for pattern, style in _LEFTOVERS if pattern.fullmatch(text)), None)
