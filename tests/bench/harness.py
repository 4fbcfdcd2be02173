"""What every benchmark uses: Bazel and other programs in the container, scratch folders, rows of the table."""
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
CONTAINER = TOP / "ci/container/container-run.sh"
TOOLS = TOP / "bazel-bin/rust/tools"
PEERS = TOP / "bazel-bin/rust/bench/bench_peers"
UUID = "4ab1f4d4-6c0f-4c51-9a35-8f3f6b0f2a11"
SALT = "5a" * 32
ROWS = []


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def row(what, peer, ours, want, note="", unit="s"):
    """One line of the table. `peer` and `ours` are figures of measure.py, plain numbers or None."""
    def number(value):
        return value["seconds"] if isinstance(value, dict) else value

    def text(value, digits=2):
        return "" if value is None else f"{value:.{digits}f}"
    a, b = number(peer), number(ours)
    extra = ours if isinstance(ours, dict) else {}
    ROWS.append((f"{what}, {unit}", text(a), text(b), text(b / a, 3) if a else "", want,
                 text(extra.get("written_mb"), 0), text(extra.get("peak_mb"), 0), note))


def table():
    head = ("what", "peer", "ours", "ratio", "required", "written MB", "peak MB", "note")
    widths = [max(len(r[i]) for r in [head, *ROWS]) for i in range(len(head))]
    for line in [head, tuple("-" * w for w in widths), *ROWS]:
        print("| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths)) + " |")


def inside(*command, **kwargs):
    """Runs a command in the container."""
    return subprocess.run([CONTAINER, *command], cwd=TOP, stdin=subprocess.DEVNULL, text=True, **kwargs)


def bazel(*args, startup=()):
    """Runs Bazel in the container, returns its wall time in seconds."""
    start = time.monotonic()
    done = inside("bazel", *startup, *args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f"bench: bazel {' '.join(args)} failed:\n{done.stdout[-3000:]}")
    return time.monotonic() - start


def info(key, startup=()):
    return inside("bazel", *startup, "info", key, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip()


def build_tools():
    """The programs, optimised."""
    bazel("build", "//rust/tools:all", "//rust/bench:bench_peers")


def side_by_side(steps, runs):
    """Figures of each step by name, all run in turn inside the container."""
    done = subprocess.run([CONTAINER, "python3", HERE / "measure.py", str(runs)], cwd=TOP, text=True,
                          input=json.dumps(steps, default=str), stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(done.returncode)
    return {figure["name"]: figure for figure in json.loads(done.stdout)}


@contextlib.contextmanager
def scratch(kind="memory"):
    """A folder that is the same inside and outside the container: in memory, or on this machine's disk."""
    parent = "/dev/shm" if kind == "memory" else cache()
    with tempfile.TemporaryDirectory(dir=parent, prefix="bench.") as folder:
        yield pathlib.Path(folder)
        subprocess.run(["chmod", "-R", "u+w", folder], check=False)


def cache():
    return inside("--where", check=True, stdout=subprocess.PIPE).stdout.splitlines()[0]


def tool(name, *args):
    return [TOOLS / name, *map(str, args)]


def noise(path, size):
    """`size` bytes that no compressor and no cache has seen."""
    with open(path, "wb") as file:
        for start in range(0, size, 1 << 24):
            file.write(os.urandom(min(1 << 24, size - start)))
