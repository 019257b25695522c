"""Default bodies of services as data, in one module `defaults` per provider."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


def filled(defaults: Mapping[str, Any], sent: Mapping[str, Any] | None = None, **own: Any) -> Json:
    """A copy of the defaults, with what was sent over them key by key, and over that what the service sets itself."""
    return {**copy.deepcopy(dict(defaults)), **(sent or {}), **own}
