"""FsImageInfo: one file-system image, the content of a partition."""

visibility(["//bzl/..."])

FsImageInfo = provider(
    doc = "A file-system image.",
    fields = {
        "image": "File: the raw image; never larger than the partition it is meant for.",
    },
)
