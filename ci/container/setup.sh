#!/usr/bin/env bash
# Runs inside the container before each command: setup.sh CHECKOUT CACHE BASE COMMAND…
# Writes .bazelrc.container, and what it points to: a local registry and the Rust toolchain's folder.
# shellcheck disable=SC2016 # dpkg's variables
set -euo pipefail
checkout=$1 cache=$2 base=$3
shift 3
here=$checkout/ci/container
[ -f "$checkout/MODULE.bazel" ] || exec "$@"

# What this container's packages are: root.sh left it there; a container that was made otherwise (Dockerfile) is what dpkg says.
read -r container </etc/image-build-container || container="unlocked $(dpkg-query --show --showformat='${Package} ${Version} ${Architecture}\n' | LC_ALL=C sort | sha256sum | cut -d' ' -f1)"

# A folder of links stands for rules_rust's downloads (REPO.bazel marks a repository's root). Made aside and renamed, as is the
# registry: several commands may start at once.
rust=$base/rust
if [ ! -d "$rust" ]; then
  new=$(mktemp -d "$rust.XXXXXX")
  mkdir "$new/bin"
  for tool in cargo rustc rustdoc rustfmt clippy-driver cargo-clippy; do ln -s "/usr/bin/$tool" "$new/bin/$tool"; done
  ln -s /usr/lib/rustlib "$new/rustlib"
  : >"$new/REPO.bazel"
  cp "$here/toolchain.BUILD.bazel" "$new/BUILD.bazel"
  chmod 755 "$new"
  mv -T "$new" "$rust" 2>/dev/null || rm -rf "$new"
fi
# It is an input of every action that compiles or links: gcc, the linker and the C library are inputs of none, and reach what they make.
if [ "$container" != "$(cat "$rust/container" 2>/dev/null)" ]; then
  printf '%s\n' "$container" >"$rust/container.$$" && mv "$rust/container.$$" "$rust/container"
fi

# The registry answers for the versions that MODULE.bazel asks for, so it follows that file.
registry=$base/registry-$(sha256sum <"$checkout/MODULE.bazel" | cut -c1-16)
if [ ! -d "$registry" ]; then
  new=$(mktemp -d "$registry.XXXXXX")
  bash "$here/registry.sh" "$new" "$registry" "$checkout/MODULE.bazel"
  chmod 755 "$new"
  mv -T "$new" "$registry" 2>/dev/null || rm -rf "$new"
fi

mkdir -p "$cache/cargo"
rc=$checkout/.bazelrc.container
text="# Written by ci/container/container-run.sh; not part of the source.
startup --output_user_root=$cache/bazel
common --repository_cache=$cache/repositories
build --disk_cache=$cache/disk
build --experimental_disk_cache_gc_max_size=20G
# Tests have programs of the container for oracles: in another container they run again.
build --test_env=BUILD_CONTAINER=${container/ /-}
# The only registry is a local folder: a missing module is an error at once, never a time-out.
common --registry=file://$registry
# The lock file would record local paths.
common --lockfile_mode=off
# Debian's Rust in place of rules_rust's downloads.
common --override_repository=rules_rust~~rust~rust_toolchains=$rust
common --override_repository=rules_rust~~rust_host_tools~rust_host_tools=$rust"
# A release is not built with packages that nobody locked: Bazel stops at an option that it does not know, and prints it, so it is a sentence.
case $container in
  unlocked*) text+=$'\nbuild --define=build_container=unlocked\nbuild:release "--this_container_is_unlocked, so no release is built in it: its packages are not all those of ci/container/packages.lock.json. Mend it outside of it with: ci/container/container-run.sh --rebuild, if the archive was out of reach; --update, if it has moved on (then commit the lock). See docs/container.md"' ;;
esac
if [ "$text" != "$(cat "$rc" 2>/dev/null)" ]; then
  printf '%s\n' "$text" >"$rc.$$" && mv "$rc.$$" "$rc"
fi
exec "$@"
