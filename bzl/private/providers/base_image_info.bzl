"""BaseImageInfo: the Debian system that a Dockerfile starts FROM."""

visibility(["//bzl/..."])

BaseImageInfo = provider(
    doc = "A base image made from locked Debian packages.",
    fields = {
        "digest": "File: one line, `sha256:` and the digest of the image's OCI manifest.",
        "lock": "File: the lock (JSON) that names every package in it, also one that is in a locked one's place.",
        "packages": "File: one line per package, `name version sha256-of-its-files`; explains a digest that differs.",
        "unlocked": "None; or, if some packages are not the locked ones, struct: `lock`, the File that locks them, and `note`, a File with a line for each.",
        "tar": "File: the root file system as a normalised tar; it is the image's one OCI layer.",
    },
)
