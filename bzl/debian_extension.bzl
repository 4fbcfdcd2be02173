"""The `debian` module extension: the .deb files of a lock, fetched by SHA-256 from the archive that this machine's apt uses.

```starlark
debian = use_extension("//bzl:debian_extension.bzl", "debian")
debian.packages(
    name = "server_debs",
    lists = ["//server:packages.common"],
    lock = "//server:packages.lock.json",
    update = "//server:lock",
)
use_repo(debian, "server_debs")
```

`@server_debs//:debs` is then every .deb of the lock. No host name is written anywhere: where files lie on the archive is in
the lock, which archive is apt's business (or DEBIAN_MIRROR's), and what they must contain is checked.
"""

def _mirrors(rctx):
    """Addresses of Debian archives, most wanted first."""
    found = []
    chosen = rctx.getenv("DEBIAN_MIRROR")
    if chosen:
        found.append(chosen)
    apt = rctx.which("apt-get")
    if apt:
        result = rctx.execute([apt, "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"])
        for line in result.stdout.split("\n"):
            if line and line not in found:
                found.append(line)
    if not found:
        fail("no Debian archive is known here: neither DEBIAN_MIRROR is set nor does apt name one")
    return [address.rstrip("/") for address in found]

def _names(text):
    """Package names of a list file."""
    names = []
    for line in text.split("\n"):
        names += [name for name in line.split("#")[0].replace("\t", " ").split(" ") if name]
    return names

def _source_path(label):
    """Where a file of the source tree lies: names like packages.common stand in many folders."""
    return "/".join([part for part in [label.package, label.name] if part])

def _check_lists(rctx, lock):
    """Stops if the lock was made from other lists than those in the tree."""
    wanted = {}
    for label in rctx.attr.lists:
        for name in _names(rctx.read(label)):
            wanted[name] = label
    locked = {name: True for name in lock["requested"]}
    missing = ["{} (in {})".format(name, _source_path(wanted[name])) for name in sorted(wanted) if name not in locked]
    extra = [name for name in sorted(locked) if name not in wanted]
    if missing or extra:
        fail("{} is older than its lists:{}{}. Run: bazel run {}".format(
            _source_path(rctx.attr.lock),
            " it lacks " + ", ".join(missing) if missing else "",
            " it has {}, which no list asks for".format(", ".join(extra)) if extra else "",
            rctx.attr.update,
        ))

def _debs_impl(rctx):
    lock = json.decode(rctx.read(rctx.attr.lock))
    _check_lists(rctx, lock)
    mirrors = _mirrors(rctx)
    rctx.report_progress("fetching {} packages".format(len(lock["packages"])))
    pending = []
    for package in lock["packages"]:
        base = package["path"].split("/")[-1]
        pending.append((package, rctx.download(
            url = ["{}/{}".format(mirror, package["path"].replace("+", "%2B").replace("~", "%7E")) for mirror in mirrors],
            output = "debs/" + base,
            sha256 = package["sha256"],
            block = False,
            allow_fail = True,
        )))
    failed = []
    for package, token in pending:
        if not token.wait().success:
            failed.append("{} {}".format(package["name"], package["version"]))
    if failed:
        fail("no archive gave {} with the content that {} locks: {}{}. Either the archive can't be reached, or it has moved on to newer versions; then mend the lock: bazel run {}".format(
            "1 package" if len(failed) == 1 else "{} packages".format(len(failed)),
            _source_path(rctx.attr.lock),
            ", ".join(failed[:8]),
            " and {} more".format(len(failed) - 8) if len(failed) > 8 else "",
            rctx.attr.update,
        ))
    rctx.file("BUILD.bazel", """filegroup(
    name = "debs",
    srcs = glob(["debs/*.deb"]),
    visibility = ["//visibility:public"],
)
""")

_debs = repository_rule(
    implementation = _debs_impl,
    doc = "The .deb files of one lock.",
    attrs = {
        "lists": attr.label_list(mandatory = True, doc = "The package lists the lock was made from."),
        "lock": attr.label(mandatory = True, doc = "The lock file."),
        "update": attr.string(mandatory = True, doc = "The target that updates the lock; named in errors."),
    },
)

_packages = tag_class(
    doc = "One lock file's packages as a repository.",
    attrs = {
        "lists": attr.label_list(mandatory = True, doc = "The package lists the lock was made from; a lock that is older is refused."),
        "lock": attr.label(mandatory = True, doc = "The lock file, written by a `debian_lock` target."),
        "name": attr.string(mandatory = True, doc = "Name of the repository."),
        "update": attr.string(mandatory = True, doc = "Label of the `debian_lock` target; named in errors."),
    },
)

def _debian_impl(mctx):
    for module in mctx.modules:
        for tag in module.tags.packages:
            _debs(name = tag.name, lists = tag.lists, lock = tag.lock, update = tag.update)
    return mctx.extension_metadata(reproducible = True)

debian = module_extension(
    implementation = _debian_impl,
    doc = "Repositories of locked Debian packages.",
    tag_classes = {"packages": _packages},
)
