"""PublishedBaseImageInfo: a base image that was fetched instead of built."""

visibility(["//bzl/..."])

PublishedBaseImageInfo = provider(
    doc = "A base image as a registry gave it. Nothing is believed of it: whoever takes it checks it against the digest.",
    fields = {
        "config": "File: the OCI image configuration.",
        "digest": "string: the digest of the manifest that is pinned, `sha256:…`.",
        "manifest": "File: the OCI manifest.",
        "tar": "File: its one layer, not compressed.",
    },
)
