"""The `debian` module extension: the .deb files of a lock, fetched by SHA-256 from wherever they are to be had.

```starlark
debian = use_extension("@icos_images//bzl:debian_extension.bzl", "debian")
debian.packages(name = "server", lock = "//server:packages.lock.json")
use_repo(debian, "debs")
```

`@debs//:server` is then every .deb of the lock; it is short for `@server//:debs`, a repository that needs a `use_repo` of its own. No host name is written anywhere:
where files lie on an archive is in the lock, which archive is apt's business, and what they must contain is checked. So is whether the lock is older than the
lists that it says it was made from. A package is looked for in this order:

1. Bazel's repository cache;
2. a bundle, if `--repo_env=VENDOR=DIR` names one: then nothing else is asked, and no network is used;
3. the machine's archive: DEBIAN_MIRROR and, for security updates, DEBIAN_SECURITY_MIRROR, then the archives of apt's sources, then the security root beside a main one;
4. a snapshot service, if DEBIAN_SNAPSHOT says where one is, such as `https://…/{root}/{timestamp}/{path}`; `{root}` becomes `debian` or `debian-security`.

What is nowhere to be had is replaced by what the archive has now, and all that is made of it says that it is unlocked; with `--repo_env=DEBIAN_UNLOCKED=refuse` the build
stops instead. docs/guides/archive.md has the whole.
"""

load("//bzl/private:alias_repository.bzl", "alias_repository")
load("//bzl/private:debian_debs.bzl", "debs")

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
            debs(name = tag.name, lock = tag.lock)
    alias_repository(name = _ALL, names = locks.keys(), target = "debs")
    return mctx.extension_metadata(reproducible = True)

debian = module_extension(
    implementation = _debian_impl,
    doc = "Repositories of locked Debian packages.",
    tag_classes = {"packages": _packages},
)
