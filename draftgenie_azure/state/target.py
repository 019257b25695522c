"""What a state was recorded for: cloud, emulator, subscription and group; told from the configuration alone."""

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
    """What can be told of the target without asking Azure; what the configuration leaves open is absent."""
    target: dict[str, Any] = {"resource_group": raw.get("azure.resource_group")}
    cloud = raw.get("azure.cloud") or "AzureCloud"
    target["cloud"] = str(cloud.get("name", "custom")) if isinstance(cloud, dict) else cloud
    if raw.get("azure.subscription_id"):
        target["subscription_id"] = raw.get("azure.subscription_id")
    if cloud == "emulator":
        target["emulator"] = _emulator_id(raw.directory)
    return target


def _emulator_id(directory: str) -> str:
    """The id of the emulator beside the configuration; read on every run, since it may be another one by now."""
    try:
        with open(os.path.join(directory, EMULATOR_DIRECTORY, "emulator.json"), encoding="utf-8") as file:
            return str(json.load(file)["id"])
    except FileNotFoundError:
        return "none (.azure-emulator is missing)"
    except (OSError, ValueError, KeyError) as error:
        raise StateError(
            f".azure-emulator/emulator.json cannot be read: {error}", hint="Delete .azure-emulator, then --reset-state."
        ) from error


def contradictions(recorded: Mapping[str, Any], target: Mapping[str, Any]) -> list[str]:
    """The keys in which a recorded target is not what the configuration means."""
    both = [key for key in target if key in recorded]
    return [key for key in both if str(recorded[key]).lower() != str(target[key]).lower()]


def check_target(recorded: Mapping[str, Any], target: Mapping[str, Any], where: str, command: Command) -> None:
    """Refuse a state that was recorded for something else.

    Args:
        recorded: the state's target.
        target: what the configuration means; what it leaves open is absent.
        where: the state's place.
        command: makes the command that clears the state.

    Raises:
        StateError: with the way out.
    """
    for key in contradictions(recorded, target):
        raise StateError(
            f"the state {where} was recorded for {key} {recorded[key]}, the configuration means {target[key]}",
            hint=f"Use a state file of its own for each target (advanced.state_file), or clear this one: {command()}",
        )


def kept_after_reset(recorded: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, Any]:
    """What stays of a recorded target when the state is cleared: all that the configuration does not contradict, where
    it means the same cloud and emulator."""
    wrong = contradictions(recorded, target)
    if "cloud" in wrong or "emulator" in wrong:
        return {}
    return {key: value for key, value in recorded.items() if key not in wrong}
