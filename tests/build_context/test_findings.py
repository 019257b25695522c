"""Faults of a build context before anything is built, and files rarely meant to be shipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from draftgenie_azure.build_context.context import Context
from draftgenie_azure.build_context.findings import faults, unwanted
from draftgenie_azure.errors import BuildError

KEY = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n"


def context(root: Path, dockerfile: str, ignore: str = "", *, every_stage: bool = True, **files: str) -> Context:
    """A context with these files; `__` in a name represents a slash."""
    for name, text in files.items():
        put(root, name.replace("__", "/"), text)
    (root / "Dockerfile").write_text(dockerfile)
    if ignore:
        (root / ".dockerignore").write_text(ignore)
    return Context(str(root), "Dockerfile", every_stage=every_stage, exclude=(str(root / "config.yaml"),))


def put(root: Path, name: str, text: str = "x") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def found(context: Context) -> list[tuple[int | None, str]]:
    return [(fault.line, fault.message) for fault in faults(context)]


def paths(context: Context) -> list[str]:
    return [entry.path for entry in context.files()]


# ------------------------------------------------------------------------------------------------------------ stages


@pytest.mark.parametrize("dockerfile", ["", "\n", "# FROM x\n", "RUN true\n", "ARG A\nCOPY gone /\n"])
def test_a_dockerfile_without_a_stage_is_found(tmp_path: Path, dockerfile: str) -> None:
    """Once, regardless of other names; Azure would report it only after creating the databases."""
    ((line, words),) = found(context(tmp_path, dockerfile))

    assert line == 1
    assert "no FROM" in words


def test_a_target_that_is_no_stage_is_found_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x AS base\nFROM base AS Final\nCOPY gone /\n")

    def of(target: str) -> list[tuple[int | None, str]]:
        return found(Context(str(tmp_path), "Dockerfile", target=target))

    ((line, words),) = of("fnal")
    assert (line, words) == (1, "there is no stage `fnal` in it, which `target` names; there is `base`, `final`")
    assert of("base") == of("BASE") == of("0") == []


def test_a_dockerfile_of_another_syntax_is_left_to_its_builder(tmp_path: Path) -> None:
    assert found(context(tmp_path, "# syntax=example.org/earthly\nVERSION 0.8\n")) == []


# ----------------------------------------------------------------------------------------------------------- sources


@pytest.mark.parametrize(
    ("dockerfile", "line", "name"),
    [
        ("FROM x\nCOPY a gone /\n", 2, "gone"),
        ("FROM x\n\n# note\nCOPY \\\n  a \\\n  gone/ /\n", 4, "gone"),
        ("FROM x\nADD gone.tar /\n", 2, "gone.tar"),
        ('FROM x\nCOPY ["a", "gone file", "/"]\n', 2, "gone file"),
        ("FROM x\nCOPY --chown=1:1 ./gone /\n", 2, "gone"),
        ("FROM x\nRUN --mount=type=bind,source=gone,target=/g true\n", 2, "gone"),
        ("FROM x AS one\nCOPY gone /\nFROM x\nCOPY a /\n", 2, "gone"),
        ("FROM x\nCOPY . /\nCOPY gone /\n", 3, "gone"),
        ("FROM x\nARG A\nCOPY $A /\nCOPY gone /\n", 4, "gone"),
    ],
)
def test_a_source_that_is_missing_is_found_with_its_line(tmp_path: Path, dockerfile: str, line: int, name: str) -> None:
    ((where, words),) = found(context(tmp_path, dockerfile, a="1"))

    assert where == line
    assert words.startswith(f"`{name}` does not exist below docker.build_context")


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM x\nCOPY a d ./d/ /\n", "FROM x\nCOPY . /\n", "FROM x\nCOPY gone* /\n", "FROM x\nCOPY --from=y gone /\n",
        "FROM x\nADD https://h/gone /\n", "FROM x\nCOPY <<gone /f\ntext\ngone\n", "FROM x\nCOPY $GONE /\n",
        "FROM x\nONBUILD COPY gone /\n", "FROM x\nRUN --mount=type=cache,target=/gone true\n", "FROM x\nCOPY empty /\n",
        "FROM x\nCOPY /a ../a /\n", "FROM x\nCOPY link/b /\n", "FROM x\nCOPY link /\n",
        "# syntax=other/thing\nCOPY gone /\n",
        "FROM x\nCOPY Dockerfile /\n",
    ],
)  # fmt: skip
def test_what_is_there_or_cannot_be_determined_is_not_a_fault(tmp_path: Path, dockerfile: str) -> None:
    (tmp_path / "empty").mkdir()
    os.symlink("d", tmp_path / "link")

    assert found(context(tmp_path, dockerfile, a="1", d__b="2")) == []


def test_a_stage_that_no_one_needs_counts_only_where_it_is_built(tmp_path: Path) -> None:
    text = "FROM x AS one\nCOPY gone /\nFROM x\nCOPY a /\n"

    assert found(context(tmp_path, text, a="1", every_stage=False)) == []


def test_fault_explains_why_a_source_is_not_shipped(tmp_path: Path) -> None:
    text = "FROM x\nCOPY left.txt /\nCOPY .git /g\nCOPY config.yaml /\nCOPY .azure-emulator /\nCOPY all /\n"
    files = {"left.txt": "", "config.yaml": "", ".git__HEAD": "", "all__a": ""}
    made = context(tmp_path, text, "left.txt\nall", **files)
    put(tmp_path, ".azure-emulator/a")

    assert [words for _, words in found(made)] == [
        "`left.txt` is left out by .dockerignore",
        "`.git` is not shipped; if the image needs it, add `!.git/**` to .dockerignore",
        "`config.yaml` belongs to the deployment itself and is never shipped",
        "`.azure-emulator` belongs to the deployment itself and is never shipped",
        "nothing of `all` is shipped; check .dockerignore",
    ]


# -------------------------------------------------------------------------------------------------------- exceptions


@pytest.mark.parametrize(
    ("ignore", "shipped"),
    [
        ("", []),
        ("!.git/**\n", [".git/HEAD", ".git/refs/a"]),
        ("!.git\n", [".git/HEAD", ".git/refs/a"]),
        ("!.git/HEAD\n", [".git/HEAD"]),
        ("!**/.git\n", [".git/HEAD", ".git/refs/a", "sub/.git/x"]),
        ("!.git/**\n.git/refs\n", [".git/HEAD"]),
        ("*\n!a\n", []),
        ("*\n!**\n", []),
    ],
)
def test_an_explicit_exception_ships_what_is_else_left_out(tmp_path: Path, ignore: str, shipped: list[str]) -> None:
    files = {".git__HEAD": "", ".git__refs__a": "", "sub__.git__x": ""}
    made = context(tmp_path, "FROM x\nCOPY . /\n", ignore, a="", **files)

    assert [path for path in paths(made) if ".git" in path] == shipped
    assert unwanted(made) == {}


def test_a_copy_of_what_an_exception_ships_is_not_a_fault(tmp_path: Path) -> None:
    made = context(tmp_path, "FROM x\nCOPY .git/HEAD /\n", "!.git/**\n", **{".git__HEAD": ""})

    assert found(made) == []
    assert paths(made) == [".git/HEAD"]


# ------------------------------------------------------------------------------------------------------------- links


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"])
def test_a_link_that_leads_out_of_the_tree_is_refused(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.write_text("FROM x\nCOPY a /\n")
    root = tmp_path / "root"
    root.mkdir()
    made = context(root, "FROM x\nCOPY a /\n", a="1")
    (root / name).unlink(missing_ok=True)
    os.symlink("../outside", root / name)

    with pytest.raises(BuildError, match="symbolic link that leads out of"):
        made.dependencies()


def test_a_link_within_the_tree_is_followed(tmp_path: Path) -> None:
    made = context(tmp_path, "FROM x\nCOPY a /\n", a="1")
    (tmp_path / "Dockerfile").rename(tmp_path / "real")
    os.symlink("real", tmp_path / "Dockerfile")

    assert made.dependencies()


# ------------------------------------------------------------------------------------------------------------ things


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        (".env", "", ".env"), ("s/.env.production", "", "s/.env.production"), ("prod.env", "", "prod.env"),
        ("id_rsa", "", "id_rsa"), ("s/.ssh/known", "", "**/.ssh"), ("server.key", "", "server.key"),
        ("server.pem", KEY, "server.pem"), ("server.pem", "x", "server.pem"), ("a.p12", "", "a.p12"),
        (".netrc", "", ".netrc"), (".git-credentials", "", ".git-credentials"),
        ("credentials.json", "", "credentials.json"),
        ("my-app-1234.json", '{"type": "service_account"}', "my-app-1234.json"),
        ("service-account.json", "", "service-account.json"), (".aws/credentials", "", "**/.aws"),
        (".npmrc", "//registry/:_authToken=npm_abc", ".npmrc"), (".pypirc", "[pypi]\npassword = x", ".pypirc"),
        ("pip.conf", "index-url = https://u:p@h/", "pip.conf"), ("terraform.tfstate", "", "terraform.tfstate"),
        ("prod.tfvars", "", "prod.tfvars"), ("secrets.yaml", "", "secrets.yaml"),
        ("s/node_modules/x/index.js", "", "**/node_modules"), ("s/__pycache__/a.pyc", "", "**/__pycache__"),
        ("a.pyc", "", "**/*.pyc"), ("s/venv/lib/x.py", "", "**/venv"), ("s/mine/pyvenv.cfg", "", "s/mine"),
        (".docker/config.json", '{"auths": {"h": {}}}', ".docker/config.json"),
    ],
)  # fmt: skip
def test_likely_secrets_and_generated_files_are_reported(
    tmp_path: Path, name: str, text: str, line: str
) -> None:
    made = context(tmp_path, "FROM x\nCOPY . /\n", a="1")
    put(tmp_path, name, text)

    ((named, (_, count, first)),) = unwanted(made).items()

    assert (named, count, first) == (line, 1, name)
    (tmp_path / ".dockerignore").write_text(line + "\n")
    assert unwanted(made.unread()) == {}, "the line does what it says"
    (tmp_path / ".dockerignore").write_text(f"!{line}\n")
    assert unwanted(made.unread()) == {}, "the exception says that it is meant"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".env.example", ""), ("s/.env.sample", ""), ("ca.pem", "-----BEGIN CERTIFICATE-----\n"),
        (".npmrc", "fund=false"),
        ("pip.conf", "timeout = 60"), ("package.json", '{"name": "x"}'), ("env.py", ""), ("environment.ts", ""),
        ("keys.py", ""), ("config.json", "{}"), ("secrets.py", ""), ("credentials.py", ""), ("id_rsa.pub", ""),
    ],
)  # fmt: skip
def test_similar_but_harmless_names_are_not_reported(tmp_path: Path, name: str, text: str) -> None:
    made = context(tmp_path, "FROM x\nCOPY . /\n", a="1")
    put(tmp_path, name, text)

    assert unwanted(made) == {}


def test_files_that_are_not_shipped_are_not_reported(tmp_path: Path) -> None:
    made = context(tmp_path, "FROM x\nCOPY a /\n", a="1", **{".env": "", "node_modules__x": ""})

    assert unwanted(made) == {}
