"""debian_lock, debian_locks: `bazel run` targets that resolve package lists."""

load("//bzl/private:tool_binary.bzl", "tool_binary")

visibility(["//bzl/..."])

def _lock_plan_impl(ctx):
    plan = ctx.actions.declare_file(ctx.label.name + ".json")
    ctx.actions.write(plan, ctx.attr.content)
    return [DefaultInfo(files = depset([plan]), runfiles = ctx.runfiles([plan]))]

_lock_plan = rule(
    implementation = _lock_plan_impl,
    doc = "What a debian_lock is to do, for the tool `lock`.",
    attrs = {"content": attr.string(mandatory = True, doc = "JSON.")},
)

def debian_lock(name, suites, locks, components = ["main"], then = None, arch = "amd64", **kwargs):
    """`bazel run` it to resolve package lists into lock files beside them, in the source tree.

    Packages that are locked already stay at their versions where the suites still have these; what the lists no longer ask for goes, and what they
    ask for anew comes in its newest version. `bazel run … -- --upgrade` makes all of them the newest, `-- --upgrade NAME…` those of these
    names (of the packages or of their sources) and what these need; `-- --check` writes nothing and fails if the suites have something newer
    than what is locked. `-- --help` has all of it.

    apt resolves, against the archive that this machine's apt is set up with, or that the environment variable DEBIAN_MIRROR names. A suite
    whose name ends in `-security` lies below a root of its own: DEBIAN_SECURITY_MIRROR, else DEBIAN_MIRROR with `-security` at its end, else
    where this machine's apt takes such a suite from, else beside its main archive. An index whose `Valid-Until` has passed is refused, whatever this
    machine's apt is set to; `-- --accept-expired`, or DEBIAN_ACCEPT_EXPIRED=1, takes it.

    What is in a lock is Debian's essential and required packages, those of the lists, and what they depend on; no recommended ones.
    The format: docs/formats/lock.md.

    Args:
      name: name of the target.
      suites: Debian suites, the release first, as ["trixie", "trixie-updates", "trixie-security"].
      locks: dict of lock file (in this package) to the labels of the list files it resolves; a list may be shared by locks.
        A list has the name of a package a line, or a rule on paths of all packages, as dpkg has them: `path-exclude=PATTERN`,
        `path-include=PATTERN` (docs/packages.md); `#` begins a comment.
      components: components of the suites that packages may come from: "main", "non-free-firmware", ….
      then: label of a target to `bazel run` afterwards, normally the `base_image_pin`.
      arch: Debian architecture.
      **kwargs: visibility, tags.
    """
    if type(suites) != "list" or not suites:
        fail("suites: got {}, want a list such as [\"trixie\", \"trixie-updates\", \"trixie-security\"] ({})".format(repr(suites), name))
    plan = {
        "architecture": arch,
        "components": components,
        "locks": {
            source_path(lock): [source_path(file) for file in lists]
            for lock, lists in locks.items()
        },
        "suites": suites,
        "update": _label(name),
    }
    if then:
        plan["then"] = _label(then)
    _lock_plan(
        name = name + "_plan",
        content = json.encode(plan),
        # For a debian_locks elsewhere: it says nothing that the lock does not.
        visibility = ["//visibility:public"],
    )
    debian_locks(
        name = name,
        locks = {name: ":" + name},
        **kwargs
    )

def debian_locks(name, locks, **kwargs):
    """`bazel run` it to bring all locks of several `debian_lock` targets up to date: all are written, or none.

    It takes the arguments of a `debian_lock`, and `--os NAME` for some of them.

    Args:
      name: name of the target.
      locks: dict of a name, for people, to the label of the `debian_lock`.
      **kwargs: visibility, tags.
    """
    plans = {key: native.package_relative_label(label) for key, label in locks.items()}
    plans = {key: label.same_package_label(label.name + "_plan") for key, label in plans.items()}
    args = []
    for key, plan in plans.items():
        args += ["--plan", "{}=$(rootpath {})".format(key, plan)]
    tool_binary(
        name = name,
        tool = "lock",
        args = args,
        data = plans.values(),
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
