"""First boots on an emulated processor: GuestOS beside an mkosi image with the same kernel, packages and dm-verity, in turn."""
import os
import shutil
import statistics
import subprocess
import sys
import time

from harness import CONTAINER, HERE, TOP, bazel, inside, row, say, scratch
from images import packages

OURS = "//ic-os/guestos/envs/dev:disk"
# What the console shows in each stage, at its end the last: systemd tells of itself when it starts, in the system and, if it is there, in the initrd.
STAGES = [
    ("firmware and boot loader", [b"Linux version"]),
    ("kernel", [b"Run /init as init process"]),
    ("initrd", [b"running in system mode"]),
    ("system", [b"login:"]),
]
# mkosi's initrd has a systemd of its own.
PEER_STAGES = [(what, texts * 2 if what == "initrd" else texts) for what, texts in STAGES]
# Where mkosi-peer.sh keeps its tools and packages, unless it is told another place.
WORK = "/tmp/mkosi-peer"
# Longer than any first boot takes, on a busy machine too.
MOST = 600
# mkosi's image asks at its first start for what ours is told by its configuration, and needs a console.
PEER_LINE = "console=ttyS0,115200 systemd.firstboot=off"


def qemu(image):
    """A machine that starts the image and keeps nothing."""
    return [
        "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-m", "2048", "-smp", "2", "-display", "none", "-monitor", "none",
        "-serial", "stdio", "-no-reboot", "-bios", "/usr/share/ovmf/OVMF.fd", "-drive", f"file={image},format=raw,if=virtio,snapshot=on",
        "-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0",
    ]


def stages(read, wanted, clock=time.monotonic):
    """Seconds of each stage, from now on, of a console whose next bytes `read` gives; an exception if it ends before the last one."""
    last = clock()
    seen, took = b"", []
    for what, texts in wanted:
        for text in texts:
            while text not in seen:
                more = read()
                if not more:
                    raise RuntimeError(f"{what}: no {text.decode()!r} on the console, which ends with:\n{seen[-2000:].decode(errors='replace')}")
                seen += more
            seen = seen.partition(text)[2]
        now = clock()
        took.append(now - last)
        last = now
    return took


def boot(image, wanted):
    process = subprocess.Popen([CONTAINER, "timeout", str(MOST), *qemu(image)], cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        return stages(lambda: os.read(process.stdout.fileno(), 65536), wanted)
    except RuntimeError as error:
        sys.exit(f"bench: {image}: {error}")
    finally:
        # No machine stays behind, whatever ended this.
        process.terminate()
        process.wait()


def peer_image(folder):
    """mkosi's image, if this machine can make one."""
    if os.getuid() != 0 or not shutil.which("mmdebstrap"):
        say("mkosi needs root and mmdebstrap: its column stays empty")
        return None
    say("an image by mkosi (some minutes)")
    done = subprocess.run([HERE / "mkosi-peer.sh", "--work", WORK, "--verity", "--image", "--packages", " ".join(packages()),
                           "--arg", f"--kernel-command-line={PEER_LINE}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"bench: mkosi-peer.sh failed:\n{done.stderr[-3000:]}")
    # The container sees this folder, and not /tmp.
    return shutil.move(f"{WORK}/image.raw", folder / "mkosi.raw")


def first_boot(runs):
    """From QEMU's start to the login prompt of an image that never ran."""
    bazel("build", OURS)
    made = inside("bazel", "info", "bazel-bin", check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip()
    with scratch("disk") as folder:
        peer = peer_image(folder)
        # A copy, for a build may replace it while this runs.
        ours = folder / "ours.raw"
        shutil.copy(f"{made}/ic-os/guestos/envs/dev/disk.img", ours)
        times = {"ours": [], "peer": []}
        for number in range(runs):
            turn = [("ours", ours, STAGES)] + ([("peer", peer, PEER_STAGES)] if peer else [])
            for name, image, wanted in turn if number % 2 else turn[::-1]:
                times[name].append(boot(image, wanted))
                say(f"{name}: " + ", ".join(f"{what} {seconds:.1f} s" for (what, _), seconds in zip(STAGES, times[name][-1])))
    report(times)


def report(times):
    """A row for the whole, and one for each stage."""
    def median(name, of):
        return statistics.median(of(run) for run in times[name]) if times[name] else None
    row("first boot to the login prompt, emulated", median("peer", sum), median("ours", sum), "<= 0.8 x", "peer: mkosi, dm-verity, one UKI")
    for number, (what, _) in enumerate(STAGES):
        row(f"- {what}", median("peer", lambda run: run[number]), median("ours", lambda run: run[number]), "")
