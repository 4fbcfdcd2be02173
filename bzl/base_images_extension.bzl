"""The `base_images` module extension: base images that are published on a registry, fetched by the digest that is pinned.

```starlark
base_images = use_extension("@icos_images//bzl:base_images_extension.bzl", "base_images")
base_images.image(
    name = "server",
    debs = "@debs//:server",
    lock = "//server:packages.lock.json",
    pin = "//server:docker-base",
)
use_repo(base_images, "base_images")
```

`@base_images//:server` is what a `debian_base_image` takes as `debs`. Where the pin's first line has a registry (`registry.example/server@sha256:…`, written by a
`base_image_push`), that is the finished image, as skopeo fetched it; it is checked against the digest again when it is used. Else, or if the registry can't be
reached, which is said once, it is the packages of the lock, and the image is built: the digest is the same either way. A registry that
answers with other bytes stops the build.

An image that has other packages than the lock is never taken. With `--repo_env=BASE_IMAGES=build` nothing is fetched and everything is built.

How to log in to a registry, and whose certificates to trust, is skopeo's configuration; on this machine itself (localhost) no TLS is asked for.
"""

load("//bzl/private:alias_repository.bzl", "alias_repository")
load("//bzl/private:debian_lists.bzl", "check_lists")

# Bazel prints it before the next message; once for each fetch, not for each build.
def _say(text):
    # buildifier: disable=print
    print("\n" + text)

# How long a registry may take to show a manifest, and to hand out an image, in seconds.
_ANSWER = 30
_IMAGE = 1800

def _pinned(rctx):
    """What the pin says: struct of reference, digest and packages (name to version); None if the image is not published."""
    lines = rctx.read(rctx.attr.pin).split("\n")
    reference = lines[0].strip()
    name, at, digest = reference.partition("@")
    registry, slash, _ = name.partition("/")
    if not at or not slash or not ("." in registry or ":" in registry or registry == "localhost"):
        return None
    host = registry.rpartition(":")[0] or registry
    is_number = host.replace(".", "").isdigit()
    packages = {}
    for line in lines[1:]:
        words = line.split(" ")
        if len(words) == 3 and words[0] != "-":
            packages[words[0]] = words[1]
    return struct(
        digest = digest,
        is_loopback = host in ["localhost", "[::1]"] or (is_number and host.startswith("127.")),
        packages = packages,
        reference = reference,
    )

def _skopeo(rctx, skopeo, pinned, command, flag, arguments, timeout):
    """Runs skopeo on the image; struct of stdout, and of error, None if all went well."""
    insecure = [flag + "=false"] if pinned.is_loopback else []
    done = rctx.execute(
        [skopeo, "--insecure-policy"] + command + insecure + ["docker://" + pinned.reference] + arguments,
        timeout = timeout,
    )
    if done.return_code == 0:
        return struct(error = None, stdout = done.stdout)
    error = done.stderr.strip() or "skopeo ended with {}, or took more than {} seconds".format(done.return_code, timeout)

    # What came has another digest: this is no registry that is down.
    if "not match" in error:
        fail("{}: the registry gave other bytes than those of {}: {}. Either the image there was damaged or changed; publish it again (push), or build without it: --repo_env=BASE_IMAGES=build".format(
            rctx.attr.pin,
            pinned.reference,
            error,
        ))
    return struct(error = error, stdout = "")

def _fetch(rctx, pinned):
    """Fetches the image; why not, or None."""
    lock = json.decode(rctx.read(rctx.attr.lock))
    locked = {package["name"]: package["version"] for package in lock["packages"]}
    if locked != pinned.packages:
        differ = [name for name in sorted(locked | pinned.packages) if locked.get(name) != pinned.packages.get(name)]
        return "its packages are not those of {} ({} differ: {})".format(rctx.attr.lock, len(differ), ", ".join(differ[:4]))
    skopeo = rctx.which("skopeo")
    if not skopeo:
        return "skopeo, which speaks to registries, is not in PATH"
    shown = _skopeo(rctx, skopeo, pinned, ["inspect", "--raw"], "--tls-verify", [], _ANSWER)
    if shown.error:
        return shown.error
    manifest = json.decode(shown.stdout)
    layers = manifest.get("layers", [])
    if len(layers) != 1 or layers[0]["mediaType"] != "application/vnd.oci.image.layer.v1.tar":
        fail("{}: {} has {} layers, want one that is not compressed: an image that a base_image_push published".format(rctx.attr.pin, pinned.reference, len(layers)))
    rctx.report_progress("fetching " + pinned.reference)
    done = _skopeo(rctx, skopeo, pinned, ["copy", "--quiet", "--preserve-digests"], "--src-tls-verify", ["oci:layout:base"], _IMAGE)
    if done.error:
        return done.error
    for name, digest in {
        "config.json": manifest["config"]["digest"],
        "image.tar": layers[0]["digest"],
        "manifest.json": pinned.digest,
    }.items():
        rctx.symlink("layout/blobs/" + digest.replace(":", "/"), name)
    return None

def _base_image_impl(rctx):
    pinned = _pinned(rctx)
    lock = json.decode(rctx.read(rctx.attr.lock))
    check_lists(rctx, lock, "Run: bazel run {}".format(lock["update"]) if "update" in lock else "Make it again with the tool `lock`")
    wanted = rctx.getenv("BASE_IMAGES", "pull")
    if wanted not in ["build", "pull"]:
        fail("BASE_IMAGES: got {}, want build or pull".format(repr(wanted)))

    # From a bundle: nothing else is asked.
    if pinned and wanted == "pull" and not rctx.getenv("VENDOR"):
        rctx.report_progress("asking for " + pinned.reference)
        why = _fetch(rctx, pinned)
        if why == None:
            rctx.file("BUILD.bazel", """load({}, "published_base_image")

published_base_image(
    name = "image",
    config = "config.json",
    digest = {},
    manifest = "manifest.json",
    tar = "image.tar",
    visibility = ["//visibility:public"],
)
""".format(repr(str(Label("//bzl/private:published_base_image.bzl"))), repr(pinned.digest)))
            return
        _say("WARNING: {} names a published base image, which is not used: {}. It is built here instead, to the same digest.".format(rctx.attr.pin, why))
    rctx.file("BUILD.bazel", """alias(
    name = "image",
    actual = {},
    visibility = ["//visibility:public"],
)
""".format(repr(rctx.attr.debs)))

_base_image = repository_rule(
    implementation = _base_image_impl,
    doc = "One base image, or what it is built from.",
    attrs = {
        "debs": attr.string(mandatory = True, doc = "Label of the packages."),
        "lock": attr.label(mandatory = True, doc = "The lock file."),
        "pin": attr.label(mandatory = True, doc = "The pin file."),
    },
)

_image = tag_class(
    doc = "One base image as `@base_images//:NAME`.",
    attrs = {
        "debs": attr.label(
            mandatory = True,
            doc = "What it is built from: `@debs//:NAME` of the extension `debian`.",
        ),
        "lock": attr.label(
            mandatory = True,
            doc = "The lock file of these; a published image of other packages is not taken.",
        ),
        "name": attr.string(mandatory = True, doc = "Name of the target in `@base_images`."),
        "pin": attr.label(
            mandatory = True,
            doc = "The pin file, whose first line is `NAME@sha256:DIGEST` or `REGISTRY/NAME@sha256:DIGEST`.",
        ),
    },
)

_ALL = "base_images"

def _base_images_impl(mctx):
    images = {}
    for module in mctx.modules:
        for tag in module.tags.image:
            if tag.name == _ALL:
                fail("image: got name {} for {}, want another one: it is the repository of all images".format(repr(_ALL), tag.pin))
            if tag.name in images:
                fail("image: {} is the name of {} and of {}".format(tag.name, images[tag.name], tag.pin))
            images[tag.name] = tag.pin
            _base_image(name = tag.name, debs = str(tag.debs), lock = tag.lock, pin = tag.pin)
    alias_repository(name = _ALL, names = images.keys(), target = "image")
    return mctx.extension_metadata(reproducible = True)

base_images = module_extension(
    implementation = _base_images_impl,
    doc = "Base images, fetched where they are published.",
    tag_classes = {"image": _image},
)
