"""Whole builds by Bazel, beside mkosi with the same packages and the same changed file of 20 MB."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

from harness import CONTAINER, HERE, TOP, bazel, cache, copy_of_checkout, info, inside, row, say, scratch
from measure import allocated

BLOB = HERE / "inject.bin"
DISK = "//tests/bench:disk"
READY = ["//tests/bench:disk_plan", "//tests/bench:root_hash"]
SIZE = 20_000_000
_mkosi = {}


def change_blob():
    BLOB.write_bytes(os.urandom(SIZE))


def packages():
    """What both sides install."""
    lists = [TOP / "ic-os/common" / name for name in ("packages.base", "packages.node", "packages.dev")]
    lists += [TOP / "ic-os/guestos/context" / name for name in ("packages.common", "packages.dev")]
    return sorted({word for f in lists for line in f.read_text().splitlines() for word in line.split("#")[0].split() if not word.startswith("path-")})


def mkosi(kind, runs):
    """The peer's figures: "best" is tuned and on a tmpfs, "stock" is as a newcomer sets it up, on disk. Once per run of this program."""
    if kind not in _mkosi:
        if os.getuid() != 0 or not shutil.which("mmdebstrap"):
            say("mkosi needs root and mmdebstrap: its columns stay empty")
            return None
        say(f"mkosi {kind}: full and incremental builds (some minutes)")
        flags = ["--tmpfs", "--verity"] if kind == "best" else ["--stock"]
        done = subprocess.run([HERE / "mkosi-peer.sh", *flags, "--runs", str(runs), "--packages", " ".join(packages())],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"bench: mkosi-peer.sh failed:\n{done.stderr[-3000:]}")
        _mkosi[kind] = json.loads(done.stdout)
    return _mkosi[kind]


def incremental(kind, runs):
    figures = mkosi(kind, runs)
    return figures and figures["times"]["inject"]["median"]


def median_of(runs, targets, startup, flags=()):
    """Median seconds of building `targets` after the 20 MB file changed."""
    times = []
    for number in range(runs + 1):
        change_blob()
        seconds = bazel("build", *flags, *targets, startup=startup)
        # The first run warms the file caches.
        times += [seconds] if number else []
    return statistics.median(times)


def digest_share(startup):
    """Seconds that reading the whole disk for its digest takes, as Bazel does it."""
    image = pathlib.Path(info("bazel-bin", startup)) / "tests/bench/disk.img"
    start = time.monotonic()
    inside("sha256sum", image, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start, image.stat().st_size / 1e6


def noop(runs):
    bazel("build", DISK)
    row("no-op build", None, statistics.median(bazel("build", DISK) for _ in range(runs)), "<= 1.5")


def binary(runs):
    """One 20 MB file changed, in memory (as the peer at its best) and on disk (as stock)."""
    if not BLOB.exists():
        change_blob()
    for kind, place, want in (("best", "memory", "<= 0.5 x"), ("stock", "disk", "<= 0.1 x")):
        with scratch(place) as folder:
            startup = [f"--output_base={folder}/base"]
            # Tools come from the usual cache, all of them: what the measured builds add goes to another one, beside their outputs.
            bazel("build", "--remote_download_outputs=all", DISK, *READY, startup=startup)
            flags = ["--remote_download_outputs=all", f"--disk_cache={folder}/cache"]
            bazel("build", *flags, DISK, *READY, startup=startup)
            if place == "memory":
                before = allocated([folder / "cache"])
                change_blob()
                bazel("build", *flags, DISK, startup=startup)
                row("20 MB changed: new in Bazel's cache", None, (allocated([folder / "cache"]) - before) / 1e6,
                    f"<= {2 * SIZE / 1e6 + 10:.0f}", unit="MB")
                row("20 MB changed to disk plan and root hash", incremental(kind, runs), median_of(runs, READY, startup, flags),
                    "<= 0.25 x", "peer: mkosi, tuned, on a tmpfs")
            seconds = median_of(runs, [DISK], startup, flags)
            share, size = digest_share(startup)
            row(f"20 MB changed to disk.img, in {place}", incremental(kind, runs), seconds, want,
                f"peer: mkosi {kind}; {size:.0f} MB apparent, {share:.2f} s of it to digest them once")


def scratch_build(runs):
    """Packages fetched and tools built; base image, Dockerfile and images made anew in an empty output base."""
    times = []
    for _ in range(max(1, runs // 2)):
        with scratch("memory") as folder:
            startup = [f"--output_base={folder}/base"]
            again = "--modify_execution_info=^(MkBase|MkRootfs|InjectTree)$=+no-cache"
            # Loading rules and starting the server is not what is compared.
            bazel("build", "//rust/tools/...", "@debs//:guestos_dev", "@debs//:bootloader", startup=startup)
            times.append(bazel("build", again, DISK, startup=startup))
    peer = mkosi("best", runs)
    row("image from scratch, packages cached", peer and peer["times"]["full"]["median"], statistics.median(times), "<= 0.6 x",
        "peer: mkosi full, tuned, on a tmpfs")


def first_instruction(runs):
    """From a changed 20 MB file to QEMU's first instruction by `:run`: build, then start."""
    bazel("build", "//tests/bench:run")
    times = []
    for number in range(runs + 1):
        change_blob()
        start = time.monotonic()
        process = subprocess.Popen([CONTAINER, "bazel", "run", "//tests/bench:run", "--", "--ssh-port=0", "--no-reboot"], cwd=TOP,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            # The firmware's first byte on the serial line.
            process.stdout.read(1)
            times += [time.monotonic() - start] if number else []
            process.stdin.write(b"\x01x")
            process.stdin.flush()
            process.communicate(timeout=60)
        finally:
            # No machine stays behind, whatever ended this.
            process.terminate()
    row("20 MB changed to QEMU's first output by :run", None, statistics.median(times), "<= 2")


# The program that benchmarks change in a copy of the checkout.
PROGRAM = "rust/os/replica"


@contextlib.contextmanager
def program_to_change(top):
    """A function that changes the program: another constant in it, as a real change has. Whatever ends this, its source is as it was."""
    source = top / PROGRAM / "src/main.rs"
    text = source.read_text()
    if "fn main() " not in text:
        sys.exit(f"bench: {source}: no `fn main() ` to put a constant before")

    def change():
        number = time.monotonic_ns() % 10**16
        source.write_text(text.replace("fn main() ", f'#[used]\nstatic BENCH: [u8; 16] = *b"{number:016d}";\n\nfn main() ', 1))
    try:
        yield change
    finally:
        source.write_text(text)


def edit_loop(runs):
    """One GuestOS program changed: disk.img of GuestOS dev, of prod, whose boot loader and kernel image are signed, and of SetupOS dev, which carries
    GuestOS, in turn."""
    with copy_of_checkout() as top:
        edit_loop_in(top, runs)


def edit_loop_in(top, runs):
    disks = {env: f"//ic-os/guestos/envs/{env}:disk" for env in ("dev", "prod")}
    disks["setupos"] = "//ic-os/setupos/envs/dev:disk"
    bazel("build", *disks.values(), cwd=top)
    times = {disk: [] for disk in disks}
    compiling = []
    with program_to_change(top) as change:
        for number in range(runs + 1):
            # Each image has a change of its own: what the other one was made from, Bazel has already. Who comes first, changes, too.
            for disk in sorted(disks, reverse=number % 2 == 1):
                change()
                compiled = bazel("build", f"//{PROGRAM}", cwd=top)
                seconds = bazel("build", disks[disk], cwd=top)
                if number:
                    # The first round warms the file caches.
                    compiling.append(compiled)
                    times[disk].append(seconds)
                    say(f"edit loop, round {number}: {disk} {seconds:.2f} s, after compiling for {compiled:.2f} s")
    row("edit loop: compiling the changed program", None, statistics.median(compiling), "")
    dev, prod, setupos = (statistics.median(times[disk]) for disk in ("dev", "prod", "setupos"))
    row("edit loop: the program compiled to disk.img of prod, signed", dev, prod, "", "peer: the same, dev")
    row("edit loop: the program compiled to disk.img of SetupOS dev", None, setupos, "<= 4")


# Whatever is made of packages and programs is made anew, also where a cache has it.
ANEW = "--modify_execution_info=^(Mk.*|Hash.*|CheckFit|FillTemplate|InjectTree|SignEfi|WriteImage)$=+no-cache"
# Small packages of no image, one for each round.
MORE_PACKAGES = ["mtr-tiny", "tree", "bc", "lsscsi", "ncal"]


def package_added(runs):
    """A line more in a package list: the lock brought up to it (`bazel run //ic-os:lock`), then GuestOS dev's disk."""
    with copy_of_checkout() as top:
        # What an earlier run made with the same package is no help.
        (top / ".bazelrc.user").write_text(f"build {ANEW}\n")
        bazel("build", "//ic-os:lock", "//ic-os/guestos/envs/dev:disk", cwd=top)
        locking, building = [], []
        for package in MORE_PACKAGES[:runs]:
            with (top / "ic-os/guestos/context/packages.dev").open("a") as wanted:
                wanted.write(package + "\n")
            locking.append(bazel("run", "//ic-os:lock", "--", "--os", "guestos", cwd=top))
            building.append(bazel("build", "//ic-os/guestos/envs/dev:disk", cwd=top))
            say(f"package {package}: lock {locking[-1]:.2f} s, image {building[-1]:.2f} s")
    row("a package added to a list: lock, pins and summary", None, statistics.median(locking), "")
    row("a package added to a list: GuestOS dev's disk.img, from the list", None, statistics.median(map(sum, zip(locking, building))), "<= 90")


def six(runs):
    """All six images: from packages, with nothing to do, and with one program of GuestOS changed."""
    with copy_of_checkout() as top:
        six_in(top, runs)


def six_in(top, runs):
    everything = "//ic-os/..."
    bazel("build", everything, cwd=top)
    row("six images, no-op", None, statistics.median(bazel("build", everything, cwd=top) for _ in range(runs)), "<= 2")
    changed = ["//ic-os/guestos/envs/dev:disk", "//ic-os/setupos/envs/dev:disk"]
    disk_cache = pathlib.Path(cache()) / "disk"
    compiling, images, grown = [], [], []
    with program_to_change(top) as change:
        for _ in range(runs):
            change()
            before = allocated([disk_cache])
            compiling.append(bazel("build", f"//{PROGRAM}", cwd=top))
            images.append(bazel("build", *changed, cwd=top))
            grown.append((allocated([disk_cache]) - before) / 1e6)
    row("GuestOS program changed: compiling it", None, statistics.median(compiling), "")
    row("GuestOS program changed: GuestOS and SetupOS disks", None, statistics.median(images), "<= 10")
    row("GuestOS program changed: new in Bazel's cache", None, statistics.median(grown), "", unit="MB")
    with scratch("disk") as folder:
        startup = [f"--output_base={folder}/base"]
        # Loading rules, starting the server, tools and packages are not what is measured.
        debs = [f"@debs//:{system}_{env}" for system in ("guestos", "hostos", "setupos") for env in ("dev", "prod")]
        bazel("build", "//rust/tools/...", "//rust/os/...", "@debs//:bootloader", *debs, startup=startup, cwd=top)
        row("six images from packages", None, bazel("build", ANEW, everything, startup=startup, cwd=top), "<= 75")
    bazel("build", everything, cwd=top)
    for system in ("guestos", "hostos", "setupos"):
        for env in ("dev", "prod"):
            disk = top / f"bazel-bin/ic-os/{system}/envs/{env}/disk.img"
            want = {"hostos": "<= 400", "setupos": "<= 900"}.get(system, "")
            row(f"{system} {env}: data on its disk", None, allocated([disk]) / 1e6, want, f"{disk.stat().st_size >> 20} MiB apparent", unit="MB")


def sizes(_runs):
    for env, want in (("dev", 450), ("prod", 350)):
        package = TOP / f"bazel-bin/ic-os/guestos/envs/{env}"
        bazel("build", f"//ic-os/guestos/envs/{env}:guestos", f"//ic-os/guestos/envs/{env}:root_tree")
        manifest = json.loads((package / "manifest.json").read_text())
        lines = (package / "root_tree.tree.jsonl").read_text().splitlines()[1:]
        content = sum(json.loads(line).get("source", [0, 0, 0])[2] for line in lines if not re.match(r'\{"path":"boot/', line))
        row(f"root content of GuestOS {env}", None, content / 1e6, f"<= {want}", f"{len(manifest['packages'])} packages", unit="MB")
        disk = package / "disk.img"
        row(f"disk.img of GuestOS {env}, apparent", None, disk.stat().st_size / (1 << 20), "<= 2048", unit="MiB")
