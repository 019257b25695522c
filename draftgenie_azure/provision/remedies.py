"""Remedies for a failing service, by the messages of Azure and of its container."""

from __future__ import annotations

import re

_OTHERWISE = "Fix the service named, then run again. --logs {key} shows more of its log."
# The first whose words are found decides. `{key}` is the service's key in the configuration.
_REMEDIES = tuple(
    (re.compile(words, re.IGNORECASE | re.DOTALL), remedy)
    for words, remedy in (
        (
            r"TargetPort \d+ does not match",
            "Set services.{key}.port to the port that the container listens on, then run again.",
        ),
        (
            r"TOOMANYREQUESTS|pull rate limit",
            "The registry limits anonymous pulls: add it under `registries` with a user, or keep the image in a "
            "registry of your own; then run again.",
        ),
        (
            r"ImagePull|MANIFEST_UNKNOWN|UNAUTHORIZED|pull access denied|failed to pull",
            "Correct services.{key}.image; a private registry needs an entry under `registries`. Then run again.",
        ),
        (
            r"probe failed|ProbeFailure|failing probes",
            "services.{key}.health_path must answer 200 on services.{key}.port within services.{key}.startup_seconds. "
            "Correct them or the service, then run again.",
        ),
        (
            r"exit code 137|OOMKilled",
            "It was killed, as a rule for want of memory: raise services.{key}.memory and cpu, then run again.",
        ),
        (
            r"exit code",
            "Its log says why it ended. A missing variable belongs under services.{key}.environment or .secrets; for "
            "code, fix it. Then run again. --logs {key} shows more.",
        ),
        (
            r"answers \d",
            "Fix what the answer names, or correct services.{key}.health_path; then run again. --logs {key} shows its "
            "log.",
        ),
    )
)


def remedy(key: str, text: str) -> str:
    """Return the remedy for a service, by the text of its failure."""
    found = next((remedy for words, remedy in _REMEDIES if words.search(text)), _OTHERWISE)
    return found.format(key=key)
