"""Run requests to the registry: the two kinds of runs, and values that arrive unchanged."""

from __future__ import annotations

import base64
import json
import re
import shlex
import subprocess
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from draftgenie_azure.provision.bodies import builds

IMAGE = "api:0123456789abcdef"
SOURCE = "tasks-source/x.tar.gz"
COMMON: dict[str, Any] = {
    "image": IMAGE, "dockerfile": "docker/Dockerfile.api", "platform": "linux/amd64",
    "timeout": 900, "target": None, "arguments": {}, "secret": (), "fresh": False,
}  # fmt: skip


def task(**changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A task's request, and the task as the registry reads it: the values put in, then YAML."""
    request = builds.buildkit_task(builds.ImageBuild(**{**COMMON, **changes}), SOURCE)
    text = base64.b64decode(request["encodedTaskContent"]).decode()
    values = {value["name"]: value["value"] for value in request["values"]}
    text = text.replace("{{.Run.Registry}}", "acr.azurecr.io")
    return request, yaml.safe_load(re.sub(r"\{\{\.Values\.(\w+)\}\}", lambda match: values[match[1]], text))


def words(line: str) -> list[str]:
    """The words of a build step's line, as a shell splits it."""
    code = 'for word; do printf "%s\\0" "$word"; done'
    done = subprocess.run(["sh", "-c", f"set -- {line}\n{code}"], capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


def test_quick_build_has_the_documented_body() -> None:
    changes: dict[str, Any] = {"target": "prod", "arguments": {"A": "1", "K": "s"}, "secret": {"K"}}
    assert builds.quick_build(builds.ImageBuild(**{**COMMON, **changes}), SOURCE) == {
        "type": "DockerBuildRequest",
        "sourceLocation": "tasks-source/x.tar.gz",
        "dockerFilePath": "docker/Dockerfile.api",
        "imageNames": [IMAGE],
        "isPushEnabled": True,
        "noCache": False,
        "platform": {"os": "Linux", "architecture": "amd64"},
        "timeout": 900,
        "arguments": [
            {"name": "A", "value": "1", "isSecret": False},
            {"name": "K", "value": "s", "isSecret": True},
        ],
        "target": "prod",
    }


def test_task_builds_with_buildkit_and_pushes() -> None:
    request, read = task(target="prod", fresh=True)

    assert (request["type"], request["sourceLocation"]) == ("EncodedTaskRunRequest", "tasks-source/x.tar.gz")
    assert request["platform"] == {"os": "Linux", "architecture": "amd64"}
    build, push = read["steps"]
    assert build["env"] == ["DOCKER_BUILDKIT=1"]
    assert build["timeout"] == request["timeout"] == 900
    assert words(build["build"]) == [
        "--no-cache", "--target", "prod", "--tag", f"acr.azurecr.io/{IMAGE}", "--file", "docker/Dockerfile.api", "."
    ]  # fmt: skip
    assert (push["push"], push["when"]) == ([f"acr.azurecr.io/{IMAGE}"], [build["id"]])


def test_no_value_is_in_the_task_and_a_secret_one_is_marked() -> None:
    request, _ = task(arguments={"PLAIN": "open sesame", "KEY": "hunter2"}, secret={"KEY"})

    assert "hunter2" not in base64.b64decode(request["encodedTaskContent"]).decode()
    assert [value["name"] for value in request["values"] if value["isSecret"]] == ["argument1"]
    assert json.dumps(request).count("hunter2") == 1


@pytest.mark.parametrize(
    "value", ["", "a b", "$ID", "{{.Run.ID}}", "it's", '"', "\\", "a\nb", "`id`", "é", "😀", "\x7f\x85"]
)
def test_value_arrives_as_it_was_given(value: str) -> None:
    arrives(value)


@given(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0")))
@example("'\"'\"'")
def test_any_value_arrives_as_it_was_given(value: str) -> None:
    _, read = task(arguments={"A": value})
    line = read["steps"][0]["build"]

    assert shlex.split(line)[:2] == ["--build-arg", f"A={value}"]


def arrives(value: str) -> None:
    _, read = task(arguments={"A": value}, dockerfile="my dir/Dockerfile")

    assert words(read["steps"][0]["build"])[:2] == ["--build-arg", f"A={value}"]
    assert words(read["steps"][0]["build"])[-3:] == ["--file", "my dir/Dockerfile", "."]
