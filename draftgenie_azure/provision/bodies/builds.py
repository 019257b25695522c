"""Bodies of `scheduleRun`: a quick build, and a task that builds with BuildKit; pure functions.

A quick build uses Docker's classic builder. A task may set `DOCKER_BUILDKIT=1` for its build step. Azure does not
document that this works; users report that it does (github.com/Azure/acr/issues/721).

Sources: for the task's format, learn.microsoft.com, container-registry-tasks-reference-yaml; for its evaluation,
github.com/Azure/acr-builder: templates are expanded first, then the YAML is parsed, then the build step's line is
split into words as a shell does, including quotes.
"""

from __future__ import annotations

import base64
import shlex
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

PUSH_TIMEOUT = 1800  # seconds; the default of a task's step is ten minutes


@dataclass(frozen=True)
class ImageBuild:
    """The build of one image, by any builder.

    Attributes:
        image: repository and tag; with the registry's address where it is not the registry that builds.
        dockerfile: path of the Dockerfile in the context.
        arguments: build arguments; those named in `secret` are shown nowhere.
        fresh: without cache.
    """

    image: str
    dockerfile: str
    platform: str
    timeout: int
    target: str | None
    arguments: Mapping[str, str]
    secret: Collection[str]
    fresh: bool


def quick_build(build: ImageBuild, source: str) -> dict[str, Any]:
    """Return the body of a quick build.

    Args:
        source: the registry's reference to the uploaded context.
    """
    return {
        "type": "DockerBuildRequest",
        "sourceLocation": source,
        "dockerFilePath": build.dockerfile,
        "imageNames": [build.image],
        "isPushEnabled": True,
        "noCache": build.fresh,
        "platform": _platform(build.platform),
        "timeout": build.timeout,
        "arguments": [
            {"name": name, "value": value, "isSecret": name in build.secret} for name, value in build.arguments.items()
        ],
        **({"target": build.target} if build.target else {}),
    }


def buildkit_task(build: ImageBuild, source: str) -> dict[str, Any]:
    """Return the same build as a task, with a build step that enables BuildKit."""
    words = {"dockerfile": build.dockerfile, **({"target": build.target} if build.target else {})}
    given = {f"argument{index}": name for index, name in enumerate(build.arguments)}
    words |= {key: f"{name}={build.arguments[name]}" for key, name in given.items()}
    task = _task(build, given)
    return {
        "type": "EncodedTaskRunRequest",
        "encodedTaskContent": base64.b64encode(task.encode()).decode(),
        "values": [
            {"name": key, "value": _in_a_line(word), "isSecret": given.get(key) in build.secret}
            for key, word in words.items()
        ],
        "sourceLocation": source,
        "platform": _platform(build.platform),
        "timeout": build.timeout,
    }


def _platform(platform: str) -> dict[str, str]:
    return {"os": "Linux", "architecture": platform.split("/")[-1]}


def _task(build: ImageBuild, arguments: Collection[str]) -> str:
    """Return the task, with template expressions instead of values. JSON is YAML."""
    full = "{{.Run.Registry}}/" + build.image  # v1.0.0 has no aliases: `$Registry` in a value is not expanded
    words = ["--no-cache"] if build.fresh else []
    words += ["--target {{.Values.target}}"] if build.target else []
    words += [f"--build-arg {{{{.Values.{name}}}}}" for name in arguments]
    # The context comes last, after an option with a value: after a bare option it is not recognised.
    words += [f"--tag {full}", "--file {{.Values.dockerfile}}", "."]
    return (
        "version: v1.0.0\n"
        "steps:\n"
        "  - id: build\n"
        f'    build: "{" ".join(words)}"\n'
        f"    timeout: {build.timeout}\n"
        '    env: ["DOCKER_BUILDKIT=1"]\n'
        "  - id: push\n"
        f'    push: ["{full}"]\n'
        f"    timeout: {PUSH_TIMEOUT}\n"
        '    when: ["build"]\n'
    )


def _in_a_line(text: str) -> str:
    """Quote a text as one word of a build step's line inside double-quoted YAML."""
    return "".join(map(_escaped, shlex.quote(text)))


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if " " <= character <= "~":
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
