"""What the rules hand to each other, for rules of your own between them.

- `BaseImageInfo`: a base image of Debian packages, from `debian_base_image` to `dockerfile_rootfs`.
- `TreeInfo`: a tree, from `image_tree` to the file systems.
- `ImagePlanInfo`: an image, from whatever makes one to whatever takes one.
- `DigestInfo`: the digests of an image, each taken once, to whatever states it.
- `VerityInfo`: what a kernel command line says of a `verity_image`.
- `EfiSignerInfo`: who signs EFI programs, from `efi_signer` to `signed_efi`.
- `WhyInfo`: notes for `imgdump why`, from whatever knows where bytes come from.
- `ImageToolsInfo`: the programs of the toolchain `//bzl/toolchain:toolchain_type`, in its field `image_tools`.
"""

load("//bzl/private/providers:base_image_info.bzl", _BaseImageInfo = "BaseImageInfo")
load("//bzl/private/providers:digest_info.bzl", _DigestInfo = "DigestInfo")
load("//bzl/private/providers:efi_signer_info.bzl", _EfiSignerInfo = "EfiSignerInfo")
load("//bzl/private/providers:image_plan_info.bzl", _ImagePlanInfo = "ImagePlanInfo")
load("//bzl/private/providers:image_tools_info.bzl", _ImageToolsInfo = "ImageToolsInfo")
load("//bzl/private/providers:tree_info.bzl", _TreeInfo = "TreeInfo")
load("//bzl/private/providers:verity_info.bzl", _VerityInfo = "VerityInfo")
load("//bzl/private/providers:why_info.bzl", _WhyInfo = "WhyInfo")

BaseImageInfo = _BaseImageInfo
DigestInfo = _DigestInfo
EfiSignerInfo = _EfiSignerInfo
ImagePlanInfo = _ImagePlanInfo
ImageToolsInfo = _ImageToolsInfo
TreeInfo = _TreeInfo
VerityInfo = _VerityInfo
WhyInfo = _WhyInfo
