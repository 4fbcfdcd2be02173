"""Crates from Cargo.lock and the checked-in crates.json; cargo-bazel runs only in repin.py.

No URL here: `cargo fetch` (with cargo's own settings and mirrors) brings the files, Bazel checks them against Cargo.lock. With
`--repo_env=VENDOR=DIR` they come from a bundle (docs/formats/vendor.md), and cargo is not asked.
"""

load("//rust/crates:bundle.bzl", "unpack_from_bundle")
load("//rust/crates:rules_rust.bzl", "tinyjson")

def _locked(text):
    """{(name, version): sha256} of the registry packages in a Cargo.lock."""
    found = {}
    for block in text.split("[[package]]")[1:]:
        keys = {}
        for line in block.split("\n"):
            key, _, value = line.partition(" = ")
            if value.startswith("\""):
                keys[key] = value.strip("\"")
        if "checksum" in keys:
            found[(keys["name"], keys["version"])] = keys["checksum"]
    return found

def _crate_impl(rctx):
    stem = "{}-{}".format(rctx.attr.crate, rctx.attr.version)
    if not unpack_from_bundle(rctx, "rust/Cargo.lock", stem, rctx.attr.sha256):
        _fetch(rctx, stem)
    rctx.file("BUILD.bazel", rctx.attr.build)

def _fetch(rctx, stem):
    """Unpacks a crate from Bazel's repository cache or cargo's folder; if it is in neither, cargo brings it."""
    home = rctx.os.environ.get("CARGO_HOME") or rctx.os.environ["HOME"] + "/.cargo"
    cache = rctx.path(home + "/registry/cache")

    def get():
        dirs = cache.readdir(watch = "no") if cache.exists else []
        files = [d.get_child(stem + ".crate") for d in dirs]
        for path in [f for f in files if f.exists] or [cache.get_child("absent")]:
            # A hit in the repository cache (by SHA-256) needs no file at all.
            done = rctx.download_and_extract("file://" + str(path), sha256 = rctx.attr.sha256, type = "tar.gz", stripPrefix = stem, allow_fail = True)
            if done.success:
                return True
        return False

    if not get():
        res = rctx.execute([rctx.path(rctx.attr._cargo), "fetch", "--locked", "--manifest-path", rctx.path(rctx.attr.manifest)], timeout = 600)
        if res.return_code or not get():
            fail("cargo fetch did not bring {}: {}".format(stem, res.stderr))

_crate = repository_rule(
    implementation = _crate_impl,
    attrs = {
        "build": attr.string(mandatory = True),
        "crate": attr.string(mandatory = True),
        "manifest": attr.label(mandatory = True),
        "sha256": attr.string(mandatory = True),
        "version": attr.string(mandatory = True),
        "_cargo": attr.label(default = "@rust_host_tools//:bin/cargo"),
    },
    environ = ["CARGO_HOME"],
)

def _hub_impl(rctx):
    for name, text in rctx.attr.files.items():
        rctx.file(name, text)

_hub = repository_rule(implementation = _hub_impl, attrs = {"files": attr.string_dict()})

def _impl(mctx):
    lock = _locked(mctx.read(Label("//rust:Cargo.lock")))
    pinned = json.decode(mctx.read(Label("//rust/crates:crates.json")))
    for key, build in pinned["crates"].items():
        name, version = key.split(" ")
        if (name, version) not in lock:
            fail("crates.json has {}, Cargo.lock has not: run rust/crates/repin.sh".format(key))
        _crate(
            name = "crates__{}-{}".format(name, version.replace("+", "-")),
            build = build,
            crate = name,
            manifest = "//rust:Cargo.toml",
            sha256 = lock[(name, version)],
            version = version,
        )
    if pinned["lock"] != sorted(["{} {}".format(n, v) for n, v in lock]):
        fail("Cargo.lock has changed: run rust/crates/repin.sh")
    _hub(name = "crates", files = pinned["hub"])
    tinyjson(name = "tinyjson")
    return mctx.extension_metadata(reproducible = True)

crates = module_extension(implementation = _impl)
