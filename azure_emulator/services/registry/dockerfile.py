"""Simulate a Docker build, and derive the image's behaviour from Dockerfile and source."""

from __future__ import annotations

import ast
import fnmatch
import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from azure_emulator.services.registry import classic
from azure_emulator.services.registry.started import Filesystem, start, words

Json = dict[str, Any]
_LIMIT = 500 * 1024 * 1024
_READS_PORT = re.compile(r"process\.env(?:\.PORT\b|\[[\"']PORT[\"']\])|[eE]nv\w*\(\s*[\"']PORT[\"']")
_ENTRY_MODULES = ("main.py", "config.py", "settings.py")


class BuildFailure(Exception):
    """A failed build; the message is the last line that docker prints."""


@dataclass
class Context:
    """The files of a build context, and a digest over names, modes and contents."""

    files: dict[str, bytes]
    digest: str

    @classmethod
    def read(cls, archive: bytes) -> Context:
        """Read a tar.gz. Order and times in it are not part of the digest."""
        files: dict[str, bytes] = {}
        lines = []
        try:
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive))) as tar:
                for member in tar:
                    name = member.name.removeprefix("./").strip("/")
                    if member.isfile():
                        stream = tar.extractfile(member)
                        content = stream.read(_LIMIT) if stream else b""
                        files[name] = content
                        lines.append(f"{name}\0{bool(member.mode & 0o100)}\0{hashlib.sha256(content).hexdigest()}")
                    elif member.issym():
                        files[name] = b""
                        lines.append(f"{name}\0link\0{member.linkname}")
        except (OSError, EOFError, tarfile.TarError) as error:
            raise BuildFailure(f"failed to extract the source: {error}") from error
        return cls(files, hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest())

    def ignoring(self, dockerfile: str) -> Context:
        """Return the context without ignored files; an ignore file named after the Dockerfile takes precedence. The
        digest is unchanged, as it includes the ignore file."""
        text = self.files.get(f"{dockerfile}.dockerignore", self.files.get(".dockerignore"))
        if text is None:
            return self
        patterns = _ignore_patterns(text.decode("utf-8", "replace"))
        kept = {name: content for name, content in self.files.items() if not _is_ignored(name, patterns)}
        return Context(kept, self.digest)

    def match(self, source: str) -> list[str]:
        """Return the files that a COPY source matches."""
        pattern = source.removeprefix("./").strip("/")
        if pattern in ("", "."):
            return list(self.files)
        found = []
        for name in self.files:
            parts = name.split("/")
            depth = pattern.count("/") + 1
            head = "/".join(parts[:depth])
            if fnmatch.fnmatchcase(head, pattern) and len(parts) >= depth:
                found.append(name)
        return found


def _ignore_patterns(text: str) -> list[tuple[bool, re.Pattern[str]]]:
    """Exclusion (or, with `!`, its opposite) and a pattern for the path or any folder above it
    (docs.docker.com/build/concepts/context/#dockerignore-files)."""
    patterns = []
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        excludes = not line.startswith("!")
        parts = line.removeprefix("!").strip().strip("/").removeprefix("./").split("/")
        expression = ""
        for part in parts:
            if part == "**":
                expression += "(?:[^/]+/)*"
            else:
                expression += _segment(part) + "/"
        patterns.append((excludes, re.compile(expression)))
    return patterns


def _segment(text: str) -> str:
    """One part of a pattern: `*` and `?` do not cross a slash."""
    special = {"*": "[^/]*", "?": "[^/]"}
    return "".join(special.get(character, re.escape(character)) for character in text)


def _is_ignored(name: str, patterns: list[tuple[bool, re.Pattern[str]]]) -> bool:
    """Return whether a path is ignored; the last matching pattern decides."""
    for excludes, pattern in reversed(patterns):
        if pattern.match(name + "/"):
            return excludes
    return False


@dataclass
class Stage:
    """One build stage."""

    name: str
    base: str
    taken_from: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    ports: list[int] = field(default_factory=list)
    entrypoint: str = ""
    command: str = ""
    steps: list[str] = field(default_factory=list)
    system: Filesystem = field(default_factory=Filesystem)


@dataclass
class Image:
    """The built image's behaviour, and the log of the build."""

    behaviour: Json
    log: list[str]


def build(
    context: Context,
    dockerfile: str,
    *,
    target: str = "",
    arguments: Mapping[str, str] | None = None,
    buildkit: bool = True,
) -> Image:
    """Build, or raise BuildFailure with the `log` so far. Without `buildkit` the classic
    builder reads the file."""
    path = dockerfile.removeprefix("./")
    text = _text(context, path)
    log: list[str] = [f"Sending build context to Docker daemon  {sum(map(len, context.files.values()))}B"]
    problem = None if buildkit else classic.parse_error(text)
    if problem is not None:
        raise BuildFailure(f"Error response from daemon: {problem}")
    instructions = list(_instructions(text))
    context = context.ignoring(path)
    stages: list[Stage] = []
    values = dict(arguments or {})
    shipped: dict[str, set[str]] = {}
    try:
        for number, (word, rest) in enumerate(instructions, 1):
            log.append(f"Step {number}/{len(instructions)} : {word} {rest}")
            if word == "FROM" and _is_last(stages, target):
                break
            problem = None if buildkit else classic.step_error(word, rest, values)
            if problem is not None:
                raise BuildFailure(problem)
            _step(context, stages, values, word, rest, shipped)
    except BuildFailure as failure:
        failure.args = (failure.args[0], [*log, failure.args[0]])
        raise
    if not stages:
        raise BuildFailure("no build stage in current context")
    if target and not _is_last(stages, target):
        raise BuildFailure(f"failed to reach build target {target} in Dockerfile")
    log.append("Successfully built")
    return Image(_behaviour(context, stages), log)


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    """Return instructions with continuation lines joined, without comments and here-documents."""
    lines = iter(text.splitlines())
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        whole = line.strip()
        while whole.endswith("\\"):
            whole = whole[:-1].rstrip()
            for following in lines:
                if following.strip() and not following.lstrip().startswith("#"):
                    whole += " " + following.strip()
                    break
            else:
                break
        document = re.search(r"<<-?\s*[\"']?(\w+)[\"']?", whole)
        if document is not None:
            for following in lines:
                if following.strip() == document[1]:
                    break
        word, _, rest = whole.partition(" ")
        yield word.upper(), rest.strip()


def _substitute(text: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[3]
        return values.get(name) or match[2] or ""

    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)", value, text)


def _text(context: Context, path: str) -> str:
    if path not in context.files:
        raise BuildFailure(
            "unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat "
            f"/workspace/{path}: no such file or directory"
        )
    return context.files[path].decode("utf-8", "replace")


def _is_last(stages: list[Stage], target: str) -> bool:
    """Return whether the last stage so far is the target, by name or number."""
    return bool(target and stages) and target.lower() in (stages[-1].name.lower(), str(len(stages) - 1))


def _stage(stages: list[Stage], values: dict[str, str], rest: str) -> Stage:
    """The stage that a FROM begins."""
    parts = [part for part in rest.split() if not part.startswith("--")]
    name = parts[2] if len(parts) > 2 and parts[1].lower() == "as" else str(len(stages))
    base = _substitute(parts[0], values) if parts else ""
    if not base:
        raise BuildFailure(f"base name ({rest}) should not be blank")
    stage = Stage(name, base)
    earlier = next((item for item in stages if item.name.lower() == base.lower()), None)
    if earlier is not None:
        stage.environment = dict(earlier.environment)
        stage.ports, stage.taken_from = list(earlier.ports), [earlier.name]
        stage.entrypoint, stage.command = earlier.entrypoint, earlier.command
        stage.system = Filesystem(dict(earlier.system.files), earlier.system.workdir)
    return stage


def _step(
    context: Context, stages: list[Stage], values: dict[str, str], word: str, rest: str, shipped: dict[str, set[str]]
) -> None:
    if word == "FROM":
        stages.append(_stage(stages, values, rest))
        shipped[stages[-1].name.lower()] = set()
        return
    if word == "ARG":
        name, _, default = rest.partition("=")
        values.setdefault(name.strip(), default.strip().strip("\"'"))
        return
    if not stages:
        raise BuildFailure(f"no build stage in current context: {word}")
    stage = stages[-1]
    if word == "ENV":
        for name, value in _pairs(rest):
            stage.environment[name] = values[name] = _substitute(value, values)
    elif word == "EXPOSE":
        stage.ports += [int(port) for port in re.findall(r"\b(\d+)(?:/tcp)?\b", _substitute(rest, values))]
    elif word in ("COPY", "ADD"):
        _copy(context, stages, stage, _substitute(rest, values), word, shipped)
    elif word == "RUN":
        _run(rest)
    elif word == "WORKDIR":
        stage.system.workdir = stage.system.path(_substitute(rest, values).strip("\"'"))
    elif word == "CMD":
        stage.command = rest
    elif word == "ENTRYPOINT":
        stage.entrypoint, stage.command = rest, ""


def _pairs(text: str) -> list[tuple[str, str]]:
    if "=" not in text.split(" ")[0]:
        name, _, value = text.partition(" ")
        return [(name, value.strip())]
    return [
        (name, (quoted or single or plain))
        for name, quoted, single, plain in re.findall(r"(\w+)=(?:\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|(\S*))", text)
    ]


def _copy(
    context: Context, stages: list[Stage], stage: Stage, rest: str, word: str, shipped: dict[str, set[str]]
) -> None:
    flags = re.findall(r"--(\w+)=(\S+)", rest)
    text = re.sub(r"--\w+(=\S+)?", "", rest).strip()
    parts = _words(text)
    source = dict(flags).get("from")
    if source is not None:
        known = {item.name.lower() for item in stages[:-1]} | {str(number) for number in range(len(stages) - 1)}
        if source.lower() in known:
            name = stages[int(source)].name if source.isdigit() else source
            stage.taken_from.append(name)
            other = next(item for item in stages if item.name.lower() == name.lower())
            for item in parts[:-1]:
                stage.system.take(other.system, item, parts[-1])
        return
    if len(parts) < 2:
        raise BuildFailure(f"{word} requires at least two arguments, but only one was provided.")
    for item in parts[:-1]:
        if (word == "ADD" and re.match(r"https?://", item)) or item.startswith("<<"):
            continue
        found = context.match(item)
        if not found:
            if any(character in item for character in "*?["):
                raise BuildFailure(f"{word} failed: no source files were specified")
            raise BuildFailure(
                f"{word} failed: file not found in build context or excluded by .dockerignore: stat "
                f"{item}: file does not exist"
            )
        shipped[stage.name.lower()].update(found)
        stage.system.put(found, [item.removeprefix("./").strip("/") or "."], parts[-1])


def _words(text: str) -> list[str]:
    """Return sources and destination, given as a JSON array or words."""
    if text.startswith("["):
        try:
            return [str(item) for item in json.loads(text)]
        except ValueError:
            pass  # docker treats invalid JSON as words
    return text.split()


def _run(command: str) -> None:
    """Detect failing commands without running them: only `exit N` and `false`."""
    match = re.search(r"(?:^|&&|;)\s*(?:exit\s+([1-9]\d*)|(false))\s*(?:$|&&|;)", command)
    if match is not None:
        raise BuildFailure(f"The command '/bin/sh -c {command}' returned a non-zero code: {match[1] or 1}")


# Behaviour of the image


def _behaviour(context: Context, stages: list[Stage]) -> Json:
    final = stages[-1]
    line = f"{final.entrypoint} {final.command}"
    command = [*words(final.entrypoint), *words(final.command)]
    if final.entrypoint and not final.entrypoint.startswith("["):
        command = words(final.entrypoint)  # the shell form takes no arguments
    program = start(final.system, context.files, command, final.environment)
    requires: set[str] = set()
    literals: set[str] = set()
    honours_port = "PORT" in re.findall(r"\$\{?(\w+)", line)
    for name in program.names:
        text = context.files[name].decode("utf-8", "replace")
        found, paths, port = _read_python(name, text) if name.endswith(".py") else _read_javascript(text)
        requires |= found
        literals |= paths
        honours_port = honours_port or port
    return {
        "port": final.ports[0] if final.ports else None,
        "environment": final.environment,
        "requires": sorted(requires),
        "paths": sorted(literals),
        "honours_port": honours_port,
        "language": program.language,
    }


def _read_python(name: str, text: str) -> tuple[set[str], set[str], bool]:
    """Return required variables, path literals, and whether PORT sets its port."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return set(), set(), False
    everywhere = name.rsplit("/", 1)[-1] in _ENTRY_MODULES
    required: set[str] = set()

    def visit(node: ast.AST, inside: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if (
                isinstance(child, ast.Subscript)
                and isinstance(child.ctx, ast.Load)
                and _is_environ(child.value)
                and isinstance(child.slice, ast.Constant)
                and isinstance(child.slice.value, str)
                and (everywhere or not inside)
            ):
                required.add(child.slice.value)
            visit(child, inside or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))

    visit(tree, False)
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return required, {item for item in texts if re.fullmatch(r"/\S*", item)}, "PORT" in texts and "environ" in text


def _is_environ(node: ast.AST) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == "environ") or (
        isinstance(node, ast.Name) and node.id == "environ"
    )


def _read_javascript(text: str) -> tuple[set[str], set[str], bool]:
    required = set(re.findall(r"\brequireEnv\(\s*[\"'`](\w+)[\"'`]", text))
    paths = set(re.findall(r"[\"'`](/[^\"'`\s]*)[\"'`]", text))
    return required, paths, _READS_PORT.search(text) is not None


def answers(paths: list[str], path: str) -> bool:
    """Return whether an app with these path literals serves a path. Routers are mounted on prefixes, so a path may be
    composed of several literals; `{x}` and `:x` match a segment. If no literal is about health, the app's
    routes are unknown, and every path is served."""
    if not any("health" in item.lower() for item in paths):
        return True
    wanted = "/" + path.strip("/")
    patterns = [
        re.sub(r"\\\{[^/]*?\\\}|:\w+", "[^/]+", re.escape("/" + item.strip("/"))) for item in paths if item.strip("/")
    ]
    if wanted == "/":
        return "/" in paths
    union = "|".join(f"(?:{pattern})" for pattern in patterns)
    return re.fullmatch(f"(?:{union})+", wanted) is not None
