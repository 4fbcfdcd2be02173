"""SbomInfo: what a target adds to the bill of materials of an image."""

visibility(["//bzl/..."])

SbomInfo = provider(
    doc = "Programs, crates and base images that a target is made of; collected by the aspect of `image_sbom`.",
    fields = {
        "bases": "depset of struct: base images; `label` string, `digest`, `lock` and `tar` File.",
        "crate": "string: label of the crate that the target is, for those who link it; or None.",
        "crates": "depset of struct: crates; `deps` tuple of labels, `label`, `name` and `version` string, `manifest` File or None.",
        "disks": "depset of struct: disks; `digest` and `image` File.",
        "files": "depset of File: what the tool reads of all these.",
        "partition": "struct: the tree of the file system that the target is; `exclude` list of string, `label`, `subdir` string, `tree` TreeInfo; or None.",
        "programs": "depset of struct: programs of Rust; `deps` tuple of labels, `file` File, `label`, `name` string, `version` string or None.",
    },
)
