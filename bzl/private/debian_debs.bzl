"""The repository of one lock: its .deb files, from wherever they are to be had with the content that the lock names."""

load("//bzl/private:debian_archive.bzl", "ROOTS", "archives", "quoted", "shown", "snapshot_urls")
load("//bzl/private:debian_lists.bzl", "check_lists", "source_path")
load("//bzl/private:debian_present.bzl", "present")
load("//bzl/private:vendor_bundle.bzl", "bundle_lacks", "bundle_url", "vendor_bundle")

visibility(["//bzl/..."])

# The newest format of locks that is read here.
_FORMAT = 3

def _suites(rctx, lock, mend):
    """Name of a suite to its root, components and date. A lock of format 1 has one suite, below the main root, and no date."""
    format = lock.get("format", 1)
    if format not in range(1, _FORMAT + 1):
        fail("{}: got a lock of format {}, want {} at most. {}".format(source_path(rctx.attr.lock), format, _FORMAT, mend))
    if format == 1:
        return {lock["suite"]: struct(root = "main", components = [], date = None)}
    suites = {}
    for suite in lock["suites"]:
        if suite["root"] not in ROOTS:
            fail("{}: suite {} has root {}, want one of {}. {}".format(source_path(rctx.attr.lock), suite["suite"], repr(suite["root"]), ", ".join(ROOTS), mend))
        suites[suite["suite"]] = struct(root = suite["root"], components = suite["components"], date = suite["date"])
    return suites

def _file_name(package):
    return package["path"].split("/")[-1]

def _download(rctx, packages, urls_of):
    """Fetches packages, all at once; returns those that no address gave with the right content. Bazel looks into its repository cache first."""
    pending = []
    for package in packages:
        pending.append((package, rctx.download(
            # With no address at all the cache may still have it.
            url = urls_of(package) or ["file:///nonexistent"],
            output = "debs/" + _file_name(package),
            sha256 = package["sha256"],
            block = False,
            allow_fail = True,
        )))
    missing = []
    for package, token in pending:
        if not token.wait().success:
            # What came of it may lie there.
            rctx.delete("debs/" + _file_name(package))
            missing.append(package)
    return missing

def _on_archives(known, suites, lock):
    """A function that gives the addresses of a package on the archives."""
    return lambda package: [
        "{}/{}".format(archive, quoted(package["path"]))
        for archive in known[suites[package.get("suite", lock.get("suite"))].root]
    ]

def _fetch_bundled(rctx, lock, bundle):
    """Takes a lock's packages from a bundle, or stops."""
    missing = _download(rctx, lock["packages"], lambda package: [bundle_url(bundle, package["sha256"])])
    if missing:
        named = [("{} {}".format(package["name"], package["version"]), package["sha256"]) for package in missing]
        bundle_lacks(rctx, bundle, source_path(rctx.attr.lock), named)

def _fetch(rctx, lock, suites, known):
    """Fetches a lock's packages; returns those that are not to be had, and who was asked, for people."""
    packages = lock["packages"]
    rctx.report_progress("fetching {} packages".format(len(packages)))
    missing = _download(rctx, packages, _on_archives(known, suites, lock))
    if not missing:
        return [], []

    def suite_of(package):
        return suites[package.get("suite", lock.get("suite"))]

    asked = ["Bazel's repository cache"]
    for root in sorted({suite_of(package).root: None for package in missing}):
        if known[root]:
            asked += [shown(archive) for archive in known[root]]
        else:
            asked.append("no archive for the root {} ({} is not set, and apt knows none)".format(root, ROOTS[root].variable))

    # Read here and not before: a build that finds everything does not begin anew when this changes.
    pattern = rctx.getenv("DEBIAN_SNAPSHOT")
    if not pattern:
        return missing, asked + ["no snapshot service (DEBIAN_SNAPSHOT is not set)"]
    if not [package for package in missing if suite_of(package).date]:
        return missing, asked + ["no snapshot service (the lock has no date: it is of format 1)"]
    rctx.report_progress("asking the snapshot service for {} packages".format(len(missing)))
    missing = _download(
        rctx,
        missing,
        lambda package: snapshot_urls(pattern, suite_of(package).root, suite_of(package).date, package["path"]),
    )
    return missing, asked + [shown(pattern)]

def _listed(names):
    """Some of many names."""
    return ", ".join(names[:8]) + (" and {} more".format(len(names) - 8) if len(names) > 8 else "")

def _not_had(rctx, missing, asked):
    """What is said of packages that are not to be had."""
    return "nobody gave {} with the content that {} locks: {}. Asked: {}".format(
        "1 package" if len(missing) == 1 else "{} packages".format(len(missing)),
        source_path(rctx.attr.lock),
        _listed(["{} {}".format(package["name"], package["version"]) for package in missing]),
        "; ".join(asked),
    )

def _now(rctx, lock, suites, known, missing):
    """What the archive has now in place of what is missing, and of what does not go with that: see `present`."""
    if lock.get("format", 1) == 1:
        return "the lock does not say where its suite lies: it is of format 1"
    gone = {package["name"]: True for package in missing}
    return present(rctx, lock, suites, known, {package["name"]: package["version"] for package in lock["packages"] if package["name"] not in gone})

def _changes(lock, now):
    """What is in place of what, for people."""
    locked = {package["name"]: package for package in lock["packages"]}
    changes = []
    for name in sorted(now):
        package, was = now[name], locked.get(name)

        # It may be the locked one, and only now to be had.
        if package and (not was or was["sha256"] != package["sha256"]):
            changes.append("{} {}{}".format(name, package["version"], " in place of " + was["version"] if was else ", which is not locked"))
    return changes + ["no {} {}".format(name, locked[name]["version"]) for name in sorted(locked) if name not in now]

def _unlocked(rctx, lock, suites, known, missing):
    """Fetches what the archive has now in place of what is missing; returns what is in place of what, or, as a string, why that can't be."""
    now = _now(rctx, lock, suites, known, missing)
    if type(now) == "string":
        return now
    locked = {package["name"]: package for package in lock["packages"]}
    for name in locked:
        # Of another version, or nothing needs it any more. Of what is missing there is no file to delete.
        if now.get(name) or name not in now:
            rctx.delete("debs/" + _file_name(locked[name]))
    new = [now[name] for name in sorted(now) if now[name]]
    lost = _download(rctx, new, _on_archives(known, suites, lock))
    if lost:
        return "nor does anybody give {}, which is what the archive has now".format(_listed(["{} {}".format(package["name"], package["version"]) for package in lost]))
    changes = _changes(lock, now)
    if changes:
        rctx.file("unlocked.lock.json", json.encode(lock | {"packages": [now[name] or locked[name] for name in sorted(now)]}))
        rctx.file("unlocked.txt", "".join(["unlocked: {} ({})\n".format(change, source_path(rctx.attr.lock)) for change in changes]))
    return changes

def _said_of_now(rctx, lock, suites, known, missing):
    """For a build that stops: what the archive has now in place of what is missing, or why nobody knows."""
    now = _now(rctx, lock, suites, known, missing)
    if type(now) == "string":
        return "Either these can't be reached, or the archive has moved on to newer versions; what it has now is not known: {}".format(now)
    changes = _changes(lock, now)
    if not changes:
        return "The archive's indexes still name the locked versions, so these can't be reached, or are damaged there: try again, or ask another archive"
    return "The archive has moved on; it has now: {}".format(_listed(changes))

def _debs_impl(rctx):
    lock = json.decode(rctx.read(rctx.attr.lock))
    mend = "Run: bazel run {}".format(lock["update"]) if "update" in lock else "Make it again with the tool `lock`"
    suites = _suites(rctx, lock, mend)
    check_lists(rctx, lock, mend)
    bundle = vendor_bundle(rctx)
    if bundle:
        _fetch_bundled(rctx, lock, bundle)
    else:
        known = archives(rctx)
        missing, asked = _fetch(rctx, lock, suites, known)
        if missing:
            _go_on_unlocked(rctx, lock, suites, known, missing, asked, mend)
    rctx.file("BUILD.bazel", """filegroup(
    name = "debs",
    srcs = glob(
        ["debs/*.deb", "unlocked.*"],
        allow_empty = True,
    ),
    visibility = ["//visibility:public"],
)
""")

def _go_on_unlocked(rctx, lock, suites, known, missing, asked, mend):
    """Goes on with what the archive has now, and says so; or stops."""
    what = _not_had(rctx, missing, asked)
    choice = rctx.getenv("DEBIAN_UNLOCKED") or "allow"
    if choice == "refuse":
        said = _said_of_now(rctx, lock, suites, known, missing)
        fail("{}. {}. This build takes locked packages only (DEBIAN_UNLOCKED=refuse); so mend the lock. {}".format(what, said, mend))
    if choice != "allow":
        fail("DEBIAN_UNLOCKED: got {}, want allow or refuse".format(repr(choice)))
    changes = _unlocked(rctx, lock, suites, known, missing)
    if type(changes) == "string":
        fail("{}. Either these can't be reached, or the archive has moved on to newer versions; then mend the lock. {}. The build can't go on with what the archive has now: {}".format(what, mend, changes))
    if not changes:
        return

    # The only word that a repository rule can say.
    # buildifier: disable=print
    print("UNLOCKED BUILD: {}. This build goes on with what the archive has now: {}. All that is made of it says that it is unlocked (manifest.json, version.txt, :run): it is no release, and tomorrow or elsewhere it may have other bytes. To stop instead: --repo_env=DEBIAN_UNLOCKED=refuse. Mend the lock before a release. {}".format(what, _listed(changes), mend))

debs = repository_rule(
    implementation = _debs_impl,
    doc = "The .deb files of one lock.",
    attrs = {"lock": attr.label(mandatory = True, doc = "The lock file.")},
)
