"""What every benchmark uses: Bazel and other programs in the container, scratch folders, rows of the table."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
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


def end_in_order():
    """Makes a signal that ends this program unwind it first, so that folders and servers of its own go with it."""
    def leave(number, _frame):
        sys.exit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def inside(*command, cwd=None, **kwargs):
    """Runs a command in the container."""
    return subprocess.run([CONTAINER, *command], cwd=cwd or TOP, stdin=subprocess.DEVNULL, text=True, **kwargs)


def bazel(command, *args, startup=(), cwd=None):
    """Runs Bazel in the container, returns its wall time in seconds. With an output base of its own it leaves the checkout's links alone."""
    start = time.monotonic()
    links = ["--experimental_convenience_symlinks=ignore"] if startup and command == "build" else []
    done = inside("bazel", *startup, command, *links, *args, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f"bench: bazel {command} {' '.join(args)} failed:\n{done.stdout[-3000:]}")
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
    folder = pathlib.Path(tempfile.mkdtemp(dir=parent, prefix="bench."))
    try:
        yield folder
    finally:
        if (folder / "base").exists():
            bazel("shutdown", startup=[f"--output_base={folder}/base"])
        subprocess.run(["chmod", "-R", "u+w", folder], check=False)
        shutil.rmtree(folder)


@contextlib.contextmanager
def copy_of_checkout():
    """A copy of the checkout, whose sources a benchmark may change: whatever ends it, the checkout is as it was."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=cache(), prefix="bench."))
    try:
        files = inside("git", "ls-files", "-z", check=True, stdout=subprocess.PIPE).stdout.split("\0")
        for name in filter(None, [*files, ".bazelrc.container"]):
            # A file deleted but not yet committed is none.
            if (TOP / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(TOP / name, folder / name)
        yield folder
    finally:
        inside("bazel", "clean", "--expunge", cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(folder)


def cache():
    return inside("printenv", "IMAGE_BUILD_CACHE", check=True, stdout=subprocess.PIPE).stdout.strip()


def tool(name, *args):
    return [TOOLS / name, *map(str, args)]


def listed(path, *lines):
    """Writes the list of an image or a tree: a path a line."""
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def noise(path, size):
    """`size` bytes that no compressor and no cache has seen."""
    with open(path, "wb") as file:
        for start in range(0, size, 1 << 24):
            file.write(os.urandom(min(1 << 24, size - start)))
