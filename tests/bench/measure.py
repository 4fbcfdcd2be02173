"""Runs commands and says what they took: wall time, peak memory, bytes on disk. Used on both sides of the container's wall.

As a program, inside the container: a JSON list of steps on stdin, a JSON list of figures on stdout. A step is
{"name": …, "commands": [[…], …], "outputs": [paths], "fresh": [paths removed before each run]}. Steps are run in turn, round by
round, so that what else the machine does falls on all of them alike.
"""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time


def remove(path):
    path = pathlib.Path(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def allocated(paths):
    """Bytes that files take on disk; holes take none."""
    total = 0
    for top in map(pathlib.Path, paths):
        files = top.rglob("*") if top.is_dir() else [top]
        total += sum(f.lstat().st_blocks * 512 for f in files if f.exists())
    return total


def once(step):
    """(seconds, peak KiB of any of the commands)."""
    for path in step.get("fresh", []) + step.get("outputs", []):
        remove(path)
    peak = 0
    start = time.monotonic()
    for command in step["commands"]:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{errors[-3000:]}")
        peak = max(peak, usage.ru_maxrss)
    return time.monotonic() - start, peak


def rounds(steps, runs):
    """Every step once to warm caches, then `runs` rounds; figures in the order of the steps."""
    times = {step["name"]: [] for step in steps}
    peaks = dict.fromkeys(times, 0)
    for number in range(runs + 1):
        for step in steps:
            seconds, peak = once(step)
            peaks[step["name"]] = max(peaks[step["name"]], peak)
            if number:
                times[step["name"]].append(seconds)
    return [{"name": step["name"], "seconds": statistics.median(times[step["name"]]), "peak_mb": peaks[step["name"]] / 1024,
             "written_mb": allocated(step.get("outputs", [])) / 1e6} for step in steps]


if __name__ == "__main__":
    print(json.dumps(rounds(json.load(sys.stdin), int(sys.argv[1]))))
