"""Bundles: a folder with every file that builds fetch, for machines without a network (docs/formats/vendor.md)."""

visibility(["//bzl/..."])

# The version of the format that is read here.
_FORMAT = 1

def vendor_bundle(rctx):
    """The bundle that `--repo_env=VENDOR=DIR` names; stops if DIR is no bundle.

    Args:
      rctx: repository context.

    Returns:
      struct: `dir`, `listed` (SHA-256 to True) and `update` (what makes it again); or None without VENDOR.
    """
    dir = rctx.getenv("VENDOR")
    if not dir:
        return None
    if not dir.startswith("/"):
        dir = "{}/{}".format(rctx.workspace_root, dir)
    index = rctx.path(dir + "/index.json")
    if not index.exists:
        fail("VENDOR={}: it has no index.json, so it is no bundle, or making it has not come to its end. Run the command that makes it again, or build without VENDOR".format(dir))
    content = json.decode(rctx.read(index, watch = "no"), default = None)
    if type(content) != "dict" or content.get("vendor") != _FORMAT or type(content.get("files")) != "list":
        fail("{}: want a bundle's index of format {}; make the bundle again with the tool `vendor` of this version".format(index, _FORMAT))
    update = content.get("update")
    return struct(
        dir = dir,
        listed = {file["sha256"]: True for file in content["files"]},
        update = "bazel run {} -- {}".format(update, dir) if update else "the tool `vendor`",
    )

def bundle_url(bundle, sha256):
    """Where a file of a bundle is.

    Args:
      bundle: from vendor_bundle.
      sha256: the file's SHA-256, in hex.

    Returns:
      string: its address.
    """
    return "file://{}/files/{}".format(bundle.dir, sha256)

def bundle_lacks(rctx, bundle, what, missing):
    """Stops the build: the bundle does not have what it needs.

    Args:
      rctx: repository context.
      bundle: from vendor_bundle.
      what: what the files are of, such as the path of a lock.
      missing: list of pairs, name of a file for people and its SHA-256.
    """
    lines = []
    for name, sha256 in missing[:8]:
        if sha256 not in bundle.listed:
            why = "its index does not have it"
        elif not rctx.path("{}/files/{}".format(bundle.dir, sha256)).exists:
            why = "its index has it, but there is no files/{}".format(sha256)
        else:
            why = "files/{} has other content than its name says".format(sha256)
        lines.append("{} ({})".format(name, why))
    fail("the bundle VENDOR={} lacks {} of {}: {}{}. With VENDOR set, files come from Bazel's repository cache and the bundle alone. Mend it where there is a network, with: {}".format(
        bundle.dir,
        "1 file" if len(missing) == 1 else "{} files".format(len(missing)),
        what,
        ", ".join(lines),
        " and {} more".format(len(missing) - 8) if len(missing) > 8 else "",
        bundle.update,
    ))
