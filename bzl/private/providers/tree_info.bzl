"""TreeInfo: what a file system will hold, without its bytes."""

visibility(["//bzl/..."])

TreeInfo = provider(
    doc = "A file tree as a manifest over input files (docs/formats/tree.md).",
    fields = {
        "inputs": "list of File: the files that the manifest's sources point into, in the order of its input numbers.",
        "manifest": "File: the entries, one a line, sorted by path.",
        "units": "File: the enabled systemd units, one a line, sorted; None if no presets were applied.",
    },
)
