#!/usr/bin/env python3
"""Write crates.json from rust/Cargo.toml and rust/Cargo.lock: repin.py CARGO_BAZEL (run by repin.sh).

crates.json holds the BUILD files that crate_universe's generator makes for every crate, and no address of any registry.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

here = pathlib.Path(__file__).resolve().parent
top = here.parent


def members():
    """Every Cargo.toml of the workspace with its Bazel label."""
    out = {str(top / "Cargo.toml"): "//rust:Cargo.toml"}
    for folder in tomllib.loads((top / "Cargo.toml").read_text())["workspace"]["members"]:
        out[str(top / folder / "Cargo.toml")] = f"//rust/{folder}:Cargo.toml"
    return out


def generate(cargo_bazel, tmp):
    """Run splice and generate; returns (hub files, {"name version": BUILD text})."""

    def put(name, value):
        (tmp / name).write_text(json.dumps(value) if value != "" else "")
        return str(tmp / name)

    common = [
        "--config", str(here / "config.json"),
        "--splicing-manifest", put("splicing.json", {
            "cargo_config": None, "direct_packages": {}, "resolver_version": "2", "manifests": members()}),
        "--cargo-lockfile", str(top / "Cargo.lock"), "--cargo", "cargo", "--rustc", "rustc",
    ]
    index = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo")) / "registry/index"
    subprocess.run(["cargo", "fetch", "--locked", "--manifest-path", top / "Cargo.toml"], check=True)
    # cargo 1.85 renamed its folder of the default index; the generator looks for the old name.
    for new in index.glob("*-1949cf8c6b5b557f"):
        old = new.with_name(new.name.replace("1949cf8c6b5b557f", "6f17d22bba15001f"))
        if not old.exists():
            old.symlink_to(new.name)
    env = dict(os.environ, CARGO="/usr/bin/cargo", RUSTC="/usr/bin/rustc")

    def run(*args):
        subprocess.run([cargo_bazel, *map(str, args)], check=True, env=env)

    run("splice", "--output-dir", tmp / "splice", *common)
    run("generate", *common, "--repository-dir", tmp, "--metadata", tmp / "splice/metadata.json",
        "--repin", "--lockfile", put("lock.json", ""))
    crates = {}
    for crate in json.loads((tmp / "lock.json").read_text())["crates"].values():
        if crate["repository"]:
            key = f'{crate["name"]} {crate["version"]}'
            crates[key] = (tmp / "crates" / f'BUILD.{crate["name"]}-{crate["version"]}.bazel').read_text()
    return {f: (tmp / "crates" / f).read_text() for f in ("BUILD.bazel", "defs.bzl")}, crates


with tempfile.TemporaryDirectory() as folder:
    hub, crates = generate(sys.argv[1], pathlib.Path(folder))
# The rest of defs.bzl is download addresses of this machine's registry: extension.bzl does without.
text = re.sub(r'load\("@bazel_tools//.*\n', "", hub["defs.bzl"])
hub["defs.bzl"] = text.split("\n#" + "#" * 78 + "\n\ndef crate_repositories")[0].rstrip() + "\n"
assert "://" not in "".join([*hub.values(), *crates.values()]), "an address would enter crates.json"
lock = sorted(f'{p["name"]} {p["version"]}' for p in tomllib.loads((top / "Cargo.lock").read_text())["package"] if "checksum" in p)
(here / "crates.json").write_text(json.dumps({"lock": lock, "hub": hub, "crates": crates}, indent=1, sort_keys=True) + "\n")
print(f"repin: {len(crates)} crates in {here / 'crates.json'}", file=sys.stderr)
