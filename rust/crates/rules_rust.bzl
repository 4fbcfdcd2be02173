"""Crates that rules_rust builds its own programs of, which no Cargo.lock names.

It would fetch them from one address. Here they come from a bundle, if there is one (docs/formats/vendor.md).
"""

# buildifier: disable=bzl-visibility
load("@rules_rust//rust/private:repository_utils.bzl", "TINYJSON_KWARGS")
load("//bzl:vendor_bundle.bzl", "bundle_lacks", "bundle_url", "vendor_bundle")

visibility(["//ic-os", "//rust/crates"])

_TINYJSON = TINYJSON_KWARGS["strip_prefix"]

# Name and version to the SHA-256 of the file.
RULES_RUST_CRATES = {
    _TINYJSON: TINYJSON_KWARGS["sha256"],
}

def _tinyjson_impl(rctx):
    sha256 = TINYJSON_KWARGS["sha256"]
    bundle = vendor_bundle(rctx)
    url = bundle_url(bundle, sha256) if bundle else TINYJSON_KWARGS["url"]
    done = rctx.download_and_extract(url, sha256 = sha256, type = "tar.gz", stripPrefix = _TINYJSON, allow_fail = bool(bundle))
    if not done.success:
        bundle_lacks(rctx, bundle, "rules_rust", [("crate " + _TINYJSON, sha256)])
    rctx.symlink(Label(TINYJSON_KWARGS["build_file"]), "BUILD.bazel")

tinyjson = repository_rule(
    implementation = _tinyjson_impl,
    doc = "The crate tinyjson, as rules_rust wants it.",
)
