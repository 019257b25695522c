"""Measures a run in which nothing changed, beside an empty Python program, git status, sha256sum and doit.

    pip install -r benchmarks/requirements.txt
    python benchmarks/noop.py [--rounds 15] [--sizes 3] [--secret] [--document]

Everything is measured in turn within one run, since machines are noisy: read the ratios, which are medians of pairs. On
a machine with other work, the ratio of the times of the processor says more than that of the wall clock.
Every byte of every file is read and hashed by this command and by sha256sum; git and doit trust modification times.
`--document` puts the table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

COMMAND = [sys.executable, str(ROOT / "deploy-azure_v1.py")]
CONTEXT = "examples/draftgenie"
DATA = f"{CONTEXT}/services/draft-service/app/data"
# How many files are put beside those of the application, and of how many bytes each.
SIZES = {"the shipped application": (0, 0), "700 files, 5.7 MB": (664, 8_500), "10,000 files, 196 MB": (9_964, 19_670)}
DODO = """
import json, os
DOIT_CONFIG = {"verbosity": 0, "dep_file": ".doit"}
FILES = [os.path.join(folder, name) for folder, _, names in os.walk("examples/draftgenie") for name in names]
STEPS = json.load(open("steps.json"))
def task_step():
    for name, needs in STEPS.items():
        files = ["config.yaml"] + (FILES if name == "build_and_push_images" else [])
        yield {"name": name, "file_dep": files, "task_dep": ["step:" + need for need in needs],
               "actions": [(lambda: None,)]}
"""


Run = tuple[float, float, float]


def run(command: list[str] | str, directory: Path, environment: dict[str, str] | None = None) -> Run:
    """Run a command; seconds by the wall clock and of the processors, and peak memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=directory, env=environment or ENVIRONMENT, shell=isinstance(command, str),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command} ended with {process.returncode}:\n{output.decode(errors='replace')[-2000:]}")
    processor = usage.ru_utime + usage.ru_stime
    return seconds, processor, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)


ENVIRONMENT = {
    key: value
    for key, value in os.environ.items()
    # With the last one set, every module of ours would be compiled at every run.
    if not key.startswith(("AZURE_", "ARM_")) and key != "PYTHONDONTWRITEBYTECODE"
}


def prepare(directory: Path, files: int, size: int) -> None:
    """A deployed project with so many files more, known to git and to doit as well."""
    from draftgenie_azure.steps import STEPS

    shutil.copy(ROOT / "config.yaml", directory)
    shutil.copytree(ROOT / "examples", directory / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    for number in range(files):
        folder = directory / DATA / f"{number // 100:03}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05}.bin").write_bytes(os.urandom(size))
    run([*COMMAND, "--parallelism", "4"], directory)
    (directory / "steps.json").write_text(json.dumps({step.name: step.needs for step in STEPS}), encoding="utf-8")
    (directory / "dodo.py").write_text(DODO, encoding="utf-8")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"]):
        run(["git", "-c", "gc.auto=0", "-c", "maintenance.auto=false", *words], directory / CONTEXT)


def first_request(directory: Path, rounds: int) -> float:
    """Median seconds from the start of a run in which something changed to its first request to Azure.

    The emulator is up already, as Azure is.
    """
    from azure_emulator.attach import attach

    held = attach(directory / ".azure-emulator")
    assert held is not None
    log = directory / ".azure-emulator/requests.jsonl"
    source = directory / CONTEXT / "docs/flow.md"
    config = directory / "config.yaml"
    text = config.read_text(encoding="utf-8")
    seconds = []
    assert source.exists()
    try:
        for number in range(rounds):
            config.write_text(text.replace("retention_days: 30", f"retention_days: {31 + number}"), encoding="utf-8")
            seen = log.read_bytes().count(b"\n")
            began = time.time()
            run(COMMAND, directory)
            line = log.read_bytes().splitlines()[seen]
            seconds.append(datetime.fromisoformat(json.loads(line)["time"].replace("Z", "+00:00")).timestamp() - began)
    finally:
        held.close()
    return statistics.median(seconds)


class Result:
    """Measurements of one kind of run.

    Attributes:
        seconds: median by the wall clock.
        ratio: of that to an empty program, the median of pairs.
        work: the same ratio of the times of the processors.
        peak: most memory, in MB.
    """

    def __init__(self, rows: list[Run], empty: list[Run]) -> None:
        self.seconds = statistics.median(seconds for seconds, _, _ in rows)
        pairs = list(zip(rows, empty, strict=True))
        self.ratio = statistics.median(one[0] / other[0] for one, other in pairs)
        self.work = statistics.median(one[1] / other[1] for one, other in pairs)
        self.peak = max(memory for _, _, memory in rows)


def measure(title: str, rounds: int) -> tuple[dict[str, Result], float]:
    """Name -> what was measured; and the seconds to the first request of a run with a change."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        prepare(directory, *SIZES[title])
        kinds: dict[str, Callable[[], Run]] = {
            "an empty Python program": lambda: run([sys.executable, "-c", "pass"], directory),
            "this command": lambda: run(COMMAND, directory),
            "`sha256sum`, all cores": lambda: run(
                f"find . -name .git -prune -o -type f -print0 | xargs -0 -n 500 -P {os.cpu_count()} sha256sum",
                directory / CONTEXT,
            ),
            "`git status`": lambda: run(["git", "status", "--porcelain"], directory / CONTEXT),
            "`doit`": lambda: run([sys.executable, "-m", "doit"], directory),
        }
        for kind in kinds.values():  # byte code is written, caches are warm, doit has its records
            kind()
        rows: dict[str, list[Run]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind, once in kinds.items():
                rows[kind].append(once())
        found = {kind: Result(results, rows["an empty Python program"]) for kind, results in rows.items()}
        return found, first_request(directory, max(3, rounds // 3))


def table(measured: dict[str, tuple[dict[str, Result], float]]) -> str:
    """The results as Markdown."""
    titles = list(measured)
    rows = [f"| | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for kind in measured[titles[0]][0]:
        cells = []
        for title in titles:
            result = measured[title][0][kind]
            cell = f"{result.seconds * 1000:.0f} ms"
            if kind in ("this command", "`doit`"):
                cell += f" ({result.ratio:.1f} × empty, processor {result.work:.1f} ×, {result.peak:.0f} MB)"
            cells.append(cell)
        rows.append(f"| {kind} | {' | '.join(cells)} |")
    first = " | ".join(f"{measured[title][1] * 1000:.0f} ms" for title in titles)
    return "\n".join([*rows, f"| first request of a run with a change | {first} |"])


def machine() -> str:
    """Return a description of the machine."""
    model = ""
    if sys.platform == "linux":
        model = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))[:1][0]
    return f"{os.cpu_count()} cores ({model}), {platform.system()}, {platform.python_implementation()} " + (
        platform.python_version()
    )


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="runs of each kind; the median is shown")
    parser.add_argument("--document", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="how many of the sizes, the smallest first")
    parser.add_argument("--secret", action="store_true", help="with a secret given in the environment")
    args = parser.parse_args()
    if args.secret:
        ENVIRONMENT["GEMINI_API_KEY"] = "a key that somebody gave"
    measured = {}
    for title in list(SIZES)[: args.sizes]:
        measured[title] = measure(title, args.rounds)
        print(table({title: measured[title]}), flush=True)
    text = f"{table(measured)}\n\nMeasured on {machine()}, by `benchmarks/noop.py`, medians of {args.rounds}."
    if len(measured) == len(SIZES):
        none, many = measured["the shipped application"][0], measured["10,000 files, 196 MB"][0]
        bound = 1.5 * many["`sha256sum`, all cores"].seconds + none["this command"].seconds
        text += (
            f" 10,000 files: {many['this command'].seconds * 1000:.0f} ms, against {bound * 1000:.0f} ms for 1.5 times "
            f"`sha256sum` plus the time for none."
        )
    print(f"\n{text}")
    if args.document:
        document = ROOT / "docs/performance.md"
        before, marker, after = document.read_text(encoding="utf-8").partition("<!-- output: benchmark -->\n")
        assert marker, "the document has no place for the table"
        *_, rest = after.split("\n\n", 2)  # behind the table and its paragraph
        document.write_text(f"{before}{marker}{text}\n\n{rest}", encoding="utf-8")


if __name__ == "__main__":
    main()
