"""A stand-in for the command `docker`: it records its calls and acts as its plan says.

Installed by `install`, it is a program of its own on PATH. Beside it are `plan.json` (what happens, by the first word
after `docker`, `buildx build` as `build`) and `calls.jsonl` (one call a line). With `build_for_real` it has buildah
sign in, build and push.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from buildah import Buildah

DIGEST = "sha256:" + "5" * 64


class StandIn:
    """The installed stand-in."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The recorded calls, in order; one may be in the middle of being recorded."""
        path = self.directory / "calls.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]

    def called(self, word: str) -> list[dict[str, Any]]:
        """The calls of one kind."""
        return [call for call in self.calls if call["word"] == word]

    def plan(self, **words: dict[str, Any]) -> None:
        """Set the behaviour: `code`, `out`, `err`, `hang` (until it is ended), `digest`."""
        (self.directory / "plan.json").write_text(json.dumps(words), encoding="utf-8")


    def build_for_real(self) -> None:
        """From now on images are built and pushed by buildah."""
        self.plan(build={"buildah": True}, login={"buildah": True})


def install(directory: Path) -> StandIn:
    """Put the stand-in into a directory, which is to come first on PATH."""
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / "docker"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"import stand_in_docker\nsys.exit(stand_in_docker.main({str(directory)!r}, sys.argv[1:]))\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    return StandIn(directory)


def main(directory: str, arguments: list[str]) -> int:
    """Run the stand-in."""
    word = "build" if arguments[:2] == ["buildx", "build"] else arguments[0]
    plan_file = Path(directory) / "plan.json"
    plan = json.loads(plan_file.read_text(encoding="utf-8")).get(word, {}) if plan_file.exists() else {}
    call = {"word": word, "arguments": arguments, "pid": os.getpid(), "environment": dict(os.environ)}
    if word in ("build", "login"):
        data = sys.stdin.buffer.read()
        call |= {"stdin": data.decode("utf-8", "replace") if word == "login" else hashlib.sha256(data).hexdigest()}
        call |= _configuration(os.environ.get("DOCKER_CONFIG", ""))
    with (Path(directory) / "calls.jsonl").open("ab", buffering=0) as file:
        file.write((json.dumps(call) + "\n").encode())  # in one piece: several may do so at once
    if plan.get("buildah"):
        return _by_buildah(Path(directory), word, arguments, data)
    print(plan.get("out", ""), flush=True)
    print(plan.get("err", ""), file=sys.stderr, flush=True)
    while plan.get("hang"):
        time.sleep(3600)
    if word == "build" and not plan.get("code"):
        told = Path(arguments[arguments.index("--metadata-file") + 1])
        told.write_text(json.dumps({"containerimage.digest": plan.get("digest", DIGEST)}), encoding="utf-8")
    return int(plan.get("code", 0))


def _by_buildah(directory: Path, word: str, arguments: list[str], data: bytes) -> int:
    """Sign in, or build and push, as docker would."""
    authorization = ["--authfile", os.path.join(os.environ["DOCKER_CONFIG"], "buildah.json")]
    with tempfile.TemporaryDirectory(prefix="buildah-", dir=directory) as storage:
        buildah = Buildah(Path(storage))
        if word == "login":
            done = buildah.run("login", *authorization, *arguments[2:], arguments[1], text=data.decode())
            print(done.stdout, done.stderr)
            return done.returncode
        folder, digest = Path(storage) / "context", Path(storage) / "digest"
        folder.mkdir()
        subprocess.run(["tar", "xz", "-C", str(folder)], input=data, check=True)
        image, dockerfile = (arguments[arguments.index(name) + 1] for name in ("--tag", "--file"))
        for command in (
            ["bud", "--layers=false", "--file", str(folder / dockerfile), "--tag", image, str(folder)],
            ["push", *authorization, "--digestfile", str(digest), image],
        ):
            done = buildah.run(*command)
            print(done.stdout, done.stderr)
            if done.returncode:
                return done.returncode
        told = Path(arguments[arguments.index("--metadata-file") + 1])
        told.write_text(json.dumps({"containerimage.digest": digest.read_text().strip()}), encoding="utf-8")
    return 0


def _configuration(directory: str) -> dict[str, Any]:
    path = Path(directory)
    config = path / "config.json"
    return {
        "directory_mode": stat.S_IMODE(path.stat().st_mode) if directory else None,
        "config_mode": stat.S_IMODE(config.stat().st_mode) if config.exists() else None,
        "config": json.loads(config.read_text(encoding="utf-8")) if config.exists() else None,
    }
