"""A disk onto a medium: `flash` beside `dd bs=4M` of the whole image, both of the same image in one run."""
import os
import pathlib
import shutil
import subprocess

from harness import build_tools, noise, row, say, scratch, side_by_side, tool
from measure import rounds
from streams import disk

# As a SetupOS of development: 2.5 GiB, of which 0.9 GiB is data.
SIZE_MIB, DATA = 2559, 900 << 20
WANT = "<= 0.333 x"
READ_BACK = "peer: dd bs=4M conv=fsync; flash reads back, dd does not"


def steps(image_list, image, target, sync):
    """dd, and flash with and without reading back. On a drive both wait for it; into a file neither does."""
    drive = ["--yes", "--allow-fixed"] if sync else ["--force"]
    fresh = [] if sync else [target]
    flash = tool("flash", target, "--image", image_list, *drive)
    dd = ["dd", f"if={image}", f"of={target}", "bs=4M", *(["conv=fsync"] if sync else [])]
    return [{"name": "dd", "commands": [dd], "fresh": fresh},
            {"name": "flash", "commands": [flash], "fresh": fresh},
            {"name": "written", "commands": [[*flash, "--no-verify"]], "fresh": fresh}]


def rows(where, got, want, note):
    row(f"2.5 GiB with 0.9 GiB of data, {where}, read back", got["dd"], got["flash"], want, note)
    row(f"2.5 GiB with 0.9 GiB of data, {where}", got["dd"], got["written"], want, note.split(";", maxsplit=1)[0])


def flash(runs):
    """Into a file in memory and on disk, and onto a loop device on disk where root may make one."""
    build_tools()
    for kind in ("memory", "disk"):
        with scratch(kind) as folder:
            data = folder / "data"
            noise(data, DATA)
            image_list, image = disk(folder, "disk", [SIZE_MIB], [data])
            got = side_by_side(steps(image_list, image, folder / "out.img", False), runs)
            want = WANT if kind == "disk" else ""
            rows(f"a file {'on' if kind == 'disk' else 'in'} {kind}", got, want, "peer: dd bs=4M; flash reads back, dd does not")
            if kind == "disk":
                on_loop(image_list, image, folder, runs)


def on_loop(image_list, image, folder, runs):
    """A stick of 4 GiB, full of something else."""
    if os.getuid() != 0 or not shutil.which("losetup"):
        say("loop devices need root and losetup: their rows stay away")
        return
    stick = pathlib.Path(folder) / "stick"
    with open(stick, "wb") as file:
        file.truncate(4 << 30)
    made = subprocess.run(["losetup", "--find", "--show", stick], stdout=subprocess.PIPE, text=True)
    if made.returncode:
        say("no loop device can be made here: their rows stay away")
        return
    device = made.stdout.strip()
    try:
        # On the machine itself: the container has no such devices.
        got = {figure["name"]: figure for figure in rounds(steps(image_list, image, device, True), runs)}
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
    rows("a loop device on disk", got, WANT, READ_BACK)
