"""Everything that is installed at run time is pinned, with hashes, and the lock agrees with what people edit."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires
from itertools import product

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from project import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
COMPILE = "uv pip compile --universal --generate-hashes --python-version 3.11 --output-file requirements.lock "
PLATFORMS = ("linux", "darwin", "win32")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}


def entries(text: str) -> list[str]:
    """The logical lines of a requirements file, without comments."""
    joined = re.sub(r"\\\n", " ", re.sub(r"(^|\s)#.*", "", text, flags=re.MULTILINE))
    return [line.strip() for line in joined.splitlines() if line.strip()]


def locked() -> dict[str, tuple[Requirement, list[str]]]:
    """Name -> what the lock asks for, and its hashes."""
    found = {}
    for line in entries(LOCK):
        requirement = Requirement(line.split("--hash")[0].strip())
        found[canonicalize_name(requirement.name)] = (requirement, re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
    return found


def direct() -> list[Requirement]:
    """Return the entries of `requirements.txt`."""
    return [Requirement(line) for line in entries((ROOT / "requirements.txt").read_text(encoding="utf-8"))]


def pin(requirement: Requirement) -> Version:
    """The one version that a requirement admits."""
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return Version(specifier.version)


def needed(platform: str, python: str) -> dict[str, list[Requirement]]:
    """Name -> every requirement on it, of what `requirements.txt` lists and of all that this brings."""
    environment = {
        "sys_platform": platform, "platform_system": SYSTEMS[platform], "python_version": python,
        "python_full_version": f"{python}.0", "os_name": "nt" if platform == "win32" else "posix",
        "implementation_name": "cpython", "platform_python_implementation": "CPython",
    }  # fmt: skip
    found: dict[str, list[Requirement]] = {}
    waiting = [(requirement, extra) for requirement in direct() for extra in ("", *requirement.extras)]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate(environment | {"extra": ""}):
            continue
        name = canonicalize_name(requirement.name)
        is_new = name not in found
        found.setdefault(name, []).append(requirement)
        if not is_new and not extra:
            continue
        try:
            below = [Requirement(text) for text in requires(requirement.name) or []]
        except PackageNotFoundError:  # of another platform: that it is locked is all that can be seen here
            continue
        for text in below:
            if text.marker is None or text.marker.evaluate(environment | {"extra": extra}):
                waiting += [(Requirement(str(text).split(";")[0]), wanted) for wanted in ("", *text.extras)]
    return found


def test_every_entry_of_the_lock_has_one_version_and_hashes() -> None:
    """So that `pip install --require-hashes` takes it."""
    for name, (requirement, hashes) in locked().items():
        assert pin(requirement), name
        assert hashes, name
        assert len(set(hashes)) == len(hashes), name


def test_direct_requirements_have_the_same_version_in_the_lock() -> None:
    """Whoever edits one file has to make the other."""
    known = locked()

    assert {canonicalize_name(wanted.name): str(pin(wanted)) for wanted in direct()} == {
        canonicalize_name(wanted.name): str(pin(known[canonicalize_name(wanted.name)][0])) for wanted in direct()
    }


@pytest.mark.parametrize(("platform", "python"), list(product(PLATFORMS, PYTHONS)))
def test_all_that_direct_requirements_bring_is_in_the_lock(platform: str, python: str) -> None:
    """In a version that satisfies all its dependants."""
    known = locked()

    wanted = needed(platform, python)

    assert len(wanted) > len(direct())
    for name, requirements in wanted.items():
        assert name in known, f"{name} is not locked"
        for requirement in requirements:
            assert requirement.specifier.contains(pin(known[name][0]), prereleases=True), requirement


def test_lock_holds_nothing_that_no_one_needs() -> None:
    """Packages removed from `requirements.txt` are removed from the lock."""
    wanted = {name for platform, python in product(PLATFORMS, PYTHONS) for name in needed(platform, python)}

    assert set(locked()) <= wanted


def test_lock_names_no_index_and_no_host() -> None:
    """The package index is the installer's own setting."""
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|file:|@ ", LOCK)


def test_commands_of_the_documents_are_those_of_the_lock() -> None:
    """The README installs with hashes; CONTRIBUTING has the command that the lock itself names."""
    assert COMPILE in LOCK
    assert COMPILE in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "install --require-hashes -r requirements.lock" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "--require-hashes -r requirements.lock" in (ROOT / ".ci/run").read_text(encoding="utf-8")
