"""TreeInfo: what a file system will hold, without its bytes."""

visibility(["//bzl/..."])

TreeInfo = provider(
    doc = "A file tree as a manifest over input files (docs/formats/tree.md).",
    fields = {
        "contents": "list of struct(file, image): what the manifest's sources point into, in the order of its input numbers. " +
                    "Either `file` is a File, or `image` is the ImagePlanInfo of an image that lies in the tree as a file; the other is None.",
        "manifest": "File: the entries, one a line, sorted by path.",
        "units": "File: the enabled systemd units, one a line, sorted; None if no presets were applied.",
    },
)
