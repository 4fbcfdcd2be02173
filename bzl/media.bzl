"""Media: write a disk image to a stick.

- `disk_flash`: `bazel run` target that writes a disk to a drive or a file.
"""

load("//bzl/private:disk_flash.bzl", _disk_flash = "disk_flash")

disk_flash = _disk_flash
