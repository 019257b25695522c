"""Decides for each step whether it runs, and why; reads configuration, files and state, changes nothing."""

from __future__ import annotations

import os

from draftgenie_azure.dependencies import (
    HASH_FORMAT,
    TOOL_ROOT,
    Hasher,
    canonical,
    changes,
    secret_values,
    sha256,
    step_hash,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Protocol

    from draftgenie_azure.config import RawConfig
    from draftgenie_azure.dependencies import Step

    class Records(Protocol):
        """What is asked of the state."""

        state: dict[str, Any]
        state_file: str

        def record(self, step_name: str) -> dict[str, Any]:
            """What is known of a step; empty where it never ran."""

        def last_success(self, step_name: str) -> dict[str, Any] | None:
            """The record of the last time that a step completed."""


# Modules that decide whether a configuration is valid: a change of theirs makes it be looked at again.
VALIDATORS = ("config", "config_rules", "naming", "placeholders", "schema", "vault_secrets", "yaml_reader")


class Decision:
    """Whether a step runs, and every reason for it.

    Attributes:
        verdict: `run`, `may run` (only because of a step before it), `skip` or `disabled`.
    """

    __slots__ = ("dependencies", "reasons", "verdict")

    def __init__(self, verdict: str, reasons: list[str], dependencies: dict[str, str]) -> None:
        self.verdict = verdict
        self.reasons = reasons
        self.dependencies = dependencies

    @property
    def runs(self) -> bool:
        """Whether the step is to run."""
        return self.verdict == "run"


class Decider:
    """Decides for each step whether it runs; reads the configuration, the files and the state, changes nothing.

    Args:
        steps: the table of steps, in order.
        raw: the configuration as read.
        state: the state's records.
        force_steps: steps that run whatever their hash says.
        force_all: every step does.
        log_file: where the run logs to; in no build context, as the configuration and the state are not.

    Attributes:
        gone: step -> keys of its recorded resources that are no longer there; whoever looks fills it in.
        own_files: absolute paths of the command's own files.
        secrets_digest: one slow hash over all secrets of the configuration; None where there are none.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        raw: RawConfig,
        state: Records,
        *,
        force_steps: Iterable[str] = (),
        force_all: bool = False,
        log_file: str | None = None,
    ) -> None:
        self.steps = steps
        self.raw = raw
        self.state = state
        self.force_steps = frozenset(force_steps)
        self.force_all = force_all
        self.gone: dict[str, list[str]] = {}
        logs = (os.path.abspath(log_file),) if log_file else ()
        self.own_files = (*raw.paths, os.path.realpath(state.state_file), *logs)
        self.secrets_digest = _secrets_digest(raw, state.state["salt"])
        self.hasher = Hasher(
            raw,
            state.state["salt"],
            known_secrets=self._known_secrets(),
            exclude=self.own_files,
        )

    def _known_secrets(self) -> dict[str, str]:
        """The recorded `secret:` lines, where no secret changed since all of them were recorded."""
        if self.secrets_digest is None or self.secrets_digest != self.state.state.get("secrets_digest"):
            return {}
        known = {}
        for step in self.steps:
            lines = (self.state.last_success(step.name) or {}).get("dependencies", {})
            known.update({key: value for key, value in lines.items() if key.startswith("secret:")})
        return known

    def decide(self, step: Step, outputs: Mapping[str, Mapping[str, Any]]) -> Decision:
        """The decision for one step; the first rule that fits decides, the reasons of all that fit are given.

        Args:
            outputs: of the steps it needs, as far as they are known.

        Raises:
            DeployerError: a file that the step depends on cannot be read.
        """
        if self._disabled(step.name):
            return Decision("disabled", ["disabled by config"], {})
        dependencies = self.hasher.dependencies(step, outputs)
        reasons = self.forced_reasons(step.name)
        success = self.state.last_success(step.name)
        reasons += self._unfinished(step.name)
        reasons += [f"{key} is gone" for key in self.gone.get(step.name, ())]
        if success is not None and step_hash(dependencies) != success.get("dependency_hash"):
            if self.state.state.get("hash_format") != HASH_FORMAT:
                reasons.append("the format of hashes changed")
            reasons += changes(success.get("dependencies", {}), dependencies)
        if reasons:
            return Decision("run", reasons, dependencies)
        return Decision("skip", [f"up to date since {(success or {}).get('timestamp')}"], dependencies)

    def forced_reasons(self, name: str) -> list[str]:
        """Why a step is forced; a forced run that was cut off goes on as forced."""
        if self.force_all:
            return ["forced (all)"]
        record = self.state.record(name)
        cut_off = record.get("status") != "completed" and record.get("metadata", {}).get("forced")
        return ["forced"] if name in self.force_steps or cut_off else []

    def _unfinished(self, name: str) -> list[str]:
        record = self.state.record(name)
        status = record.get("status")
        if status is None:
            return ["never ran"]
        if status == "running":
            return ["interrupted"]
        if status == "failed":
            first = str(record.get("error", "")).splitlines()
            return [f"failed last time: {first[0] if first else ''}".rstrip(": ")]
        return []

    def _disabled(self, name: str) -> bool:
        key = {"build_and_push_images": "skip_build", "run_migrations": "skip_migrations"}.get(name)
        return key is not None and self.raw.get(f"deployment.{key}") in (True, "true")

    def plan(self) -> dict[str, Decision]:
        """What a run would do, from what is recorded: by step, in order.

        A step that would be skipped but for a step before it, which runs and may publish other outputs, may run.
        """
        outputs: dict[str, Mapping[str, Any]] = {}
        decisions: dict[str, Decision] = {}
        for step in self.steps:
            decision = self.decide(step, outputs)
            uncertain = [need for need in step.needs if decisions[need].verdict in ("run", "may run")]
            if decision.verdict == "skip" and uncertain:
                decision = Decision("may run", [f"{uncertain[0]} may publish other outputs"], decision.dependencies)
            decisions[step.name] = decision
            success = self.state.last_success(step.name)
            if success is not None:
                outputs[step.name] = success.get("outputs", {})
        return decisions


def _secrets_digest(raw: RawConfig, salt: str) -> str | None:
    """One slow hash over all secrets of the configuration; None where there are none."""
    secrets = secret_values(raw)
    return Hasher(raw, salt).scrypt(canonical(secrets)) if secrets else None


def validity_digest(raw: RawConfig, secrets_digest: str | None) -> str:
    """What a configuration was when it was found valid: its values, and the modules that validate."""
    plain = {key: value for key, value in raw.values.items() if key != "secrets"}
    hidden = secret_values(raw)
    parts = [canonical(_without(plain, hidden)), str(secrets_digest).encode()]
    for name in VALIDATORS:
        path = os.path.join(TOOL_ROOT, "draftgenie_azure", f"{name}.py")
        if os.path.exists(path):
            with open(path, "rb") as file:
                parts.append(file.read())
    return sha256(b"\n".join(sha256(part).encode() for part in parts))


def _without(value: Any, hidden: Mapping[str, Any], key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _without(item, hidden, f"{key}.{name}" if key else str(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [_without(item, hidden, f"{key}.{index}") for index, item in enumerate(value)]
    return None if key in hidden else value
