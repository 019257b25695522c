"""Roll back to the images of an earlier run (`--rollback RUN`): what is deployed, and what prevents it.

A rollback deploys images by digest through the normal steps. It never activates an old revision: Azure would then run
a template that differs from the app's, and the next write would revert it (microsoft/azure-container-apps#679, #787).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from draftgenie_azure.arm import hosts, ids
from draftgenie_azure.errors import RefusedError
from draftgenie_azure.provision import addresses
from draftgenie_azure.provision.registry_data import RegistryData
from draftgenie_azure.provision.teardown_plan import JOB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from draftgenie_azure.session import Session

_BUILD_AGAIN = "Check out the source of that time and deploy it: the same content gets the same tag again."
_PUT_BACK = "Put the registry back into the configuration, as it was in that run."


@dataclass
class Rollback:
    """The effects of a rollback.

    Attributes:
        run: the run whose images are restored.
        images: service -> `{"reference", "tag"}` as of that run, for services with a Dockerfile.
        changes: service -> its current image, if it differs.
        migrations: jobs that ran or began since, and that the run did not have.
    """

    run: int
    images: dict[str, dict[str, str]] = field(default_factory=dict)
    changes: dict[str, str] = field(default_factory=dict)
    migrations: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the rollback as lines of text."""
        lines = [f"Rollback to run {self.run}:"]
        for key, image in self.images.items():
            if key in self.changes:
                lines.append(f"  ~ {key}: {self.changes[key]} -> {image['reference']}")
            else:
                lines.append(f"    {key}: unchanged")
        return lines + [f"  ! migration since: {name}" for name in self.migrations]


def plan(
    session: Session,
    entry: Mapping[str, Any],
    later: Sequence[Mapping[str, Any]],
    now: Mapping[str, Any],
    jobs: Iterable[str] = (),
) -> Rollback:
    """Compare an earlier run's images with the current ones.

    Args:
        entry: the run's entry in the history.
        later: the entries after it.
        now: current outputs of `build_and_push_images`.
        jobs: of the migrations that ran last or began, also in a run that was killed before its entry said so.

    Raises:
        RefusedError: the run has no image of a service that now has a Dockerfile.
    """
    result = Rollback(int(entry["run"]))
    for key, service in session.config.services.items():
        if service.dockerfile is None:
            continue
        known = entry.get("services", {}).get(key) or {}
        if "@sha256:" not in str(known.get("image")):
            raise RefusedError(
                f"run {entry['run']} has no image of {key}",
                hint=f"Choose a run that deployed every service (--history), or take {key} out of the configuration.",
            )
        result.images[key] = {"reference": str(known["image"]), "tag": str(known.get("tag") or "")}
        current = str((now.get(key) or {}).get("reference"))
        if current != known["image"]:
            result.changes[key] = current
    before = set(entry.get("migrations", ()))
    since = {name for one in later for name in one.get("migrations", ())} | set(jobs)
    result.migrations = sorted(since - before)
    return result


def begun_migrations(records: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the jobs that were started, whatever their outcome: a killed or failed run published none of them.

    Args:
        records: of the state's resources.
    """
    jobs = [record for record in records.values() if ids.resource_type(str(record["id"])) == JOB]
    return sorted(str(record["name"]) for record in jobs if "starting" in record or record.get("succeeded"))


def check_images(session: Session, rollback: Rollback) -> None:
    """Check that every digest is in the registry, before anything is written.

    Raises:
        RefusedError: one is missing, or in another registry than the configured one; or the registry is gone.
    """
    registry = session.config.container_registry
    if registry is None:
        raise RefusedError("a rollback needs the section container_registry in the configuration", hint=_PUT_BACK)
    if session.arm.read(addresses.registry(session)) is None:
        raise RefusedError(
            f"the registry {registry.name} does not exist, and the images of run {rollback.run} with it",
            hint=_BUILD_AGAIN,
        )
    missing = []
    for key, image in rollback.images.items():
        host, _, rest = image["reference"].partition("/")
        if not hosts.is_registry(host, registry.name, session.transport.endpoints):
            raise RefusedError(
                f"the image of {key} is in {host}, not in the configured registry {registry.name}",
                hint=_PUT_BACK,
            )
        repository, _, digest = rest.partition("@")
        if RegistryData(session, host).digest(repository, digest) is None:
            missing.append(f"{key} ({image['reference']})")
    if missing:
        raise RefusedError(
            f"the images of run {rollback.run} are no longer in the registry: {', '.join(missing)}",
            hint=_BUILD_AGAIN,
        )
