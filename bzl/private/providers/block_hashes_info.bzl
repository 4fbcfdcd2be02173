"""BlockHashesInfo: digests of files' blocks, made for every image under dm-verity that they get into."""

visibility(["//bzl/..."])

BlockHashesInfo = provider(
    doc = "Block hashes of files (docs/formats/blockhashes.md).",
    fields = {
        "hashes": "dict of File by string: the block hashes of a file, by its path.",
        "salt": "string: the salt of every hash, hexadecimal.",
    },
)
