"""VerityInfo: what a kernel must know of a dm-verity image before it trusts it."""

visibility(["//bzl/..."])

VerityInfo = provider(
    doc = "Root hash and place of the hash tree of an image under dm-verity.",
    fields = {
        "hash_offset": "File: where in the image the verity superblock lies, in bytes, as decimal text.",
        "root_hash": "File: the root hash, hexadecimal text.",
    },
)
