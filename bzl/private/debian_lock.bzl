"""debian_lock: a `bazel run` target that resolves package lists."""

load("//bzl/private:tool_binary.bzl", "tool_binary")

visibility(["//bzl/..."])

def debian_lock(name, suite, locks, components = ["main"], then = None, arch = "amd64", **kwargs):
    """`bazel run` it to resolve package lists into lock files beside them, in the source tree.

    apt resolves, against the archive that this machine's apt is set up with, or that the environment variable DEBIAN_MIRROR names.
    What is in a lock is Debian's essential and required packages, those of the lists, and what they depend on; no recommended ones.

    Args:
      name: name of the target.
      suite: Debian suite, as "trixie".
      locks: dict of lock file (in this package) to the labels of the list files it resolves; a list may be shared by locks.
        A list has package names, separated by blanks or line ends; `#` begins a comment.
      components: components of the suite that packages may come from: "main", "non-free-firmware", ….
      then: label of a target to `bazel run` afterwards, normally the `base_image_pin`.
      arch: Debian architecture.
      **kwargs: visibility, tags.
    """
    args = ["--suite", suite, "--arch", arch, "--update", _label(name)]
    for component in components:
        args += ["--component", component]
    for lock, lists in locks.items():
        args += ["--lock", source_path(lock) + "=" + ",".join([source_path(file) for file in lists])]
    if then:
        args += ["--then", _label(then)]
    tool_binary(
        name = name,
        tool = "lock",
        args = args,
        **kwargs
    )

def _label(label):
    """A label as `bazel run` takes it. Not str(label): a leading "@" would name a parameter file."""
    label = native.package_relative_label(label)
    return "//{}:{}".format(label.package, label.name)

# It makes no target.
# buildifier: disable=unnamed-macro
def source_path(label):
    """Where a file of this repository lies.

    Args:
      label: its label, as in the calling package.

    Returns:
      string: the path from the root of the source tree.
    """
    label = native.package_relative_label(label)
    return "/".join([part for part in [label.package, label.name] if part])
