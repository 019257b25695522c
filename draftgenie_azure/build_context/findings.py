"""Check a build context before anything is built: missing sources, and files that are rarely meant to be shipped."""

from __future__ import annotations

import os
import re

from draftgenie_azure.build_context.dockerfile import missing_stage, named_sources
from draftgenie_azure.build_context.listing import NEVER, NEVER_BEGINNING, unnamed
from draftgenie_azure.build_context.names import escape, places
from draftgenie_azure.errors import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from draftgenie_azure.build_context.context import Context

_READ = 65_536  # bytes of a file that are examined
_MODULES, _ENVIRONMENT, _BYTE_CODE = "packages", "a virtual environment", "byte code and caches"
_FOLDERS = {
    "node_modules": _MODULES, "bower_components": _MODULES, "venv": _ENVIRONMENT, ".venv": _ENVIRONMENT,
    "virtualenv": _ENVIRONMENT, "__pycache__": _BYTE_CODE, ".pytest_cache": _BYTE_CODE, ".mypy_cache": _BYTE_CODE,
    ".ruff_cache": _BYTE_CODE, ".tox": _ENVIRONMENT, ".nox": _ENVIRONMENT, ".git": "the repository's history",
    ".hg": "the repository's history", ".svn": "the repository's history", ".bzr": "the repository's history",
    ".aws": "credentials", ".azure": "credentials", ".kube": "credentials", ".ssh": "credentials",
    ".gnupg": "credentials", ".terraform": "packages",
}  # fmt: skip
_SAMPLE = re.compile(r"(?:example|sample|template|dist|defaults?|schema)", re.IGNORECASE)
_BY_NAME = (  # what a file of this name usually contains; its line for the ignore file
    (re.compile(r"\.env(?:rc)?(?:\..+)?|.+\.env", re.IGNORECASE), "environment variables"),
    (re.compile(r"id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?"), "a private key"),
    (re.compile(r".+\.(?:key|p12|pfx|jks|keystore|ppk|kdbx|agekey)", re.IGNORECASE), "a private key"),
    (re.compile(r"(?:\.netrc|_netrc|\.git-credentials|\.pgpass|\.my\.cnf|\.htpasswd|\.s3cfg|\.boto)"), "credentials"),
    (re.compile(r"(?:credentials|client_secrets?|service[-_]?account.*)(?:\.(?:json|ya?ml))?", re.I), "credentials"),
    (re.compile(r"secrets?\.(?:json|ya?ml|toml|env|txt)", re.IGNORECASE), "secrets"),
    (re.compile(r".+\.tfstate(?:\..+)?|.+\.tfvars(?:\.json)?"), "secrets"),
    (re.compile(r"kubeconfig(?:\..+)?|.+\.publishsettings|.+\.ovpn", re.IGNORECASE), "credentials"),
)
_BY_CONTENT = (  # files of this name contain a secret only if such a text is in them
    (re.compile(r"\.npmrc"), re.compile(rb"_authToken|_password|_auth\s*="), "a token"),
    (re.compile(r"\.yarnrc(?:\.yml)?"), re.compile(rb"npmAuthToken|_authToken"), "a token"),
    (re.compile(r"\.pypirc"), re.compile(rb"password"), "a token"),
    (re.compile(r"pip\.conf|uv\.toml|NuGet\.Config", re.I), re.compile(rb"://[^/\s:@]+:[^/\s@]+@|Password"), "a token"),
    (re.compile(r"config\.json"), re.compile(rb'"auths"\s*:\s*\{\s*"'), "credentials"),
    (re.compile(r".+\.json"), re.compile(rb'"private_key"\s*:\s*"-|"type"\s*:\s*"service_account"'), "credentials"),
)
_PRIVATE, _CERTIFICATE = b"PRIVATE KEY-----", b"-----BEGIN CERTIFICATE-----"


def faults(context: Context) -> Iterator[Fault]:
    """Yield a fault for a stage, and each source, that a Dockerfile names and that is not there: its build fails."""
    if words := missing_stage(context.dockerfile_text, context.target):
        yield Fault(words, file=context.dockerfile, line=1)
        return
    sources = named_sources(context.dockerfile_text, target=context.target, every_stage=context.every_stage)
    if not sources:
        return
    shipped: set[str] = set()
    for entry in context.files():
        path = entry.path
        while path and path not in shipped:
            shipped.add(path)
            path = path.rpartition("/")[0]
    extras = {in_pack for _, in_pack, _ in context.extras()}
    for line, source in sources:
        if source not in shipped and source not in extras and not _through_a_link(context, source):
            yield Fault(_why(context, source), file=context.dockerfile, line=line)


def _through_a_link(context: Context, source: str) -> bool:
    path = context.root
    for part in source.split("/"):
        path = os.path.join(path, part)
        if os.path.islink(path):
            return os.path.lexists(os.path.join(context.root, source))
    return False


def _why(context: Context, source: str) -> str:
    name = f"`{escape(source)}`"
    parts = source.split("/")
    if not os.path.lexists(os.path.join(context.root, source)):
        return f"{name} does not exist below docker.build_context (`{context.root}`)"
    for part in parts:
        if part in unnamed(context.ignore_lines):
            return f"{name} is not shipped; if the image needs it, add `!{part}/**` to {context.ignore_file}"
        if part in NEVER or part.startswith(NEVER_BEGINNING):
            return f"{name} belongs to the deployment itself and is never shipped"
    above = {"/".join(parts[:count]) for count in range(1, len(parts) + 1)}
    if above & places(context.exclude, context.root):
        return f"{name} belongs to the deployment itself and is never shipped"
    if os.path.isdir(os.path.join(context.root, source)):
        return f"nothing of {name} is shipped; check {context.ignore_file}"
    return f"{name} is left out by {context.ignore_file}"


def unwanted(context: Context) -> dict[str, tuple[str, int, str]]:
    """Return what is rarely meant to be shipped: ignore file line -> (kind, number of files, first path)."""
    excepted = {part for line in context.ignore_lines if line.startswith("!") for part in line[1:].split("/")}
    found: dict[str, tuple[str, int, str]] = {}
    for entry in context.files():
        suspect = _suspect(context, entry.path, entry.kind)
        if suspect is not None and suspect[0].rpartition("/")[2] not in excepted:
            line, what = suspect
            _, count, first = found.get(line, (what, 0, entry.path))
            found[line] = what, count + 1, first
    return found


def _suspect(context: Context, path: str, kind: str) -> tuple[str, str] | None:
    """Return the ignore file line and the kind of a suspect file, or None."""
    *folders, name = path.split("/")
    for folder in folders if kind != "directory" else (*folders, name):
        if folder in _FOLDERS:
            return f"**/{folder}", _FOLDERS[folder]
    if kind != "file":
        return None
    if name == "pyvenv.cfg" and folders:
        return "/".join(folders), _ENVIRONMENT
    if name.endswith((".pyc", ".pyo")):
        return f"**/*{name[-4:]}", _BYTE_CODE
    for pattern, what in _BY_NAME:
        if pattern.fullmatch(name):
            return None if _SAMPLE.search(name) else (path, what)
    if name.endswith(".pem"):
        data = _beginning(context, path)
        return None if _CERTIFICATE in data and _PRIVATE not in data else (path, "a private key")
    for pattern, content, what in _BY_CONTENT:
        if pattern.fullmatch(name) and content.search(_beginning(context, path)):
            return path, what
    return None


def _beginning(context: Context, path: str) -> bytes:
    try:
        with open(context.tree.absolute(path), "rb") as file:
            return file.read(_READ)
    except OSError:
        return b""

