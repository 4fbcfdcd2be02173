#!/usr/bin/env bash
# Run in the container after a change of dependencies: brings rust/Cargo.lock up to date and writes rust/crates/crates.json from it.
# The generator (cargo-bazel) is built once from the source that Debian ships with its rules_rust, and kept in the cache folder.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh rust/crates/repin.sh "$@"
source=/usr/share/bazel/rules/rust/crate_universe
version=$(dpkg-query -W -f '${Version}' bazel-rules-rust)-$(rustc --version | cut -d' ' -f2)
tool=$IMAGE_BUILD_CACHE/cargo-bazel-$version
if [ ! -x "$tool" ]; then
  echo "repin: building cargo-bazel (a few minutes, once)" >&2
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cp -rL "$source" "$work/src"
  (cd "$work/src" && CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$work/target \
    cargo build --locked --package cargo-bazel --bin cargo-bazel)
  cp "$work/target/debug/cargo-bazel" "$tool.$$" && mv "$tool.$$" "$tool"
fi
cargo update --workspace --manifest-path rust/Cargo.toml
exec python3 rust/crates/repin.py "$tool"
