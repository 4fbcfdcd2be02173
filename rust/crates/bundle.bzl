"""A crate from a bundle (docs/formats/vendor.md)."""

load("//bzl:vendor_bundle.bzl", "bundle_lacks", "bundle_url", "vendor_bundle")

visibility(["//rust/crates"])

def unpack_from_bundle(rctx, of, stem, sha256):
    """Unpacks a crate into the repository, if builds take their files from a bundle; stops if that lacks it.

    Args:
      rctx: repository context.
      of: what wants it, such as the path of a lock.
      stem: name and version, `NAME-VERSION`.
      sha256: the file's SHA-256, in hex.

    Returns:
      bool: False if there is no bundle: then it has to be fetched.
    """
    bundle = vendor_bundle(rctx)
    if not bundle:
        return False
    if not rctx.download_and_extract(bundle_url(bundle, sha256), sha256 = sha256, type = "tar.gz", stripPrefix = stem, allow_fail = True).success:
        bundle_lacks(rctx, bundle, of, [("crate " + stem, sha256)])
    return True
