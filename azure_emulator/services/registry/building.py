"""Execute a run of a registry: its steps in order, on the uploaded context."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.registry import blobs, repositories, task_file
from azure_emulator.services.registry.build_storage import blob_file, blob_path
from azure_emulator.services.registry.dockerfile import BuildFailure, Context, build
from azure_emulator.services.registry.task_file import BadTask, Step

Json = dict[str, Any]


@dataclass
class Result:
    """The result of a run: pushed images, log and, if it failed, the reason."""

    log: list[str] = field(default_factory=list)
    pushed: list[Json] = field(default_factory=list)
    failure: str | None = None


@dataclass
class _Run:
    """State shared by the steps of one run: built images not yet pushed, by reference."""

    world: World
    registry: Resource
    platform: Json
    context: Context
    result: Result
    built: dict[str, tuple[str, Json, dict[str, bytes]]] = field(default_factory=dict)


def run(world: World, registry: Resource, request: Json, identifier: str) -> Result:
    """Execute a run request."""
    result = Result()
    try:
        _check_rights(registry, request)
        context = _context(world, registry, request)
        steps = _steps(world, registry, request, identifier, context)
        state = _Run(world, registry, request["platform"], context, result)
        for step in steps:
            _STEPS[step.kind](state, step)
        result.log.append("Run ID was successful")
    except BuildFailure as failed:
        result.log += failed.args[1] if len(failed.args) > 1 else [failed.args[0]]
        result.log.append("failed to run step ID: build: exit status 1")
        result.failure = str(failed.args[0])
    except BadTask as failed:
        result.log.append(str(failed))
        result.failure = str(failed)
    if result.failure is not None:
        result.pushed = []
    return result


def _check_rights(registry: Resource, request: Json) -> None:
    """learn.microsoft.com/azure/container-registry/container-registry-rbac-abac-repository-permissions."""
    credentials = (request.get("credentials") or {}).get("sourceRegistry") or {}
    abac = registry.properties["roleAssignmentMode"] == "AbacRepositoryPermissions"
    if abac and request.get("isPushEnabled", True) and not credentials.get("identity"):
        server = registry.properties["loginServer"]
        raise BadTask(f"unauthorized: the run has no credentials for {server}")


def _context(world: World, registry: Resource, request: Json) -> Context:
    source = request.get("sourceLocation", "")
    if not source and request["type"] == "EncodedTaskRunRequest":
        return Context({}, "")
    file = blob_file(world, blob_path(world, registry, source))
    if re.match(r"https?://", source) or not file.exists():
        text = f"failed to download context: {source or 'no source location'}: the specified blob does not exist."
        raise BadTask(text)
    ready: Context | None = world.prepared.pop(str(file), None)
    return ready or Context.read(file.read_bytes())


def prepare(world: World, registry: Resource, request: Json) -> None:
    """Prepare the context of a requested run before the lock is taken: unpacking and hashing are slow."""
    source = str(request.get("sourceLocation") or "")
    file = blob_file(world, blob_path(world, registry, source))
    if source and not re.match(r"https?://", source) and file.is_file():
        try:
            world.prepared[str(file)] = Context.read(file.read_bytes())
        except BuildFailure:
            return  # reported when the run reaches it


def _steps(world: World, registry: Resource, request: Json, identifier: str, context: Context) -> list[Step]:
    server = registry.properties["loginServer"]
    if request["type"] == "DockerBuildRequest":
        names = [name.replace("{{.Run.ID}}", identifier) for name in request.get("imageNames", [])]
        arguments = {item["name"]: item["value"] for item in request.get("arguments", [])}
        step = Step("build", request["dockerFilePath"], target=request.get("target", ""), names=names)
        step.arguments = arguments
        return [step, Step("push", names=names)] if request.get("isPushEnabled", True) else [step]
    values = {item["name"]: str(item["value"]) for item in request.get("values", [])}
    return task_file.read(_task_text(request, context), values, identifier, server)


def _task_text(request: Json, context: Context) -> str:
    if request["type"] == "FileTaskRunRequest":
        path = request["taskFilePath"].removeprefix("./")
        if path not in context.files:
            raise BadTask(f"failed to read the task file: {path}: no such file or directory")
        return context.files[path].decode("utf-8", "replace")
    try:
        return base64.b64decode(request["encodedTaskContent"], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise BadTask(f"failed to decode the task: {error}") from error


# Steps


def reference(registry: Resource, name: str) -> Json:
    """Names come with or without the login server."""
    server = registry.properties["loginServer"]
    plain = name.removeprefix(f"{server}/")
    repository, _, tag = plain.rpartition(":") if ":" in plain.split("/")[-1] else (plain, "", "latest")
    return {"registry": server, "repository": repository, "tag": tag}


_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(rf"(?:[A-Za-z0-9.-]+(?::\d+)?/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?", re.ASCII)
"""A name with a tag (github.com/distribution/reference)."""


def _check_names(names: list[str]) -> None:
    for name in names:
        if not _REFERENCE.fullmatch(name):
            raise BuildFailure(f'invalid argument "{name}" for "-t, --tag" flag: invalid reference format')


def _key(registry: Resource, name: str) -> str:
    found = reference(registry, name)
    return f"{found['repository']}:{found['tag']}"


def _build(state: _Run, step: Step) -> None:
    _check_names(step.names)
    context = state.context if step.folder == "." else _below(state.context, step.folder)
    dockerfile = step.dockerfile if step.folder == "." else step.dockerfile.removeprefix(f"{step.folder}/")
    image = build(context, dockerfile, target=step.target, arguments=step.arguments, buildkit=step.buildkit)
    platform = _platform(state.platform, step.platform)
    what = "\0".join(
        [context.digest, step.folder, dockerfile, step.target, *platform.values(), *_listed(step.arguments)]
    )
    digest, manifest, content = repositories.built_image(what, {**image.behaviour, **platform, "arguments": {}})
    state.result.log += [*image.log, f"digest: {digest}"]
    for name in step.names:
        state.built[_key(state.registry, name)] = (digest, manifest, content)


def _listed(arguments: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in sorted(arguments.items())]


def _platform(run: Json, wanted: str) -> dict[str, str]:
    system, _, architecture = wanted.partition("/")
    return {
        "os": system.capitalize() or run["os"],
        "architecture": architecture.split("/")[0] or run.get("architecture", "amd64"),
    }


def _below(context: Context, folder: str) -> Context:
    start = f"{folder}/"
    inner = {name.removeprefix(start): text for name, text in context.files.items() if name.startswith(start)}
    if not inner:
        raise BuildFailure(f'unable to prepare context: path "{folder}" not found')
    return Context(inner, context.digest)


def _push(state: _Run, step: Step) -> None:
    for name in step.names:
        found = state.built.get(_key(state.registry, name))
        if found is None:
            raise BadTask(f"failed to push: An image does not exist locally with the tag: {name}")
        digest, manifest, content = found
        for blob, data in content.items():
            blobs.keep(state.world, state.registry, blob, data)
        state.result.pushed.append({**reference(state.registry, name), "digest": digest, "manifest": manifest})
        state.result.log.append(f"Pushing image: {name}, digest: {digest}")


def _command(state: _Run, step: Step) -> None:
    """Log a container step, which is not executed here."""
    state.result.log.append(f"Launching container with name: {step.text.split(' ')[0]} (not run by the emulator)")


_STEPS = {"build": _build, "push": _push, "cmd": _command}
