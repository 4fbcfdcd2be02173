"""A fleet: many images of one base, each with one file of its own, declared by data. Only plans are made: what a build farm keeps of each."""
from harness import bazel, copy_of_checkout, row, scratch
from measure import allocated

COUNT = 100
PLACE = "tests/bench/fleet"
BUILD = '''
load("//ic-os:defs.bzl", "icos_build")
load("//ic-os:os.bzl", "os_with")
load("//ic-os/guestos:defs.bzl", "GUESTOS")

icos_build(
    env = "dev",
    os = os_with(
        GUESTOS,
        components = GUESTOS.components | {{"//{package}:node.conf": "/opt/node/node.conf"}},
    ),
    tags = ["manual"],
)
'''


def declare(top, number):
    """Another image in the checkout at `top`; the label of its disk's plan."""
    package = f"{PLACE}/v{number:03}"
    folder = top / package
    folder.mkdir(parents=True)
    (folder / "BUILD.bazel").write_text('"""An image of the fleet."""\n' + BUILD.format(package=package))
    # Of the same length in all: what differs is a name, as of a region or a customer.
    (folder / "node.conf").write_text(f"node = {number:03}\n")
    return f"//{package}:disk_plan"


def own(folder, other, count=4):
    """What of an image's outputs is not the same in the other image, the heaviest first, in words."""
    # Links lead to tools, which all images share.
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and ".runfiles" not in str(path)]
    differ = [path for path in files if not same(path, other / path.relative_to(folder))]
    largest = sorted(differ, key=lambda path: (-path.stat().st_size, path.name))[:count]
    return ", ".join(f"{path.name} {path.stat().st_size / 1e6:.2f}" for path in largest)


def same(path, other):
    return other.is_file() and path.read_bytes() == other.read_bytes()


def fleet(_runs):
    """Plans of many images that differ in one file each, when two of them are there."""
    with copy_of_checkout() as top, scratch("disk") as folder:
        plans = [declare(top, number) for number in range(COUNT + 2)]
        # Tools, base image and the first image come from the usual cache; what comes then goes to another one.
        bazel("build", "--remote_download_outputs=all", plans[0], cwd=top)
        flags = ["--remote_download_outputs=all", f"--disk_cache={folder}/cache"]
        # What a second image has in common with the others is there before they are counted.
        bazel("build", *flags, plans[1], cwd=top)
        before = measured(folder / "cache")
        seconds = bazel("build", *flags, *plans[2:], cwd=top)
        actions, size = (now - then for now, then in zip(measured(folder / "cache"), before))
        outputs = (top / "bazel-bin").resolve() / PLACE
        parts = own(outputs / f"v{COUNT + 1:03}", outputs / "v000")
        row(f"{COUNT} images of one base, a file each: plans", None, seconds, "<= 40")
        row("the same: new in Bazel's cache, each", None, size / COUNT / 1e6, "<= 0.6", f"of which: {parts}", unit="MB")
        row("the same: actions, each", None, actions / COUNT, "", unit="number")


def measured(cache):
    """Actions that a cache of Bazel knows, and what it takes on disk."""
    known = cache / "ac"
    return sum(path.is_file() for path in known.rglob("*")) if known.exists() else 0, allocated([cache])
