"""From a Dockerfile to the files of a release. In the order of the pipeline:

- `dockerfile_rootfs`: a Dockerfile executed on a base image; a tar.
- `image_tree`: files laid late over it; a manifest.
- `filled_template`, `filled_templates`, `grubenv_file`: small files computed from the partition table and constants.
- `ext4_image`, `vfat_image`: file systems from trees.
- `verity_image`: an image with its dm-verity hash tree; `block_hashes`: what several of them share of it.
- `tree_file`: one file of a tree, for rules that take an image.
- `tree_layer`, `oci_image`: a tree as an image for container engines.
- `initrd_image`: an initrd of one program and kernel modules, from a tree.
- `uki_image`: kernel, initrd and command lines as one EFI program; `signed_efi` signs it, by an `efi_signer` or with signatures that were made
  outside the build, of what `efi_to_sign` says.
- `measured_boot`: what a TPM's registers will hold when such programs have started.
- `snp_measurement`: what a virtual machine's attestation report says when QEMU starts a kernel under AMD SEV-SNP.
- `gpt_disk`: images behind a GPT.
- `update_manifest`, `update_keys`, `update_signatures`, `update_bundle`: a signed update; `image_delta`: what an image has not of an older one.
- `sha256sums`, `image_manifest`: what goes beside it; `deployment_file`: what an image carries inside.
- `inputs_version`: a version that follows from what an image is made of; `unlocked_note`: which of its packages are not the locked ones.
- `image_report`: a page for people about what an image is made of.
- `sha256sums`, `image_manifest`: what goes beside it; `deployment_file`: what an image carries inside; `image_sbom`: what is inside it;
  `image_provenance`: what it was made from; `image_vulnerabilities`: what is known of what is inside.
- `inputs_version`: a version that follows from what an image is made of.
- `qcow2_image`: a disk in QEMU's format.
- `image_file`: writes an image; `image_list`: hands one to a program that runs, unwritten; `image_diff`: says what differs from another one.
- `ab_disk`: most of these in one call, a disk with slots A and B.
- `merge_destinations`: joins injection maps and refuses what is claimed twice; `parse_destination`: reads one destination.

Images are plans (docs/formats/plan.md) until `image_file` writes one: file systems, disks and bundles say where in the
inputs each byte lies, and hashes are computed through that. `ImagePlanInfo` is what they hand on.
"""

load("//bzl/private:ab_disk.bzl", _ab_disk = "ab_disk")
load("//bzl/private:block_hashes.bzl", _block_hashes = "block_hashes")
load("//bzl/private:deployment_file.bzl", _deployment_file = "deployment_file")
load("//bzl/private:destinations.bzl", _merge_destinations = "merge_destinations", _parse_destination = "parse_destination")
load("//bzl/private:dockerfile_rootfs.bzl", _dockerfile_rootfs = "dockerfile_rootfs")
load("//bzl/private:efi_signer.bzl", _efi_signer = "efi_signer")
load("//bzl/private:ext4_image.bzl", _ext4_image = "ext4_image")
load("//bzl/private:filled_template.bzl", _filled_template = "filled_template", _filled_templates = "filled_templates")
load("//bzl/private:gpt_disk.bzl", _gpt_disk = "gpt_disk")
load("//bzl/private:grubenv_file.bzl", _grubenv_file = "grubenv_file")
load("//bzl/private:image_delta.bzl", _image_delta = "image_delta")
load("//bzl/private:image_diff.bzl", _image_diff = "image_diff")
load("//bzl/private:image_file.bzl", _image_file = "image_file")
load("//bzl/private:image_list.bzl", _image_list = "image_list")
load("//bzl/private:image_manifest.bzl", _image_manifest = "image_manifest")
load("//bzl/private:image_provenance.bzl", _image_provenance = "image_provenance")
load("//bzl/private:image_report.bzl", _image_report = "image_report")
load("//bzl/private:image_sbom.bzl", _image_sbom = "image_sbom")
load("//bzl/private:image_tree.bzl", _image_tree = "image_tree")
load("//bzl/private:image_vulnerabilities.bzl", _image_vulnerabilities = "image_vulnerabilities")
load("//bzl/private:initrd_image.bzl", _initrd_image = "initrd_image")
load("//bzl/private:inputs_version.bzl", _inputs_version = "inputs_version")
load("//bzl/private:measured_boot.bzl", _measured_boot = "measured_boot")
load("//bzl/private:oci_image.bzl", _oci_image = "oci_image")
load("//bzl/private:qcow2_image.bzl", _qcow2_image = "qcow2_image")
load("//bzl/private:sha256sums.bzl", _sha256sums = "sha256sums")
load("//bzl/private:signed_efi.bzl", _efi_to_sign = "efi_to_sign", _signed_efi = "signed_efi")
load("//bzl/private:snp_measurement.bzl", _snp_measurement = "snp_measurement")
load("//bzl/private:tree_file.bzl", _tree_file = "tree_file")
load("//bzl/private:tree_layer.bzl", _tree_layer = "tree_layer")
load("//bzl/private:uki_image.bzl", _uki_image = "uki_image")
load("//bzl/private:unlocked.bzl", _unlocked_note = "unlocked_note")
load("//bzl/private:update_bundle.bzl", _update_bundle = "update_bundle")
load("//bzl/private:update_keys.bzl", _update_keys = "update_keys")
load("//bzl/private:update_manifest.bzl", _update_manifest = "update_manifest")
load("//bzl/private:update_signatures.bzl", _update_signatures = "update_signatures")
load("//bzl/private:verity_image.bzl", _verity_image = "verity_image")
load("//bzl/private:vfat_image.bzl", _vfat_image = "vfat_image")
load("//bzl/private/providers:digest_info.bzl", _DigestInfo = "DigestInfo")
load("//bzl/private/providers:image_plan_info.bzl", _ImagePlanInfo = "ImagePlanInfo")

DigestInfo = _DigestInfo
ImagePlanInfo = _ImagePlanInfo
ab_disk = _ab_disk
block_hashes = _block_hashes
deployment_file = _deployment_file
dockerfile_rootfs = _dockerfile_rootfs
efi_signer = _efi_signer
efi_to_sign = _efi_to_sign
ext4_image = _ext4_image
filled_template = _filled_template
filled_templates = _filled_templates
gpt_disk = _gpt_disk
grubenv_file = _grubenv_file
image_delta = _image_delta
image_diff = _image_diff
image_file = _image_file
image_list = _image_list
image_manifest = _image_manifest
image_report = _image_report
image_provenance = _image_provenance
image_sbom = _image_sbom
image_tree = _image_tree
image_vulnerabilities = _image_vulnerabilities
initrd_image = _initrd_image
inputs_version = _inputs_version
measured_boot = _measured_boot
merge_destinations = _merge_destinations
oci_image = _oci_image
parse_destination = _parse_destination
qcow2_image = _qcow2_image
sha256sums = _sha256sums
signed_efi = _signed_efi
snp_measurement = _snp_measurement
tree_file = _tree_file
tree_layer = _tree_layer
uki_image = _uki_image
unlocked_note = _unlocked_note
update_bundle = _update_bundle
update_keys = _update_keys
update_manifest = _update_manifest
update_signatures = _update_signatures
verity_image = _verity_image
vfat_image = _vfat_image
