"""The deployment target of a state: cloud, emulator, subscription and resource group, from the configuration alone."""

from __future__ import annotations

import json
import os

from draftgenie_azure.constants import EMULATOR_DIRECTORY
from draftgenie_azure.errors import StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from draftgenie_azure.config.raw import RawConfig

    Command = Callable[[], str]


def offline_target(raw: RawConfig) -> dict[str, Any]:
    """Return the target without querying Azure; keys that the configuration leaves open are absent."""
    target: dict[str, Any] = {"resource_group": raw.get("azure.resource_group")}
    cloud = raw.get("azure.cloud") or "AzureCloud"
    target["cloud"] = str(cloud.get("name", "custom")) if isinstance(cloud, dict) else cloud
    if raw.get("azure.subscription_id"):
        target["subscription_id"] = raw.get("azure.subscription_id")
    if cloud == "emulator":
        target["emulator"] = _emulator_id(raw.directory)
    return target


def _emulator_id(directory: str) -> str:
    """Return the id of the emulator beside the configuration; read on every run, since it may have been replaced."""
    try:
        with open(os.path.join(directory, EMULATOR_DIRECTORY, "emulator.json"), encoding="utf-8") as file:
            return str(json.load(file)["id"])
    except FileNotFoundError:
        return f"none ({EMULATOR_DIRECTORY} is missing)"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StateError(
            f"{EMULATOR_DIRECTORY}/emulator.json cannot be read: {error}",
            hint=f"Delete {EMULATOR_DIRECTORY}, then --reset-state.",
        ) from error


def contradictions(recorded: Mapping[str, Any], target: Mapping[str, Any]) -> list[str]:
    """Return the keys in which a recorded target differs from the configured one."""
    both = [key for key in target if key in recorded]
    return [key for key in both if str(recorded[key]).lower() != str(target[key]).lower()]


def check_target(recorded: Mapping[str, Any], target: Mapping[str, Any], where: str, command: Command) -> None:
    """Reject a state that was recorded for another target.

    Args:
        recorded: the state's target.
        target: the configured target; keys that it leaves open are absent.
        where: location of the state.
        command: returns the command that clears the state.

    Raises:
        StateError: with the remedy.
    """
    for key in contradictions(recorded, target):
        raise StateError(
            f"the state {where} was recorded for {key} {recorded[key]}, the configuration targets {target[key]}",
            hint=f"Use a separate state file for each target (advanced.state_file), or clear this one: {command()}",
        )


def kept_after_reset(recorded: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a recorded target that survives a reset: all that the configuration does not contradict, if
    the cloud and emulator are the same."""
    wrong = contradictions(recorded, target)
    if "cloud" in wrong or "emulator" in wrong:
        return {}
    return {key: value for key, value in recorded.items() if key not in wrong}
