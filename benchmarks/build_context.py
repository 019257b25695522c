"""Measure the time and memory of packing a build context, compared with `tar | gzip` of the same level.

    python benchmarks/build_context.py [--files N] [--megabytes N] [--rounds N]

The tree is made each time: a quarter of its bytes cannot be compressed, the rest is source text. Both read it from
the page cache and write nothing. What is compared is what it takes to have the archive; `hash` is what each run does
besides, to decide whether there is anything to build. Times are of the wall clock and, as other work on the machine
does not enter it, of all processors together.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = (
    "import os, resource, sys; sys.path.insert(0, sys.argv[1])\n"
    "from draftgenie_azure.build_context.context import Context\n"
    "from draftgenie_azure.build_context.packing import pack\n"
    "context = Context(sys.argv[2], 'Dockerfile')\n"
    "context.dependencies() if sys.argv[3] == 'hash' else pack(context, os.devnull)\n"
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
)
TAR = 'tar --create --sort=name --owner=0 --group=0 --mtime=@0 --directory "$0" . | gzip -6 > /dev/null'


def make(root: Path, files: int, megabytes: int) -> None:
    """A tree of that many files, a hundred in each directory."""
    text = b"".join(path.read_bytes() for path in sorted(Path(os.__file__).parent.glob("*.py")))
    chance = random.Random(1)
    size = megabytes * 1_000_000 // files
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . /\n", encoding="utf-8")
    for number in range(files):
        directory = root / f"package{number // 100:03}"
        directory.mkdir(exist_ok=True)
        start = chance.randrange(max(1, len(text) - size))
        data = chance.randbytes(size) if number % 4 == 0 else text[start : start + size]
        (directory / f"module{number % 100:02}.py").write_bytes(data)


def measure(command: list[str]) -> tuple[float, float, str]:
    """Wall time and processor time in seconds, and what it printed."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout.strip()


def main() -> None:
    """Measure in turn, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        make(Path(directory), wanted.files, wanted.megabytes)
        commands = {
            "tar | gzip -6": ["sh", "-c", TAR, directory],
            "pack": [sys.executable, "-c", OURS, str(ROOT), directory, "pack"],
            "hash": [sys.executable, "-c", OURS, str(ROOT), directory, "hash"],
        }
        rounds = [{name: measure(command) for name, command in commands.items()} for _ in range(wanted.rounds)]
    print(f"{wanted.files} files, {wanted.megabytes} MB, {wanted.rounds} rounds, load {os.getloadavg()[0]:.1f}")
    for name in commands:
        wall, processor = (statistics.median(one[name][index] for one in rounds) for index in (0, 1))
        memory = rounds[0][name][2]
        peak = f", peak {int(memory) / 1024:.0f} MB" if memory else ""
        print(f"  {name:14} {wall:6.1f} s, {processor:6.1f} s of processors{peak}")


if __name__ == "__main__":
    main()
