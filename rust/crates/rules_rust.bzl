"""Crates that rules_rust builds its own programs of, which no Cargo.lock names.

It would fetch them from one address. Here they come from a bundle, if there is one (docs/formats/vendor.md).
"""

# buildifier: disable=bzl-visibility
load("@rules_rust//rust/private:repository_utils.bzl", "TINYJSON_KWARGS")
load("//rust/crates:bundle.bzl", "unpack_from_bundle")

visibility(["//ic-os", "//rust/crates"])

_TINYJSON = TINYJSON_KWARGS["strip_prefix"]

# Name and version to the SHA-256 of the file.
RULES_RUST_CRATES = {
    _TINYJSON: TINYJSON_KWARGS["sha256"],
}

def _tinyjson_impl(rctx):
    sha256 = TINYJSON_KWARGS["sha256"]
    if not unpack_from_bundle(rctx, "rules_rust", _TINYJSON, sha256):
        rctx.download_and_extract(TINYJSON_KWARGS["url"], sha256 = sha256, type = "tar.gz", stripPrefix = _TINYJSON)
    rctx.symlink(Label(TINYJSON_KWARGS["build_file"]), "BUILD.bazel")

tinyjson = repository_rule(
    implementation = _tinyjson_impl,
    doc = "The crate tinyjson, as rules_rust wants it.",
)
