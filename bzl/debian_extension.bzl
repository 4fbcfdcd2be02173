"""The `debian` module extension: the .deb files of a lock, fetched by SHA-256 from the archive that this machine's apt uses.

```starlark
debian = use_extension("@icos_images//bzl:debian_extension.bzl", "debian")
debian.packages(name = "server", lock = "//server:packages.lock.json")
use_repo(debian, "debs")
```

`@debs//:server` is then every .deb of the lock; it is short for `@server//:debs`, a repository that needs a `use_repo` of its own. No host name is written anywhere:
where files lie on the archive is in the lock, which archive is apt's business (or DEBIAN_MIRROR's), and what they must contain is checked.
So is whether the lock is older than the lists that it says it was made from.
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

def _root(rctx, label):
    """The folder of the source tree that a file is in."""
    path = rctx.path(label)
    for _ in _source_path(label).split("/"):
        path = path.dirname
    return path

def _check_lists(rctx, lock, mend):
    """Stops if the lock was made from other lists than those in the tree."""
    root = _root(rctx, rctx.attr.lock)
    wanted = {}
    for file in lock.get("lists", []):
        if [part for part in file.split("/") if part in ["", ".", ".."]]:
            fail("{}: got list {}, want a path below the root of the source tree".format(_source_path(rctx.attr.lock), repr(file)))
        path = root.get_child(file)
        if not path.exists:
            fail("{} was made from {}, which is not there{}".format(_source_path(rctx.attr.lock), file, mend))
        for name in _names(rctx.read(path)):
            wanted[name] = file
    if not wanted:
        fail("{} does not say which lists it was made from{}".format(_source_path(rctx.attr.lock), mend))
    locked = {name: True for name in lock["requested"]}
    missing = ["{} (in {})".format(name, wanted[name]) for name in sorted(wanted) if name not in locked]
    extra = [name for name in sorted(locked) if name not in wanted]
    if missing or extra:
        fail("{} is older than its lists:{}{}{}".format(
            _source_path(rctx.attr.lock),
            " it lacks " + ", ".join(missing) if missing else "",
            " it has {}, which no list asks for".format(", ".join(extra)) if extra else "",
            mend,
        ))

def _debs_impl(rctx):
    lock = json.decode(rctx.read(rctx.attr.lock))
    mend = ". Run: bazel run {}".format(lock["update"]) if "update" in lock else ". Make it again with the tool `lock`"
    _check_lists(rctx, lock, mend)
    mirrors = _mirrors(rctx)
    rctx.report_progress("fetching {} packages".format(len(lock["packages"])))
    pending = []
    if lock.get("format") != 2:
        fail("{} has format {}, want 2{}".format(_source_path(rctx.attr.lock), lock.get("format", 1), mend))
    security = rctx.getenv("DEBIAN_SECURITY_MIRROR")
    security = [security.rstrip("/")] if security else []
    roots = {"main": mirrors, "security": security + [m for m in mirrors if m.endswith("-security")] + [m + "-security" for m in mirrors]}
    roots_of = {suite["suite"]: suite["root"] for suite in lock["suites"]}
    for package in lock["packages"]:
        base = package["path"].split("/")[-1]
        pending.append((package, rctx.download(
            url = ["{}/{}".format(mirror, package["path"].replace("+", "%2B").replace("~", "%7E")) for mirror in roots[roots_of[package["suite"]]]],
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
        fail("no archive gave {} with the content that {} locks: {}{}. Either the archive can't be reached, or it has moved on to newer versions; then mend the lock{}".format(
            "1 package" if len(failed) == 1 else "{} packages".format(len(failed)),
            _source_path(rctx.attr.lock),
            ", ".join(failed[:8]),
            " and {} more".format(len(failed) - 8) if len(failed) > 8 else "",
            mend,
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
    attrs = {"lock": attr.label(mandatory = True, doc = "The lock file.")},
)

def _all_impl(rctx):
    rctx.file("BUILD.bazel", "".join(["""alias(
    name = "{0}",
    actual = "@{0}//:debs",
    visibility = ["//visibility:public"],
)
""".format(name) for name in rctx.attr.names]))

_all = repository_rule(
    implementation = _all_impl,
    doc = "One target for each lock; nothing is fetched before a target is asked for.",
    attrs = {"names": attr.string_list(mandatory = True, doc = "Names of the locks.")},
)

_packages = tag_class(
    doc = "One lock file's packages as `@debs//:NAME`.",
    attrs = {
        "lock": attr.label(
            mandatory = True,
            doc = "The lock file, written by a `debian_lock` target; it says which lists it was made from, and one that is older is refused.",
        ),
        "name": attr.string(mandatory = True, doc = "Name of the target in `@debs`."),
    },
)

_ALL = "debs"

def _debian_impl(mctx):
    locks = {}
    for module in mctx.modules:
        for tag in module.tags.packages:
            if tag.name == _ALL:
                fail("packages: got name {} for {}, want another one: it is the repository of all locks".format(repr(_ALL), tag.lock))
            if tag.name in locks:
                fail("packages: {} is the name of {} and of {}".format(tag.name, locks[tag.name], tag.lock))
            locks[tag.name] = tag.lock
            _debs(name = tag.name, lock = tag.lock)
    _all(name = _ALL, names = locks.keys())
    return mctx.extension_metadata(reproducible = True)

debian = module_extension(
    implementation = _debian_impl,
    doc = "Repositories of locked Debian packages.",
    tag_classes = {"packages": _packages},
)
