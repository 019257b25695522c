"""The YAML of a registry's task: its build and push steps (learn.microsoft.com/azure/container-registry/
container-registry-tasks-reference-yaml). `cmd` steps are recognised but not run."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

Json = dict[str, Any]
_VERSIONS = ("v1.0.0", "v1.1.0")


class BadTask(ValueError):
    """An invalid task file; the message appears in the run's log."""


@dataclass
class Step:
    """One step: a `build` of a Dockerfile, a `push` of references, or a `cmd`."""

    kind: str
    dockerfile: str = "Dockerfile"
    folder: str = "."
    target: str = ""
    platform: str = ""
    names: list[str] = field(default_factory=list)
    arguments: dict[str, str] = field(default_factory=dict)
    buildkit: bool = False
    text: str = ""


def read(text: str, values: Mapping[str, str], run_id: str, server: str) -> list[Step]:
    """Return the steps of a task file, with `{{ }}` and, from v1.1.0 on, `$Registry` expanded."""
    try:
        found = yaml.safe_load(_filled(text, values, run_id, server))
    except yaml.YAMLError as error:
        raise BadTask(f"failed to unmarshal task: yaml: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("steps"), list) or not found["steps"]:
        raise BadTask("failed to unmarshal task: invalid task: there are no steps")
    if str(found.get("version", "v1.0.0")) not in _VERSIONS:
        raise BadTask(f"failed to unmarshal task: unsupported version {found['version']}")
    shared = _environment(found.get("env"))
    return [_step(item, shared) for item in found["steps"]]


_NATIVE = ("ID", "SharedVolume", "Registry", "RegistryName", "Date", "OS", "Architecture", "Commit", "Branch")
"""The aliases that every task of v1.1.0 has: `$ID` is `{{.Run.ID}}` (github.com/Azure/acr-builder,
graph/global-defaults-linux.yaml)."""


def _filled(text: str, values: Mapping[str, str], run_id: str, server: str) -> str:
    known = {
        "Run.ID": run_id,
        "Run.Registry": server,
        "Run.RegistryName": server.split(".")[0],
        "Run.OS": "linux",
        "Run.Architecture": "amd64",
    }

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name.startswith("Values."):
            return values.get(name.removeprefix("Values."), "<no value>")
        if name not in known:
            raise BadTask(f'failed to render template: can\'t evaluate field "{name}"')
        return known[name]

    return re.sub(r"\{\{\s*\.([\w.]+)\s*\}\}", value, _without_aliases(text))


def _without_aliases(text: str) -> str:
    """Expand `$name` aliases. v1.0.0 has none; `$$` is a dollar sign."""
    version = re.search(r"(?m)^version:\s*[\"']?(v[\d.]+)", text)
    if version is None or version[1] != "v1.1.0":
        return text
    aliases = {name: f"{{{{.Run.{name}}}}}" for name in _NATIVE}
    block = re.search(r"(?m)^alias\s*:.*\n(?:[ \t]+.*\n|\s*\n)*", text)
    if block is not None:
        declared = (yaml.safe_load(block[0]) or {}).get("alias") or {}
        aliases.update({str(name): str(value) for name, value in (declared.get("values") or {}).items()})
        text = text.replace(block[0], "")
    return re.sub(r"\$(\$|[A-Za-z0-9]*)", lambda match: _resolved(match[1], aliases), text)


def _resolved(name: str, aliases: Mapping[str, str]) -> str:
    return "$" if name == "$" else aliases.get(name, f"${name}")


def _environment(entries: Any) -> dict[str, str]:
    if entries is None:
        return {}
    if not isinstance(entries, list):
        raise BadTask("failed to unmarshal task: env is a list of NAME=value")
    pairs = (str(item).partition("=") for item in entries)
    return {name: value for name, _, value in pairs}


def _step(item: Any, shared: Mapping[str, str]) -> Step:
    if not isinstance(item, dict):
        raise BadTask("failed to unmarshal task: a step is a mapping")
    kinds = [kind for kind in ("build", "push", "cmd") if kind in item]
    if len(kinds) != 1:
        raise BadTask("failed to unmarshal task: a step has exactly one of build, push and cmd")
    environment = {**shared, **_environment(item.get("env"))}
    if kinds[0] == "build":
        step = _build(str(item["build"]))
        step.buildkit = environment.get("DOCKER_BUILDKIT", "0").lower() in ("1", "true")
        return step
    if kinds[0] == "push":
        names = item["push"]
        if not isinstance(names, list):
            raise BadTask("failed to unmarshal task: push is a list of references")
        return Step("push", names=[str(name) for name in names])
    return Step("cmd", text=str(item["cmd"]))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadTask(f"failed to run step: build: {message}")


def _arguments_of_build() -> _Parser:
    """Parse the flags of `docker build` that deployments use; others are refused, not ignored."""
    parser = _Parser(prog="docker build", add_help=False, allow_abbrev=False)
    parser.add_argument("-t", "--tag", action="append", default=[])
    parser.add_argument("-f", "--file", default="")
    parser.add_argument("--build-arg", action="append", default=[])
    parser.add_argument("--label", action="append", default=[])
    parser.add_argument("--cache-from", action="append", default=[])
    parser.add_argument("--target", default="")
    parser.add_argument("--platform", default="")
    parser.add_argument("--progress", default="")
    parser.add_argument("--network", default="")
    parser.add_argument("--no-cache", action="store_true")
    parser.add_argument("--pull", action="store_true")
    parser.add_argument("--provenance", default="")
    parser.add_argument("folder")
    return parser


def _build(text: str) -> Step:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadTask(f"failed to run step: build: {error}") from error
    given = _arguments_of_build().parse_args(words)
    pairs = (item.partition("=") for item in given.build_arg)
    folder = re.sub(r"\A\./|/\Z", "", given.folder) or "."
    dockerfile = given.file or (f"{folder}/Dockerfile" if folder != "." else "Dockerfile")
    return Step(
        "build",
        dockerfile=dockerfile.removeprefix("./"),
        folder=folder,
        target=given.target,
        platform=given.platform,
        names=list(given.tag),
        arguments={name: value for name, _, value in pairs},
    )
