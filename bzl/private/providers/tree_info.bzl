"""TreeInfo: what a file system will hold, without its bytes."""

visibility(["//bzl/..."])

TreeInfo = provider(
    doc = "A file tree as a manifest over input files (docs/formats/tree.md).",
    fields = {
        "inputs": "depset of File, in preorder: the inputs of an image that holds the whole tree, in their order.",
        "manifest": "File: the entries, one a line, sorted by path.",
        "read": "list of File: what a tool reads to lay the tree out: the list, the manifest, and plans of images that are files of the tree.",
        "tree": "File: the list that stands for the tree on a command line: the manifest's path, then what its inputs are.",
        "units": "File: the enabled systemd units, one a line, sorted; None if no presets were applied.",
    },
)
