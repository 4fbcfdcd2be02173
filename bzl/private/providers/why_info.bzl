"""WhyInfo: what `imgdump why` and `image_report` read beside an image."""

visibility(["//bzl/..."])

WhyInfo = provider(
    doc = "Notes on where bytes come from (docs/formats/why.md). No action that makes an image reads them, only `image_report` and `image_sbom`: they say nothing that an image is made of.",
    fields = {
        "files": "depset of File: notes of this target and of what it is made of.",
        "read": "depset of File: what they name and what is no input of the image, as the archive of a base image.",
        "why": "File: the notes on the target's own image, or None.",
    },
)
