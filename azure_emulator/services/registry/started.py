"""Determine what an image starts, from CMD and ENTRYPOINT, and which of its files the program loads.

A Dockerfile may ship a whole repository (`COPY . /src`): files beside the program are unrelated. If the program
cannot be determined, nothing is assumed.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

PYTHON, NODE = "python", "node"
_WRAPPERS = {
    **dict.fromkeys(
        ("tini", "dumb-init", "exec", "nohup", "time", "opentelemetry-instrument", "ddtrace-run", "dotenv"), 0
    ),
    **dict.fromkeys(("su-exec", "gosu", "poetry", "pipenv", "uv", "pdm", "newrelic-admin"), 1),
}
"""Programs that start another, and the number of their own arguments before it."""
_SERVERS = ("uvicorn", "gunicorn", "hypercorn", "daphne")
_NODE = ("node", "nodejs", "ts-node", "tsx", "nodemon", "bun")
_PACKAGERS = ("npm", "yarn", "pnpm")
_SCRIPT_SUFFIXES = ("", ".ts", ".js", ".mjs", ".cjs", "/index.ts", "/index.js")
_DEEPEST = 4


@dataclass
class Filesystem:
    """The image's files from the build context: path in the image -> name in the context."""

    files: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"

    def path(self, text: str) -> str:
        return posixpath.normpath(posixpath.join(self.workdir, text))

    def put(self, names: list[str], sources: list[str], destination: str) -> None:
        """Apply a COPY: the content of a folder into the destination, files into it or under its name."""
        target = self.path(destination)
        for name in names:
            source = next(
                (item for item in sources if name == item or name.startswith(f"{item}/") or item == "."), None
            )
            if source == name:
                folder = target == self.workdir or any(path.startswith(f"{target}/") for path in self.files)
                into = destination.endswith("/") or len(names) > 1 or folder
                self.files[posixpath.join(target, name.rsplit("/", 1)[-1]) if into else target] = name
            elif source is not None:
                inner = name if source == "." else name[len(source) + 1 :]
                self.files[posixpath.join(target, inner)] = name
            else:  # a pattern
                self.files[posixpath.join(target, name.rsplit("/", 1)[-1])] = name

    def take(self, other: Filesystem, source: str, destination: str) -> None:
        """COPY --from another stage."""
        start, target = posixpath.normpath(posixpath.join("/", source)), self.path(destination)
        for path, name in other.files.items():
            if path == start:
                into = destination.endswith("/")
                self.files[posixpath.join(target, posixpath.basename(path)) if into else target] = name
            elif path.startswith(start.rstrip("/") + "/"):
                self.files[posixpath.join(target, path[len(start.rstrip("/")) + 1 :])] = name


@dataclass(frozen=True)
class Start:
    """Return the language of the program, and the context files that it loads; none if unknown."""

    language: str | None = None
    names: tuple[str, ...] = ()


def start(
    system: Filesystem, contents: Mapping[str, bytes], command: list[str], environment: Mapping[str, str]
) -> Start:
    """`contents` are the context's files."""
    return _Reader(system, contents, environment).read(command, 0)


def words(text: str) -> list[str]:
    """Parse a CMD or ENTRYPOINT: a JSON array, or a line for the shell."""
    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, list):
            return [str(item) for item in found]
    return ["/bin/sh", "-c", text] if text.strip() else []


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return line.split()


class _Reader:
    def __init__(self, system: Filesystem, contents: Mapping[str, bytes], environment: Mapping[str, str]) -> None:
        self._system = system
        self._contents = contents
        self._roots = [system.workdir]
        self._roots += [system.path(item) for item in environment.get("PYTHONPATH", "").split(":") if item]
        self._environment = environment

    def _text(self, path: str) -> str:
        return self._contents[self._system.files[path]].decode("utf-8", "replace")

    # From a command to a program

    def read(self, command: list[str], depth: int) -> Start:
        command = [item for item in command if item != "--"]
        while command and ("=" in command[0] or posixpath.basename(command[0]) == "env"):
            command = command[1:]
        if not command or depth > _DEEPEST:
            return Start()
        program, rest = posixpath.basename(command[0]), command[1:]
        if program in _WRAPPERS:
            return self.read([item for item in rest[_WRAPPERS[program] :] if not item.startswith("-")], depth + 1)
        if program in ("sh", "bash", "ash", "dash") and "-c" in rest[:-1]:
            return self._script(rest[rest.index("-c") + 1], depth)
        if program in ("sh", "bash", "ash", "dash") and rest:
            return self.read(rest, depth + 1)
        if re.fullmatch(r"(python|pypy)\d?(\.\d+)?", program):
            return self._python(rest, depth)
        if program in _SERVERS or program in ("celery", "flask", "fastapi"):
            return self._server(program, rest)
        if program in _NODE:
            return self._node(next((item for item in rest if not item.startswith("-")), ""))
        if program == "npx":
            return self.read(rest, depth + 1)
        if program in _PACKAGERS:
            return self._package(rest, depth)
        path = self._system.path(command[0])
        if path in self._system.files:
            text = self._text(path)
            shebang = text.split("\n", 1)[0] if text.startswith("#!") else ""
            if program.endswith(".py") or "python" in shebang:
                return self._follow_python([path])
            if program.endswith((".js", ".mjs", ".cjs")) or "node" in shebang:
                return self._follow_node(path)
            return self._script(text, depth, rest)
        return Start()

    def _script(self, text: str, depth: int, arguments: list[str] | None = None) -> Start:
        """Return the last command of a shell script that starts a known program; `exec "$@"` is its arguments."""
        for line in reversed(re.split(r"\n|&&|;", text)):
            found = _split(line.strip())
            if found[:1] == ["exec"]:
                found = found[1:]
            if found[:1] == ["$@"]:
                found = arguments or []
            result = self.read(found, depth + 1) if found else Start()
            if result.language is not None:
                return result
        return Start()

    def _python(self, rest: list[str], depth: int) -> Start:
        if "-m" in rest[:-1]:
            at = rest.index("-m")
            module, more = rest[at + 1], rest[at + 2 :]
            if module in _SERVERS or module in ("celery", "flask", "fastapi"):
                return self._server(module, more)
            return self._modules([f"{module}.__main__", module])
        script = next((item for item in rest if not item.startswith("-")), "")
        return self._follow_python(self._inherited(self._system.path(script)))

    def _server(self, program: str, rest: list[str]) -> Start:
        for flag in ("--app-dir", "--chdir", "--pythonpath"):
            for at, item in enumerate(rest):
                value = item.partition("=")[2] if item.startswith(f"{flag}=") else ""
                if item == flag and at + 1 < len(rest):
                    value = rest[at + 1]
                if value:
                    self._roots.insert(0, self._system.path(value))
        target = next((item for item in rest if re.fullmatch(r"[\w.]+:[\w.()]+", item)), "")
        for flag in ("--app", "-A"):
            if flag in rest[:-1]:
                target = rest[rest.index(flag) + 1]
        target = target or self._environment.get("FLASK_APP", "")
        script = next((self._system.path(item) for item in rest if item.endswith(".py")), "")
        if script in self._system.files:
            return self._follow_python([script])
        module = target.partition(":")[0].removesuffix(".py").replace("/", ".")
        fallback = ["main", "app.main", "app", "wsgi"] if program in ("flask", "fastapi") else []
        return self._modules([module] if module else fallback)

    def _package(self, rest: list[str], depth: int) -> Start:
        """Resolve `npm start` or `npm run x`, also of a workspace, to the script in its package.json."""
        named = [item for item in rest if not item.startswith("-")]
        script = named[1] if named[:1] == ["run"] and len(named) > 1 else named[0] if named else "start"
        folder = self._system.workdir
        for at, item in enumerate(rest):
            wanted = item.partition("=")[2]
            if item in ("-w", "--workspace", "--prefix", "-C") and at + 1 < len(rest):
                wanted = rest[at + 1]
            if wanted:
                folder = self._packages().get(wanted, self._system.path(wanted))
        line = self._manifest(folder).get("scripts", {}).get(script)
        if not isinstance(line, str):
            return Start(NODE)
        inner = _Reader(Filesystem(self._system.files, folder), self._contents, self._environment)
        found = inner._script(line, depth)
        return found if found.language else Start(NODE)

    def _manifest(self, folder: str) -> dict[str, dict[str, str]]:
        path = posixpath.join(folder, "package.json")
        if path not in self._system.files:
            return {}
        try:
            content = json.loads(self._text(path))
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    def _packages(self) -> dict[str, str]:
        """Return folders of the repository's own packages, by name."""
        found: dict[str, str] = {}
        for path in self._system.files:
            if path.endswith("/package.json") and "/node_modules/" not in path:
                name = self._manifest(posixpath.dirname(path)).get("name")
                if isinstance(name, str):
                    found[name] = posixpath.dirname(path)
        return found

    # From a program to the files it loads

    def _modules(self, names: list[str]) -> Start:
        for name in names:
            found = self._module(name, self._roots) or self._inherited(f"/{name.replace('.', '/')}.py")
            if found:
                return self._follow_python(found)
        return Start(PYTHON)

    def _inherited(self, path: str) -> list[str]:
        """Resolve a path in the image. If the Dockerfile sets no folder, the base image may: then use the only
        file with that suffix."""
        if path in self._system.files:
            return [path]
        fitting = [item for item in self._system.files if item.endswith(path)]
        return fitting if self._system.workdir == "/" and len(fitting) == 1 else []

    def _module(self, name: str, roots: list[str]) -> list[str]:
        """Return the files that importing a module loads, including its packages."""
        parts = name.split(".")
        for root in roots:
            base = posixpath.join(root, *parts)
            for path in (f"{base}.py", f"{base}/__init__.py"):
                if path in self._system.files:
                    above = (posixpath.join(root, *parts[:count], "__init__.py") for count in range(1, len(parts)))
                    return [*(item for item in above if item in self._system.files), path]
        return []

    def _follow_python(self, paths: list[str]) -> Start:
        roots = [*self._roots, *(posixpath.dirname(path) for path in paths[-1:])]
        seen: dict[str, None] = {}
        waiting = list(paths)
        while waiting:
            path = waiting.pop()
            if path in seen:
                continue
            seen[path] = None
            for name, base in self._imports(path):
                waiting += self._module(name, [base] if base else roots)
        return Start(PYTHON, tuple(self._system.files[path] for path in seen))

    def _imports(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield names of imported modules, and for relative ones their base folder."""
        try:
            tree = ast.parse(self._text(path))
        except (SyntaxError, ValueError):
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from ((item.name, "") for item in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = posixpath.dirname(path) if node.level else ""
                for _ in range(node.level - 1):
                    base = posixpath.dirname(base)
                if node.module:
                    yield node.module, base
                for item in node.names:
                    yield f"{node.module}.{item.name}" if node.module else item.name, base

    def _node(self, script: str) -> Start:
        if not script:
            return Start(NODE)
        path = next(iter(self._inherited(self._system.path(script))), self._system.path(script))
        for candidate in (path, *_sources(path)):
            for suffix in _SCRIPT_SUFFIXES:
                if candidate + suffix in self._system.files:
                    return self._follow_node(candidate + suffix)
        return Start(NODE)

    def _follow_node(self, path: str) -> Start:
        packages = self._packages()
        seen: dict[str, None] = {}
        waiting = [path]
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen[current] = None
            for name in re.findall(r"(?:from|import|require\(|import\()\s*[\"'`]([^\"'`]+)[\"'`]", self._text(current)):
                waiting += self._node_module(name, posixpath.dirname(current), packages)
        return Start(NODE, tuple(self._system.files[item] for item in seen))

    def _node_module(self, name: str, folder: str, packages: Mapping[str, str]) -> list[str]:
        if name.startswith("."):
            bases = [posixpath.normpath(posixpath.join(folder, name))]
        else:
            own = next((item for item in packages if name == item or name.startswith(f"{item}/")), None)
            if own is None:
                return []
            inner = name[len(own) + 1 :] or str(self._manifest(packages[own]).get("main") or "index")
            bases = [posixpath.normpath(posixpath.join(packages[own], item, inner)) for item in ("", "src")]
        for base in bases:
            for candidate in (base, re.sub(r"\.[cm]?js$", "", base), *_sources(base)):
                for suffix in _SCRIPT_SUFFIXES:
                    if candidate + suffix in self._system.files:
                        return [candidate + suffix]
        return []


def _sources(path: str) -> list[str]:
    """Return possible sources of a compiled file: dist/main.js from src/main.ts, dist/apps/x/main.js from
    apps/x/src/main.ts."""
    base = re.sub(r"\.[cm]?js$", "", path)
    found = []
    for folder in ("dist", "build", "out"):
        if f"/{folder}/" in base:
            head, _, tail = base.partition(f"/{folder}/")
            found += [
                f"{head}/src/{tail}",
                f"{head}/{tail}",
                f"{head}/{posixpath.dirname(tail)}/src/{posixpath.basename(tail)}",
            ]
    return found
