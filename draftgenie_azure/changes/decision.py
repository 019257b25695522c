"""Decide for each step whether it runs, and why; reads configuration, files and state, and changes nothing."""

from __future__ import annotations

import os
import sys
from threading import Thread

from draftgenie_azure.changes import own_files, published
from draftgenie_azure.changes.dependencies import (
    TOOL_ROOT,
    Hasher,
    canonical,
    name_of,
    secret_values,
    step_hash,
)
from draftgenie_azure.changes.reasons import Comparison
from draftgenie_azure.config.keys import is_secret_key, is_template_key
from draftgenie_azure.config.placeholders import is_reference
from draftgenie_azure.digests import HASH_FORMAT, NULL, sha256
from draftgenie_azure.errors import DeployerError, Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Protocol

    from draftgenie_azure.config.keys import Key
    from draftgenie_azure.config.raw import RawConfig
    from draftgenie_azure.steps import Step

    class Records(Protocol):
        """The part of the state that decisions read."""

        state: dict[str, Any]
        state_file: str

        def record(self, step_name: str) -> dict[str, Any]:
            """Return the record of a step; empty if it never ran."""

        def last_success(self, step_name: str) -> dict[str, Any] | None:
            """Return the record of a step's last completed run."""


# Directories and modules that decide whether a configuration is valid; it is validated again when they change.
VALIDATORS = ("config", "config/validated", "constants.py", "errors.py", "nearest.py")


# How the last run of a step ended -> what that means where none completed.
_NEVER_BUILT = {
    None: "no image was built yet",
    "running": "the build was interrupted, and none has completed yet",
    "failed": "the build failed, and none has completed yet",
}
_NEVER_MIGRATED = {
    None: "no migration has run yet",
    "running": "the migrations were interrupted, and have not completed yet",
    "failed": "the migrations failed, and have not completed yet",
}


class Decision:
    """The decision on one step, with every reason for it.

    Attributes:
        verdict: `run`, `may run` (only because of a step before it), `skip` or `disabled`.
        changes: each dependency that changed, appeared or vanished, by name.
    """

    __slots__ = ("changes", "dependencies", "reasons", "verdict")

    def __init__(
        self, verdict: str, reasons: list[str], dependencies: dict[str, str], changes: Sequence[str] = ()
    ) -> None:
        self.verdict = verdict
        self.reasons = reasons
        self.dependencies = dependencies
        self.changes = list(changes)

    @property
    def runs(self) -> bool:
        """True if the step is to run."""
        return self.verdict == "run"


class Decider:
    """Decide for each step whether it runs, from the configuration, the files and the state.

    Args:
        steps: the table of steps, in order.
        raw: the configuration as read.
        state: the records of the state.
        force_steps: steps that run regardless of their hash: names, or a mapping of name to bool.
        force_all: run every step.
        log_file: the run's log file; like the configuration and the state, never part of a build context.

    Attributes:
        live_reasons: step -> findings about its recorded resources, added by the caller.
        own_files: absolute paths of the command's own files.
        secrets_digest: one hash over all secrets of the configuration, slow if one is given; None if there are none.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        raw: RawConfig,
        state: Records,
        *,
        force_steps: Mapping[str, bool] | Iterable[str] | None = (),
        force_all: bool = False,
        log_file: str | None = None,
    ) -> None:
        self.steps = steps
        self.raw = raw
        self.state = state
        self.force_steps = _wanted(force_steps)
        self.force_all = force_all
        self.log_file = log_file
        self.live_reasons: dict[str, list[str]] = {}
        self.own_files = own_files.own_files(raw, state.state, state.state_file, log_file)
        salt = state.state["salt"]
        digest = _begin_secrets_digest(raw, salt)
        self.hasher = Hasher(raw, salt, exclude=self.own_files)
        self.hasher.read_ahead([step for step in steps if not self._disabled(step.name)])
        self.secrets_digest = digest()
        self.hasher.known_secrets = self._known_secrets()
        self.hasher.recorded = {
            step.name: (state.last_success(step.name) or {}).get("dependencies", {}) for step in steps
        }
        raw.in_vault = frozenset(state.state.get("secrets", ()))

    def again(self) -> Decider:
        """Return one that decides by the state as it is now."""
        return Decider(
            self.steps, self.raw, self.state,
            force_steps=self.force_steps, force_all=self.force_all, log_file=self.log_file,
        )  # fmt: skip

    def _known_secrets(self) -> dict[str, str]:
        """Return the recorded `secret:` lines if no secret changed since all of them were recorded."""
        if self.secrets_digest is None or self.secrets_digest != self.state.state.get("secrets_digest"):
            return {}
        known = {}
        for step in self.steps:
            lines = (self.state.last_success(step.name) or {}).get("dependencies", {})
            known.update({key: value for key, value in lines.items() if key.startswith("secret:")})
        return known

    def decide(self, step: Step, outputs: Mapping[str, Mapping[str, Any]]) -> Decision:
        """Return the decision for one step: the first matching rule decides, the reasons of all are listed.

        Args:
            outputs: outputs of the steps it needs, as far as they are known.

        Raises:
            DeployerError: a file that the step depends on cannot be read.
        """
        if self._disabled(step.name):
            interrupted = self._unfinished(step.name) and self.state.last_success(step.name) is not None
            how = "; its last run did not complete, and the outputs of the one before are used" if interrupted else ""
            return Decision("disabled", [f"disabled by config{how}"], {})
        dependencies = self.hasher.dependencies(step, outputs)
        reasons = self.forced_reasons(step.name)
        success = self.state.last_success(step.name)
        reasons += self._unfinished(step.name)
        reasons += self._rollback(step)
        reasons += self.live_reasons.get(step.name, ())
        changes: list[str] = []
        if success is not None:
            differences, changes = self._differences(step, success, dependencies)
            reasons += differences
            if not differences:
                reasons += self._unusable(step.name, success)
        if reasons and success is not None and self._is_idle(step, reasons):
            return Decision("skip", ["there are no migrations"], dependencies)
        if reasons:
            return Decision("run", reasons, dependencies, changes)
        return Decision("skip", [f"up to date since {(success or {}).get('timestamp')}"], dependencies)

    def _unusable(self, name: str, success: Mapping[str, Any]) -> list[str]:
        """Return why later steps cannot use a step's recorded outputs: edited, or of another version."""
        fault = self.unusable(name, success)
        return [f"its recorded {fault}"] if fault else []

    def unusable(self, name: str, success: Mapping[str, Any]) -> str | None:
        """Return the fault of a step's recorded outputs, or None."""
        return published.fault(name, success.get("outputs"), self.raw.get, self.hasher.built())

    def handed_on(self, name: str) -> dict[str, Any]:
        """Return the recorded outputs of a step that does not run; empty if it never ran.

        Raises:
            DeployerError: later steps cannot use them.
        """
        success = self.state.last_success(name)
        if success is None:
            return {}
        unusable = self.unusable(name, success)
        if unusable is not None:
            raise DeployerError(
                f"{name} is switched off by the configuration, but its recorded {unusable}",
                hint="Set deployment.skip_build or deployment.skip_migrations to false for one run.",
            )
        outputs: dict[str, Any] = success.get("outputs", {})
        return outputs

    def _is_idle(self, step: Step, reasons: Sequence[str]) -> bool:
        """Return whether a step has nothing to do, so that changed outputs of earlier steps are no reason to run."""
        idle = step.variables == "migrations" and not self.raw.get("migrations")
        return idle and all(reason.startswith("outputs of ") for reason in reasons)

    def _differences(
        self, step: Step, success: Mapping[str, Any], dependencies: Mapping[str, str]
    ) -> tuple[list[str], list[str]]:
        """Return reasons and lines of what changed since the last success; empty only if the hash is unchanged."""
        recorded = success.get("hash_format")
        if recorded != HASH_FORMAT:  # its lines have another meaning and cannot be compared
            return [f"hash format {recorded} → {HASH_FORMAT}"], []
        if step_hash(dependencies) == success.get("dependency_hash"):
            return [], []
        comparison = Comparison(
            (success.get("dependencies", {}), success.get("values", {})),
            (dependencies, self.hasher.plain_values(step)),
            owners=self.hasher.whole_services(step),
            images=self.hasher.images,
        )
        return comparison.reasons() or ["the recorded hash is not that of its lines"], comparison.lines()

    def is_source_unchanged(self, step: Step, outputs: Mapping[str, Mapping[str, Any]]) -> bool:
        """Return whether only this command changed since a step's last success, and the step is not forced by name.

        Lines of another format cannot be compared: that is a change of this command too.
        """
        success = self.state.last_success(step.name)
        if success is None or step.name in self.force_steps or self.live_reasons.get(step.name):
            return False
        if success.get("hash_format") != HASH_FORMAT:
            return True
        before, after = success.get("dependencies", {}), self.hasher.dependencies(step, outputs)
        changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
        return all(name.startswith("tool:") for name in changed)

    def add_reason(self, step: str, reason: str) -> None:
        """Make a step run because of a finding about its resources."""
        reasons = self.live_reasons.setdefault(step, [])
        if reason not in reasons:
            reasons.append(reason)

    def add_reasons(self, found: Mapping[str, Sequence[str]]) -> None:
        """Make steps run, each for several reasons."""
        for step, reasons in found.items():
            for reason in reasons:
                self.add_reason(step, reason)

    def take_over_unrestricted(self) -> None:
        """Make the steps whose resources have unrestricted access run on adoption."""
        for key, record in self.state.state["resources"].items():
            if record.get("left_open"):
                self.add_reason(record["step"], f"{key} is taken over")

    def forced_reasons(self, name: str) -> list[str]:
        """Return why a step is forced; an interrupted forced run resumes as forced."""
        if self.force_all:
            return ["forced (all)"]
        return ["forced"] if name in self.force_steps or name in self.state.state.get("forced", ()) else []

    def forced(self) -> list[str]:
        """Return the steps that are forced and not disabled; the state keeps them until they complete."""
        return [step.name for step in self.steps if self.forced_reasons(step.name) and not self._disabled(step.name)]

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

    def _rollback(self, step: Step) -> list[str]:
        """Return why the build step runs for a rollback that starts or ends, in this run or in an interrupted one."""
        pin = self.state.state.get("pin") or {}
        if not step.images or not (pin.get("pending") or pin.get("ends")):
            return []
        return [f"the rollback to run {pin['run']} {'ends' if pin.get('ends') else 'begins'}"]

    def _disabled(self, name: str) -> bool:
        key = {"build_and_push_images": "skip_build", "run_migrations": "skip_migrations"}.get(name)
        return key is not None and is_on(self.raw, f"deployment.{key}")

    def is_done(self, plan: Mapping[str, Decision]) -> bool:
        """Return whether a plan has nothing to run, and no disabled step has work to finish."""
        return not any(decision.runs for decision in plan.values()) and not self.switched_off_too_early()

    def switched_off_too_early(self) -> list[Fault]:
        """Return a fault for each disabled step that has work to do and never ran."""
        wanted = {
            "build_and_push_images": ("deployment.skip_build", bool(self.hasher.built()), _NEVER_BUILT),
            "run_migrations": ("deployment.skip_migrations", bool(self.raw.get("migrations")), _NEVER_MIGRATED),
        }
        found = []
        for step in (step for step in self.steps if step.name in wanted and self._disabled(step.name)):
            key, has_work, words = wanted[step.name]
            if not has_work:
                continue
            why = [*self._rollback(step)]
            if self.state.last_success(step.name) is None:
                why.append(words.get(self.state.record(step.name).get("status"), words[None]))
            until = f"until a run has completed {step.name}" if self.state.record(step.name) else "for the first run"
            file, line = self.raw.place(tuple(key.split(".")))
            found += [Fault(f"{text}: set it to false {until}", key=key, file=file, line=line) for text in why]
        return found

    def begin_run(self) -> None:
        """Record in the state what a run is based on; the caller saves it."""
        document = self.state.state
        if document.get("secrets_digest") != self.secrets_digest:
            document["secrets_digest"] = None  # until every step has recorded its lines with the new secrets
        document["validated"] = validity_digest(self.raw, self.secrets_digest)
        document["validated_values"] = values_digest(self.raw)
        document["forced"] = self.forced()
        own_files.record(self.raw, document, self.log_file)

    def end_run(self) -> bool:
        """Record in the state what a complete run established; return whether anything changed."""
        document = self.state.state
        if document.get("secrets_digest") == self.secrets_digest or not self._secrets_are_recorded():
            return False
        document["secrets_digest"] = self.secrets_digest
        return True

    def _secrets_are_recorded(self) -> bool:
        """Return whether every recorded `secret:` line belongs to the current secrets.

        A step that is disabled, or was not reached, still has the lines of earlier secrets; with them the
        state's digest of the secrets would confirm what is no longer true.
        """
        fresh = Hasher(self.raw, self.state.state["salt"])
        secrets = {name_of(key): fresh.hash(key, value) for key, value in secret_values(self.raw).items()}
        for step in self.steps:
            lines = (self.state.last_success(step.name) or {}).get("dependencies", {})
            asked = [name for name in lines if name.startswith("secret:") and name not in fresh.not_given]
            if any(secrets.get(name, NULL) != lines[name] for name in asked):
                return False
        return True

    def plan(self) -> dict[str, Decision]:
        """Return what a run would do according to the state: decisions by step, in order.

        A step that would be skipped may run if an earlier step runs and may publish other outputs.
        """
        outputs: dict[str, Mapping[str, Any]] = {}
        decisions: dict[str, Decision] = {}
        for step in self.steps:
            decision = self.decide(step, outputs)
            uncertain = [need for need in step.needs if decisions[need].verdict in ("run", "may run")]
            if decision.verdict == "skip" and uncertain and not self._is_idle(step, ()):
                decision = Decision("may run", [f"{uncertain[0]} may publish other outputs"], decision.dependencies)
            decisions[step.name] = decision
            success = self.state.last_success(step.name)
            if success is not None:
                outputs[step.name] = success.get("outputs", {})
        return decisions


def _wanted(force_steps: Mapping[str, bool] | Iterable[str] | None) -> frozenset[str]:
    if isinstance(force_steps, dict):
        return frozenset(name for name, wanted in force_steps.items() if wanted)
    return frozenset(force_steps or ())


def is_on(raw: RawConfig, key: str) -> bool:
    """Return whether a flag is set, in any spelling that validation accepts."""
    return str(raw.get(key)).lower() == "true"


def as_packed(dependencies: Mapping[str, str], packed: Mapping[str, str]) -> dict[str, str]:
    """Return the dependencies of a step that built images, with the files as they were when packed.

    Otherwise an edit between decision and packing that is reverted afterwards would count as deployed.
    """
    if not packed:
        return dict(dependencies)
    kept = {name: digest for name, digest in dependencies.items() if not name.startswith(("file:", "mode:", "link:"))}
    return {**kept, **packed}


def _begin_secrets_digest(raw: RawConfig, salt: str) -> Callable[[], str | None]:
    """Begin one hash over all secrets of the configuration, beside the reading of files: slow if one is given a value.

    Returns:
        A function that waits for the hash; it returns None if there are no secrets.
    """
    secrets = secret_values(raw)
    if not secrets:
        return lambda: None
    data = canonical(secrets)
    if not any(_may_be_secret(key, value) for key, value in secrets.items()):
        quick = sha256(salt.encode() + data)
        return lambda: quick
    hasher = Hasher(raw, salt)
    thread = Thread(target=hasher.scrypt, args=(data,), daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the system refuses another thread: computed when waited for
        return lambda: hasher.scrypt(data)

    def wait() -> str:
        thread.join()
        return hasher.scrypt(data)  # which caches

    return wait


def _may_be_secret(key: str, value: Any) -> bool:
    """Return whether the value of a secret must not be guessable: it is not empty, and not a mere reference."""
    if value is None or value == "" or isinstance(value, bool):
        return False
    return not (isinstance(value, str) and is_template_key(tuple(key.split("."))) and is_reference(value))


def validity_digest(raw: RawConfig, secrets_digest: str | None) -> str:
    """Return a digest of what a validation depends on: values, interpreter, and the validating modules.

    It includes which values came from the environment: an empty one is text, while null is absent.
    """
    return _validity(raw, raw.from_environment, str(secrets_digest))


def values_digest(raw: RawConfig) -> str:
    """Return the same digest without secrets, which not every run has.

    If it is as recorded and no step has a reason to run, no given secret has changed either.
    """
    plain = [key for key in raw.from_environment if not is_secret_key(".".join(map(str, key)))]
    return _validity(raw, plain, "")


def _validity(raw: RawConfig, from_environment: Iterable[Key], secrets: str) -> str:
    given = sorted(map(list, from_environment), key=repr)
    parts = [canonical(_without(raw.values, secret_values(raw))), canonical(given), secrets.encode()]
    parts.append(str(sys.hexversion).encode())
    for path in validators():
        try:
            with open(path, "rb") as file:
                parts.append(file.read())
        except OSError as error:
            raise DeployerError(f"cannot read the command's own {path}: {error.strerror}") from error
    return sha256(b"\n".join(sha256(part).encode() for part in parts))


def validators() -> list[str]:
    """Return the paths of the modules that decide whether a configuration is valid."""
    found = []
    for name in VALIDATORS:
        path = os.path.join(TOOL_ROOT, "draftgenie_azure", name)
        inside = sorted(os.listdir(path)) if not name.endswith(".py") else []
        found += [os.path.join(path, file) for file in inside if file.endswith(".py")] or [path]
    return found


def _without(value: Any, hidden: Mapping[str, Any], key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _without(item, hidden, f"{key}.{name}" if key else str(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [_without(item, hidden, f"{key}.{index}") for index, item in enumerate(value)]
    return None if key in hidden else value
