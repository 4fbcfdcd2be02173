"""vendor: a `bazel run` target that writes a bundle, for builds without a network."""

load("//bzl/private:debian_lock.bzl", "source_path")
load("//bzl/private:tool_binary.bzl", "tool_binary")

visibility(["//bzl/..."])

def vendor(name, locks = [], crates = None, more_crates = {}, locks_if_there = [], **kwargs):
    """`bazel run :NAME -- DIR` to write every file that builds fetch into DIR (docs/formats/vendor.md).

    What is there with the right content is kept; the rest comes from Bazel's repository cache, else from where a build would fetch it. The
    bundle is whole or not at all. A build takes its files from there with `--repo_env=VENDOR=DIR`, and from nowhere else.

    Args:
      name: name of the target.
      locks: labels of the package locks, of `debian_lock`.
      crates: label of the `Cargo.lock` whose crates are wanted.
      more_crates: crates that are in no lock, `NAME-VERSION` to the SHA-256 of the file, as those that rules_rust fetches for itself.
      locks_if_there: paths of further package locks, from the root of the source tree; one that is not there is passed over.
      **kwargs: visibility, tags.
    """
    label = native.package_relative_label(name)
    args = ["--update", "//{}:{}".format(label.package, label.name)]
    for lock in locks:
        args += ["--lock", source_path(lock)]
    for path in locks_if_there:
        args += ["--lock-if-there", path]
    if crates:
        args += ["--crates", source_path(crates)]
    for stem, sha256 in more_crates.items():
        args += ["--crate", "{}={}".format(stem, sha256)]
    tool_binary(
        name = name,
        tool = "vendor",
        args = args,
        **kwargs
    )
