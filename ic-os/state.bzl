"""state_mounts: where the folders of a machine, which no slot owns, come from."""

load("@bazel_skylib//rules:write_file.bzl", "write_file")
load("//ic-os:partitions.bzl", "STEP")

visibility(["//ic-os/..."])

# Where the partition with them is mounted.
_DATA = "/data"

# One that can't be bound is an empty folder of the slot, which no service that needs it takes for its own: they require the mount.
_OPTIONS = [
    "bind",
    "nofail",
    "x-systemd.requires-mounts-for=" + _DATA,
    "x-systemd.before=local-fs.target",
]

def state_mounts(name, os):
    """The lines of /etc/fstab that bind the folders of `machine_state` to their places; templates know them as `{{STATE_MOUNTS}}`.

    Args:
      name: name of the target, a text file.
      os: the system (see operating_system).
    """
    write_file(
        name = name,
        out = name + ".fstab",
        content = ["{0}{1} {1} none {2} 0 0".format(_DATA, path, ",".join(_OPTIONS)) for path in os.machine_state] + [""],
        **STEP
    )
