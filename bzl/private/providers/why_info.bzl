"""WhyInfo: what `imgdump why` and `image_report` read beside an image."""

visibility(["//bzl/..."])

WhyInfo = provider(
    doc = "Notes on where bytes come from (docs/formats/why.md). They say nothing that an image is made of: of all actions only `image_report` reads them.",
    fields = {
        "files": "depset of File: notes of this target and of what it is made of.",
        "read": "depset of File: what they name and what is no input of the image, as the archive of a base image.",
        "why": "File: the notes on the target's own image, or None.",
    },
)
