"""DigestInfo: the digests of an image, each taken once."""

visibility(["//bzl/..."])

DigestInfo = provider(
    doc = "Digests and length of an image or of the file that a rule made. Whoever states a digest takes it from here; nothing is hashed again.",
    fields = {
        "digest": "File: one line, 64 hexadecimal digits, a space and the length in bytes (docs/formats/image.md): the SHA-256.",
        "fsverity": "File: the same with `sha256:` before it: the digest that fs-verity has of such a file.",
    },
)
