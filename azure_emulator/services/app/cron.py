"""The schedule of a job: a cron expression of five fields (learn.microsoft.com/azure/container-apps/jobs)."""

from __future__ import annotations

import re

from azure_emulator.services.app import bodies

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    (0, 7, {name: number for number, name in enumerate(_DAYS)}),
)
"""Least and greatest value of each field, and the names of values."""


def check_schedule(expression: str) -> None:
    """Refuse an expression that is none (github.com/microsoft/azure-container-apps issue 886)."""
    fields = expression.split()
    if len(fields) == len(_FIELDS) and all(map(_is_field, fields, _FIELDS)):
        return
    raise bodies.refuse(
        "InvalidCronExpression",
        f"Given CRON expression - '{expression}' is not valid, please visit "
        "https://learn.microsoft.com/en-us/rest/api/containerapps/preview/jobs/create-or-update?tabs=HTTP"
        "#scheduletriggerconfig for more information.",
    )


def _is_field(text: str, field: tuple[int, int, dict[str, int]]) -> bool:
    return all(_is_part(part, *field) for part in text.split(","))


def _is_part(text: str, least: int, most: int, names: dict[str, int]) -> bool:
    """A value, a range of values or all of them, and each how many of these."""
    match = re.fullmatch(r"(\*|\?|(\w+)(?:-(\w+))?)(?:/([0-9]{1,2}))?", text, re.ASCII)
    if match is None or (match[4] is not None and int(match[4]) == 0):
        return False
    values = [_value(item, names) for item in (match[2], match[3]) if item is not None]
    return all(least <= value <= most for value in values) and values == sorted(values)


def _value(text: str, names: dict[str, int]) -> int:
    return int(text) if re.fullmatch("[0-9]{1,2}", text) else names.get(text.upper(), -1)
