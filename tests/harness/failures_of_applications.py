"""Failures of images, containers and migrations."""

from __future__ import annotations

from typing import Any

from by_hand import delete_image
from failure_kinds import kind
from project import Project, Result

DOCKERFILE = "examples/draftgenie/docker/Dockerfile.draft-service"


def _add(project: Project, line: str) -> None:
    path = project.directory / DOCKERFILE
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")


@kind("command of a build fails",
      what="build_and_push_images: draft_service: build ch\\d of docker/Dockerfile.draft", why="exit 3",
      next="Correct the build")  # fmt: skip
def _(project: Project) -> Result:
    _add(project, "RUN exit 3")
    return project.run()


@kind("Dockerfile that means nothing",
      what="build_and_push_images: draft_service: build ch\\d of docker/Dockerfile",
      why="line 19: unknown instruction: COPPY", next="Correct the build")  # fmt: skip
def _(project: Project) -> Result:
    _add(project, "COPPY a b")
    return project.run()


def _verify(project: Project, **images: dict[str, Any]) -> Result:
    """Look at what is deployed again, where containers of an image do what is declared."""
    named = {key.replace("_", "-"): value for key, value in images.items()}
    return project.run(*project.faults(images=named), "--force-step", "verify_deployment")


@kind("image pulled too often", what="rabbitmq", why="TOOMANYREQUESTS", next="`registries`")
def _(project: Project) -> Result:
    limit = {"pull_error": "TOOMANYREQUESTS: You have reached your pull rate limit."}
    return project.run(*project.faults(images={"*rabbitmq*": limit}))


@kind("variable of a service missing", deployed=True, what="verify_deployment: draft_service: revision",
      why="QDRANT_URL", next="services.draft_service.environment")  # fmt: skip
def _(project: Project) -> Result:
    project.change("services.draft_service.environment.QDRANT_URL", None)
    return project.run()


@kind("container that exits", deployed=True, what="verify_deployment: draft_service: revision",
      why="exit code 1,", next="--logs draft_service")  # fmt: skip
def _(project: Project) -> Result:
    return _verify(project, draft_service={"exit_code": 1, "log": ["ValueError: bad"]})


@kind("container without memory", deployed=True, what="verify_deployment: draft_service: revision",
      why="exit code 137", next="services.draft_service.memory")  # fmt: skip
def _(project: Project) -> Result:
    return _verify(project, draft_service={"exit_code": 137, "log": ["loading the model"]})


@kind("container on another port", deployed=True, what="verify_deployment: api_gateway: revision",
      why="listening port", next="services.api_gateway.port")  # fmt: skip
def _(project: Project) -> Result:
    project.change("services.api_gateway.port", 3999)
    return project.run()


@kind("probe that fails", deployed=True, what="verify_deployment: api_gateway: revision", why="probe failed",
      next="services.api_gateway.health_path")  # fmt: skip
def _(project: Project) -> Result:
    return _verify(project, api_gateway={"health": {"/api/v1/health": {"status": 503, "body": {"status": "error"}}}})


@kind("migration that fails", what="run_migrations: job/speaker-service: the migration ended as Failed",
      why="P1000: Authentication failed", next="command, image or database")  # fmt: skip
def _(project: Project) -> Result:
    log = ["Error: P1000: Authentication failed against the database server"]
    return project.run(*project.faults(images={"speaker-service": {"exit_code": 1, "log": log}}), "--parallelism", "1")


@kind("rollback to an image that is gone", deployed=True, what="images of run 1 are no longer in the registry",
      why="rag_service", next="Check out the source of that time")  # fmt: skip
def _(project: Project) -> Result:
    image = project.state()["steps"]["build_and_push_images"]["outputs"]["rag_service"]["reference"]
    path = next((project.directory / "examples/draftgenie").glob("**/rag*/**/main.py"))
    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    project.deploy()
    delete_image(project, image)
    return project.run("--rollback", "1", "--auto-approve")
