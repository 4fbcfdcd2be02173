"""Virtual machines: run a disk image, or test what it does.

- `qemu_run`: `bazel run` target that boots a disk with its console on the terminal.
"""

load("//bzl/private:qemu_run.bzl", _qemu_run = "qemu_run")

qemu_run = _qemu_run
