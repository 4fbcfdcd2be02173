"""EfiSignerInfo: by whose key EFI programs are signed, and how."""

visibility(["//bzl/..."])

EfiSignerInfo = provider(
    doc = "A certificate, and what makes signatures by its key.",
    fields = {
        "arguments": "list of string: arguments of the program.",
        "certificate": "File: the certificate, PEM or DER.",
        "key": "File: the private key, PEM; or None.",
        "notice": "string: what to say of it when something is signed and when it starts; empty for nothing.",
        "program": "FilesToRunProvider: a program that signs; or None. Neither key nor program: signatures come from outside the build.",
    },
)
