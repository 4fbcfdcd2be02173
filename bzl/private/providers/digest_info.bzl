"""DigestInfo: the digest of an image, taken once."""

visibility(["//bzl/..."])

DigestInfo = provider(
    doc = "SHA-256 and length of an image or of the file that a rule made. Whoever states a digest takes it from here; nothing is hashed again.",
    fields = {
        "digest": "File: one line, 64 hexadecimal digits, a space and the length in bytes (docs/formats/image.md).",
    },
)
