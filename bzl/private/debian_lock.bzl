"""debian_lock: a `bazel run` target that resolves package lists."""

load("@bazel_skylib//rules:native_binary.bzl", "native_binary")

visibility(["//bzl/..."])

def debian_lock(name, suite, locks, then = None, arch = "amd64", **kwargs):
    """`bazel run` it to resolve package lists into lock files beside them, in the source tree.

    apt resolves, against the archive that this machine's apt is set up with.

    Args:
      name: name of the target.
      suite: Debian suite, as "trixie".
      locks: dict of lock file to the list files it resolves, all in this package.
      then: label of a target to `bazel run` afterwards, normally the `base_image_pin`.
      arch: Debian architecture.
      **kwargs: visibility, tags.
    """
    here = native.package_name() + "/"
    args = ["--suite", suite, "--arch", arch]
    for lock, lists in locks.items():
        args += ["--lock", here + lock + "=" + ",".join([here + file for file in lists])]
    if then:
        label = native.package_relative_label(then)

        # Not str(label): a leading "@" would name a parameter file.
        args += ["--then", "//{}:{}".format(label.package, label.name)]
    native_binary(
        name = name,
        src = "//rust/tools:lock",
        out = name,
        args = args,
        **kwargs
    )
