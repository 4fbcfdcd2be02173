"""The keys of a machine with Secure Boot that starts images of here."""

visibility(["//ic-os/...", "//tests/..."])

# Whom its variables name as the owner of its certificates. It means nothing, but a TPM measures it.
OWNER = "a1b2c3d4-5e6f-4a70-8b91-0c2d3e4f5a6b"

# Its platform key, its key exchange key, and who signs.
PK = "//ic-os:platform_key"
KEK = "//ic-os:exchange_key"
DB = "//ic-os:signer_certificate"

# What its dbx holds, EFI signature lists.
DBX = "//ic-os:revoked"
