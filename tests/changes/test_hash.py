"""The dependency hash: computed again by a few lines that share nothing with the command, and held by its properties.

The format is documented in docs/how-it-decides.md; the lines here follow it literally.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from project import ROOT, Project, new_project

from draftgenie_azure.changes.dependencies import Hasher, name_of, step_hash
from draftgenie_azure.config import raw as configuration
from draftgenie_azure.config.keys import is_secret_key
from draftgenie_azure.config.raw import RawConfig
from draftgenie_azure.steps import STEPS

SALT = "5a" * 16
as_root = hasattr(os, "geteuid") and os.geteuid() == 0


# -------------------------------------------------------------------------------------------- the independent few lines


def recomputed(name: str, project: Project, state: dict[str, Any], values: dict[str, Any]) -> str:
    """The hash of one dependency, from its name, the files and the configuration."""
    kind, _, rest = name.partition(":")
    root = project.directory / values["docker"]["build_context"]
    if kind == "tool":
        data = (ROOT / rest).read_bytes()
    elif kind == "file":
        data = (root / rest).read_bytes() if not rest.endswith("/") else b""
    elif kind == "mode":
        data = b"x" if (root / rest).stat().st_mode & 0o100 else b"-"
    elif kind == "link":
        data = os.fsencode((root / rest).readlink())
    elif kind == "output":
        data = as_json(state["steps"][rest]["outputs"])
    else:
        value: Any = values
        for key in rest.split("."):
            value = value[int(key)] if isinstance(value, list) else (value or {}).get(key)
        data = as_json(None if value == {} else value)
        if kind == "secret" and value is not None:
            return hashlib.scrypt(data, salt=bytes.fromhex(state["salt"]), n=4096, r=8, p=1, dklen=32).hex()
    return hashlib.sha256(data).hexdigest()


def as_json(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8, no ASCII escapes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_every_recorded_hash_can_be_computed_again_from_files_configuration_and_state(deployed: Project) -> None:
    """Each line by its name, and the step's hash over its lines."""
    text = (deployed.directory / "config.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    state = deployed.state()

    assert len(state["steps"]) == 14
    for step, record in state["steps"].items():
        lines = record["dependencies"]
        assert lines == {name: recomputed(name, deployed, state, values) for name in lines}, step
        over = "\n".join(sorted(f"{name}={digest}" for name, digest in lines.items()))
        assert record["dependency_hash"] == hashlib.sha256(over.encode()).hexdigest()
    kinds = {name.partition(":")[0] for record in state["steps"].values() for name in record["dependencies"]}
    assert kinds == {"file", "mode", "tool", "config", "secret", "output"}


def test_no_secret_and_no_unsalted_hash_of_one_is_in_the_state(deployed: Project) -> None:
    """A short password would be guessed from its SHA-256."""
    deployed.environment["JWT_SECRET"] = "Canary5ecret"
    deployed.deploy()

    text = deployed.state_file.read_text(encoding="utf-8")
    assert "Canary5ecret" not in text
    for guess in ("Canary5ecret", '"Canary5ecret"'):
        assert hashlib.sha256(guess.encode()).hexdigest() not in text


@pytest.mark.parametrize("absolute", [str(ROOT), "/tmp"])
def test_no_absolute_path_is_in_a_name_that_is_hashed(deployed: Project, absolute: str) -> None:
    """A workstation and a CI runner agree."""
    names = [name for record in deployed.state()["steps"].values() for name in record["dependencies"]]

    assert not [name for name in names if absolute in name]


# ------------------------------------------------------------------------------------- the same inputs, the same hash

# Run where everything that must not matter is another: prints the hash of each step, and of each of its lines.
PROBE = """
import encodings.utf_8_sig, json, os, sys  # all that is imported later: another user may not read this Python
sys.path.insert(0, sys.argv[1])
from draftgenie_azure.steps import STEPS
from draftgenie_azure.build_context import context
from draftgenie_azure.config import raw as config, yaml_reader
from draftgenie_azure.changes.dependencies import Hasher
if len(sys.argv) > 3:
    os.setuid(int(sys.argv[3]))
raw = config.read([os.path.join(sys.argv[2], "config.yaml")], {})
hasher = Hasher(raw, "5a" * 16, exclude=tuple(raw.paths))
print(json.dumps({step.name: hasher.dependencies(step, {}) for step in STEPS}, sort_keys=True))
"""


def probe(directory: Path, *user: str, umask: int = -1, **environment: str) -> str:
    """The dependencies of all steps, from a separate process."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(ROOT), str(directory), *user],
        env={**os.environ, **environment},
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
        umask=umask,
    )
    return done.stdout


def is_open(path: Path) -> bool:
    """Return whether every user may enter a directory."""
    return all(above.stat().st_mode & 0o001 for above in (path, *path.parents))


def test_directory_locale_umask_user_hash_seed_and_time_zone_do_not_matter(tmp_path: Path) -> None:
    """One project, seen from several places; including file names that are neither ASCII nor UTF-8."""
    here = tmp_path / "here"
    here.mkdir()
    project = new_project(here)
    app = here / "examples/draftgenie/services/draft-service/app"
    (app / "grüße.txt").write_text("ä", encoding="utf-8")
    with open(os.fsencode(app) + b"/\xff\xfe", "wb"):
        pass
    project.change("tags.Owner", "Zoë")
    there = tmp_path / "elsewhere" / "x y"
    there.mkdir(parents=True)
    shutil.copytree(here, there, dirs_exist_ok=True)
    for path in there.rglob("*"):
        path.chmod(path.stat().st_mode | (0o070 if path.is_dir() else 0o060))
        os.utime(path, (1, 1))
    expected = probe(here)

    assert probe(there) == expected
    assert probe(here, LC_ALL="C", LANG="C", PYTHONUTF8="0") == expected
    assert probe(here, LC_ALL="tr_TR.UTF-8", PYTHONHASHSEED="1", TZ="Asia/Kathmandu") == expected
    assert probe(here, PYTHONHASHSEED="4294967295", umask=0o777) == expected
    if as_root and is_open(ROOT):
        open_to_all = Path(tempfile.mkdtemp(prefix="draftgenie-test-"))
        try:
            open_to_all.chmod(0o755)
            shutil.copytree(here, open_to_all / "copy")
            assert probe(open_to_all / "copy", "65534") == expected
        finally:
            shutil.rmtree(open_to_all)


# ------------------------------------------------------------------------------------ any difference, another hash

WORDS = st.sampled_from(["a", "b", "ab", "1", "true", "null", "", " ", "=", "\n", "a\nb", "\\", "\\x0a", "ä", "1.0"])
LEAVES = st.one_of(WORDS, st.integers(-2, 2), st.booleans(), st.none(), st.sampled_from([0.5, 1.0, 1.5]))
KEYS = st.sampled_from(["A", "B", "A=B", "A\nB", "A\\B", "ÄÖ", "a", "x.y"])
VARIABLES = st.dictionaries(KEYS, LEAVES, max_size=4)
LISTS = st.lists(st.one_of(LEAVES, st.lists(WORDS, max_size=2)), max_size=3)
SERVICES = st.dictionaries(
    st.sampled_from(["one", "two", "three"]),
    st.fixed_dictionaries(
        {"image": st.sampled_from(["i", "j"])},
        optional={"environment": VARIABLES, "secrets": VARIABLES, "args": LISTS, "cpu": LEAVES, "database": WORDS},
    ),
    max_size=3,
)
CONFIGS = st.fixed_dictionaries(
    {"services": SERVICES},
    optional={"tags": VARIABLES, "secrets": VARIABLES, "networking": st.dictionaries(KEYS, LEAVES, max_size=2)},
)


def raw_config(values: dict[str, Any]) -> RawConfig:
    """A configuration as if it had been read."""
    raw = RawConfig(["config.yaml"])
    raw.values = values
    return raw


def hashes(values: dict[str, Any]) -> dict[str, str]:
    """The hash of each step but the one that reads files."""
    hasher = Hasher(raw_config(values), SALT)
    hasher.scrypt = lambda data: hashlib.sha256(b"salt" + data).hexdigest()  # type: ignore[method-assign]  # 10 ms each
    return {step.name: step_hash(hasher.dependencies(step, {})) for step in STEPS if not step.images}


def shuffled(value: Any) -> Any:
    """The same with the keys of each mapping in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(list(value))}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@given(CONFIGS)
@settings(max_examples=150, deadline=None)
def test_the_same_values_have_the_same_hash_in_whatever_order(values: dict[str, Any]) -> None:
    """YAML's order of keys is irrelevant."""
    assert hashes(values) == hashes(shuffled(values))


@given(CONFIGS)
@settings(max_examples=100, deadline=None)
def test_null_has_the_hash_of_an_absent_value(values: dict[str, Any]) -> None:
    """Except for secrets, where it is a secret without a value."""
    kept = {key: values.get(key, {}) for key in READ}

    assert hashes(values) == hashes({**values, **dropped(kept)})


READ = ("tags", "services")


@pytest.mark.slow
@given(CONFIGS, CONFIGS)
@settings(max_examples=300, deadline=None)
def test_other_values_have_another_hash_in_some_step(one: dict[str, Any], other: dict[str, Any]) -> None:
    """For any input: no two configurations share all hashes, unless they are equivalent."""
    same = hashes(one) == hashes(other)
    if same:
        left, right = ({key: values.get(key) or {} for key in READ} for values in (one, other))
        for services in (left["services"], right["services"]):
            for service in services.values():
                service.pop("database", None)  # read only with a section postgresql
        # As JSON, since there 1, 1.0 and true are three values.
        assert json.dumps(dropped(left), sort_keys=True) == json.dumps(dropped(right), sort_keys=True)


def dropped(values: dict[str, Any]) -> dict[str, Any]:
    """Without empty or null sections and variables, which count as absent."""

    def filled(value: Any) -> Any:
        return {name: leaf for name, leaf in value.items() if leaf is not None} if isinstance(value, dict) else value

    services = {
        key: {name: filled(value) for name, value in service.items() if value is not None and filled(value) != {}}
        for key, service in values["services"].items()
    }
    return {"tags": filled(values["tags"]), "services": services}


@given(st.dictionaries(st.text(max_size=6), st.sampled_from(["1" * 64, "2" * 64]), max_size=4), st.data())
@settings(max_examples=200, deadline=None)
def test_any_difference_of_one_line_is_another_step_hash(lines: dict[str, str], data: st.DataObject) -> None:
    """A changed value or name, an additional or missing line, two swapped values."""
    lines = {name_of(key): digest for key, digest in lines.items()}
    other = dict(lines)
    kind = data.draw(st.sampled_from(["value", "more", "less", "rename", "swap"]))
    names = sorted(lines)
    if kind == "more":
        other[name_of(data.draw(st.text(max_size=6)))] = "3" * 64
    elif names:
        name = data.draw(st.sampled_from(names))
        if kind == "value":
            other[name] = "3" * 64
        elif kind == "less":
            del other[name]
        elif kind == "rename":
            other[name + "x"] = other.pop(name)
        else:
            second = data.draw(st.sampled_from(names))
            other[name], other[second] = other[second], other[name]

    assert (step_hash(lines) == step_hash(other)) is (lines == other)


NAMES = st.one_of(st.text(max_size=8), st.text("a\\x0n\n\r\x00=.", max_size=5))


@given(NAMES, NAMES)
@settings(max_examples=300, deadline=None)
def test_names_are_one_line_each_and_no_two_keys_share_one(one: str, other: str) -> None:
    """So that no content of a key can look like two lines."""
    assert "\n" not in name_of(one)
    assert (name_of(one) == name_of(other)) is (one == other)


@pytest.mark.parametrize("key", ["services.a.environment.B", "azure.location", "tags.x"])
def test_only_keys_of_secrets_are_hashed_slowly(key: str) -> None:
    """The rest costs nothing."""
    assert not is_secret_key(key)
    assert Hasher(raw_config({}), SALT).hash(key, "x") == hashlib.sha256(b'"x"').hexdigest()


def test_yaml_in_another_spelling_has_the_same_hash(tmp_path: Path) -> None:
    """Anchors, aliases, merge keys, quotes, flow style, comments, CRLF and a byte order mark resolve to the same."""
    texts = [
        "services:\n  one:\n    image: i\n    environment:\n      A: x\n      B: 'y'\n",
        'services: {one: {environment: {"B": y, "A": "x"}, image: i}}\n',
        "x-base: &base {A: x}\nservices:\n  one:\n    environment:\n      <<: *base\n      B: y\n    image: i # no\n",
        "services:\r\n  one:\r\n    image: i\r\n    environment:\r\n      A: x\r\n      B: y\r\n",
        "\ufeffservices:\n  one:\n    image: ${IMAGE}\n    environment: {A: \"${A}\", B: y}\n",
    ]
    found = set()
    for text in texts:
        (tmp_path / "config.yaml").write_text(text, encoding="utf-8", newline="")
        raw = configuration.read([str(tmp_path / "config.yaml")], {"IMAGE": "i", "A": "x"})
        hasher = Hasher(raw, SALT)
        found.add(json.dumps([hasher.dependencies(step, {}) for step in STEPS if not step.images], sort_keys=True))

    assert len(found) == 1
