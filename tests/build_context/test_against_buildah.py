"""The archive against an independent builder: an image of the archive equals an image of the whole folder."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from buildah import Buildah

from draftgenie_azure.build_context.context import Context
from draftgenie_azure.build_context.packing import pack

pytestmark = [pytest.mark.slow, pytest.mark.program("buildah")]

TREE = {
    "a.txt": "a", "b.md": "b", "app/main.py": "m", "app/test/t.py": "t", "app/.env": "s", "app/deep/er/x.js": "x",
    "lib/one.js": "1", "lib/two.ts": "2", "node_modules/m/i.js": "i", "my file.txt": "f", "docs/README.md": "r",
    "docs/a.md": "d", "!odd": "o", "x[1].txt": "y", "package.json": "{}", "package-lock.json": "{}",
}  # fmt: skip


def contexts() -> dict[str, tuple[str, str]]:
    """Name -> Dockerfile without its FROM, and ignore file."""
    copies = {
        "all": "COPY . /",
        "one file": "COPY a.txt /",
        "renamed": "COPY a.txt /b.txt",
        "a folder": "COPY app /app",
        "content of a folder": "COPY app/ /srv/",
        "star": "COPY a*.txt /t/",  # buildah 1.28 does not find a file with brackets that a pattern matched
        "question mark": "COPY ?.md /t/",
        "set": "COPY [ab].* /t/",
        "star in the middle": "COPY app/*/t.py /t/",
        "star of folders": "COPY l* /t/",
        "several": "COPY a.txt b.md lib /t/",
        "json": 'COPY ["my file.txt", "/t/"]',
        "add": "ADD app /app",
        "dots": "COPY ./app/../lib /t",
        "outside": "COPY ../a.txt /t",
        "slash": "COPY /docs/README.md /t",
        "package files": "COPY package*.json ./",
        "chown": "COPY --chown=1:2 app /app",
        "two lines": "COPY a.txt \\\n  b.md \\\n  /t/\nCOPY docs /d",
    }
    ignores = {
        "nothing": "",
        "node_modules": "node_modules\n**/.env\n",
        "only some": "*\n!app\n!package*.json\n!a.txt\n!b.md\n!lib\n!docs\n!my file.txt\n",
        "markdown": "**/*.md\n!docs/README.md\n!b.md\n",
        "parts of app": "app/*\n!app/main.py\n!app/test\n",
        "comments": "# nothing\n\n  app/deep  \n/lib/two.ts\n",
    }
    return {
        f"{copy}, {ignore}": (copies[copy], ignores[ignore])
        for number, copy in enumerate(copies)
        for ignore in (list(ignores)[number % 6], list(ignores)[(number + 2) % 6], "nothing")
    }


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Buildah:
    return Buildah(tmp_path_factory.mktemp("storage"))


def layers(image: Path) -> list[str]:
    """The digests of an exported image's layers before compression."""
    manifest = json.loads((image / "manifest.json").read_text(encoding="utf-8"))
    config = json.loads((image / manifest["config"]["digest"].partition(":")[2]).read_text(encoding="utf-8"))
    found: list[str] = config["rootfs"]["diff_ids"]
    return found


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("copies", "ignored"), contexts().values(), ids=contexts())
def test_image_of_the_pack_is_the_image_of_the_folder(
    tmp_path: Path, buildah: Buildah, copies: str, ignored: str
) -> None:
    whole, packed = tmp_path / "whole", tmp_path / "packed"
    write(whole, {**TREE, "Dockerfile": f"FROM scratch\n{copies}\n", ".dockerignore": ignored})
    pack(Context(str(whole), "Dockerfile"), tmp_path / "context.tar.gz")
    packed.mkdir()
    subprocess.run(["tar", "xzf", str(tmp_path / "context.tar.gz"), "-C", str(packed)], check=True)

    is_built = buildah.built(whole, "Dockerfile", tmp_path / "one")

    assert buildah.built(packed, "Dockerfile", tmp_path / "two") == is_built
    assert is_built or ignored, "with nothing left out every one of them can be built"
    if is_built:
        assert layers(tmp_path / "two") == layers(tmp_path / "one")
    shutil.rmtree(packed)
