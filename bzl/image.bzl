"""From a Dockerfile to the files of a release. In the order of the pipeline:

- `dockerfile_rootfs`: a Dockerfile executed on a base image; a tar.
- `image_tree`: files laid late over it; a manifest.
- `filled_template`, `grubenv_file`: small files computed from the partition table and constants.
- `ext4_image`, `vfat_image`: file systems from trees.
- `gpt_disk`: file systems behind a GPT; a disk image.
- `update_bundle`, `sha256sums`, `image_manifest`: what goes beside it.
- `merge_destinations`: joins injection maps and refuses what is claimed twice.
"""

load("//bzl/private:destinations.bzl", _merge_destinations = "merge_destinations")
load("//bzl/private:dockerfile_rootfs.bzl", _dockerfile_rootfs = "dockerfile_rootfs")
load("//bzl/private:ext4_image.bzl", _ext4_image = "ext4_image")
load("//bzl/private:filled_template.bzl", _filled_template = "filled_template")
load("//bzl/private:gpt_disk.bzl", _gpt_disk = "gpt_disk")
load("//bzl/private:grubenv_file.bzl", _grubenv_file = "grubenv_file")
load("//bzl/private:image_manifest.bzl", _image_manifest = "image_manifest")
load("//bzl/private:image_tree.bzl", _image_tree = "image_tree")
load("//bzl/private:sha256sums.bzl", _sha256sums = "sha256sums")
load("//bzl/private:update_bundle.bzl", _update_bundle = "update_bundle")
load("//bzl/private:vfat_image.bzl", _vfat_image = "vfat_image")

dockerfile_rootfs = _dockerfile_rootfs
ext4_image = _ext4_image
filled_template = _filled_template
gpt_disk = _gpt_disk
grubenv_file = _grubenv_file
image_manifest = _image_manifest
image_tree = _image_tree
merge_destinations = _merge_destinations
sha256sums = _sha256sums
update_bundle = _update_bundle
vfat_image = _vfat_image
