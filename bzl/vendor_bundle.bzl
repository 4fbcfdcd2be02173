"""Files from a bundle, for repository rules: the crates' (rust/crates/bundle.bzl) is one outside bzl/."""

load("//bzl/private:vendor_bundle.bzl", _bundle_lacks = "bundle_lacks", _bundle_url = "bundle_url", _vendor_bundle = "vendor_bundle")

visibility(["//rust/crates"])

bundle_lacks = _bundle_lacks
bundle_url = _bundle_url
vendor_bundle = _vendor_bundle
