"""Validate Dockerfiles and builds with docker."""

from __future__ import annotations

import os
import re

from draftgenie_azure.config.keys import Key
from draftgenie_azure.config.validated.found import Found
from draftgenie_azure.config.validated.schema import Config, relative_path

# Variables that docker, buildx or the system read themselves: a secret build argument must not shadow them.
_READ_BY_DOCKER = re.compile(
    r"(?i)PATH|HOME|USER|TMPDIR|TEMP|TMP|LANG|LC_\w+|LD_\w+|XDG_\w+|\w+_PROXY|SSL_CERT_\w+|GODEBUG|TERM|NO_COLOR"
    r"|(?:DOCKER|BUILDX|BUILDKIT|COMPOSE|OTEL|SSH)_\w+|SYSTEMROOT|COMSPEC|PATHEXT|USERPROFILE|APPDATA|PROGRAM\w+"
)


def faults(config: Config) -> Found:
    """Yield the key and message of each fault."""
    yield from _dockerfile_rules(config)
    yield from _docker_rules(config)


def _dockerfile_rules(config: Config) -> Found:
    found = list(_each_dockerfile(config))
    missing = [key for key, words in found if words.startswith("there is no")]
    if len(missing) > 1 and len(missing) == sum(service.dockerfile is not None for service in config.services.values()):
        # The build context is wrong, not each Dockerfile.
        yield ("docker", "build_context"), found[0][1].replace("there is no", "none of the Dockerfiles is there: no", 1)
        return
    yield from found


def _each_dockerfile(config: Config) -> Found:
    context = config.build_context
    for key, service in config.services.items():
        if service.dockerfile is None or service.image:
            continue
        own = config.raw.get(f"services.{key}.dockerfile") is not None
        place: Key = ("services", key, "dockerfile") if own else ("docker", "dockerfiles", key)
        relative = relative_path(service.dockerfile)
        if relative is None:
            yield place, "must be a path below docker.build_context"
        elif not config.deployment.skip_build and not os.path.isfile(os.path.join(context, relative)):
            yield place, _missing_dockerfile(config, context, relative)


def _docker_rules(config: Config) -> Found:
    if config.docker.builder != "docker":
        return
    if not config.docker.buildkit:
        yield ("docker", "buildkit"), "cannot be false where docker.builder is docker: buildx builds with BuildKit"
    for key, service in config.services.items():
        for name, argument in service.build_args.items():
            if not isinstance(argument, str) and argument.secret and _READ_BY_DOCKER.fullmatch(name):
                yield (
                    ("services", key, "build_args", name),
                    "cannot be secret where docker.builder is docker: it is passed as an environment variable, and "
                    "docker itself reads one of this name; choose another name",
                )


def _missing_dockerfile(config: Config, context: str, relative: str) -> str:
    words = f"there is no `{relative}` below docker.build_context (`{context}`)"
    parent = os.path.dirname(context)
    while True:
        if os.path.isfile(os.path.join(parent, relative)):
            try:
                path = os.path.relpath(parent, config.directory).replace(os.sep, "/")
            except ValueError:  # another drive
                path = parent
            return f"{words}; it is below `{parent}`: set docker.build_context to `{path}`"
        if parent == os.path.dirname(parent):
            return words
        parent = os.path.dirname(parent)
