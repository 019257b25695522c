"""Plans of a deployed project, read from the command's output."""

from __future__ import annotations

from project import Project, Result

from draftgenie_azure.steps import STEPS

BUILD = "build_and_push_images"
APP = "services/draft-service/app"
Reasons = dict[str, list[str]]


def plan(project: Project, *arguments: str) -> Reasons:
    """The steps that would run, with every dependency that changed."""
    result = project.run("--dry-run", "--output", "json", *arguments)
    assert result.code == 0, result.text
    return lines_of(result)


def lines_of(result: Result) -> Reasons:
    """The steps that run or would run, with every dependency that changed."""
    return {event["step"]: event["changes"] for event in result.events() if event["event"] == "step_run"}


def dependencies(project: Project, salt: str = "00" * 16, **environ: str) -> dict[str, dict[str, str]]:
    """Return the dependencies of each step, by the command's own modules, without outputs."""
    from draftgenie_azure.changes.dependencies import Hasher
    from draftgenie_azure.config import raw as configuration

    raw = configuration.read([str(project.directory / "config.yaml")], {**project.environment, **environ})
    hasher = Hasher(raw, salt, exclude=tuple(raw.paths))
    return {step.name: hasher.dependencies(step, {}) for step in STEPS}
