#!/usr/bin/env bash
# A stranger's module, tests/e2e/appliance: this one is a dependency of it, as of any other. With tools from source everything is analysed and one
# crate compiled; with the packed tools, taken by their digest, no tool is, and its disk is built and boots. Works on a scratch copy.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/e2e.sh "$@"
fail() { echo "FAIL e2e: $*"; exit 1; }
scratch=$(mktemp -d "$IMAGE_BUILD_CACHE/scratch.XXXXXX")
clean() {
  (cd "$scratch/tests/e2e/appliance" 2>/dev/null && bazel clean --expunge >/dev/null 2>&1) || true
  rm -rf "$scratch" "$scratch.log"
}
trap clean EXIT
# step WHAT COMMAND…: what it prints is shown if it fails.
step() {
  local what=$1 start=$SECONDS
  shift
  "$@" >"$scratch.log" 2>&1 || { tail -n 40 "$scratch.log"; fail "$what"; }
  echo "e2e: $what: $((SECONDS - start)) s; $(sed -nE 's/^INFO: ([0-9]+ process.*)\.$/\1/p' "$scratch.log" | tail -n 1)"
}
# compiled: how many of the toolkit's crates and tools the disk and its test need compiled.
compiled() {
  bazel aquery --noshow_progress --output=text 'mnemonic("Rustc", deps(//...))' 2>"$scratch.log" >"$scratch/actions" || { tail -n 30 "$scratch.log"; fail "the actions can't be listed"; }
  grep -cE '^ *Target: @@icos_images~' "$scratch/actions" || true
}

step "the tools are packed" bazel build //bzl/toolchain:prebuilt //bzl/toolchain:prebuilt_sha256
tools=$(readlink -f bazel-bin/bzl/toolchain/image-tools.tar)
read -r sha256 _ <bazel-bin/bzl/toolchain/image-tools.sha256

git ls-files -z | xargs -0 cp --parents -t "$scratch" 2>/dev/null || true # a file deleted but not yet committed is none
cp .bazelrc.container "$scratch/"
cd "$scratch/tests/e2e/appliance"
lines=$(wc -l <BUILD.bazel)
[ "$lines" -le 45 ] || fail "BUILD.bazel has $lines lines, at most 45 wanted"

step "tools from source: everything is analysed" bazel build --nobuild //...
[ "$(compiled)" -gt 20 ] || fail "the tools are not those from source"
step "tools from source: the crate below all of them" bazel build @icos_images//rust/lib/base

cat >>MODULE.bazel <<BAZEL

image_tools = use_extension("@icos_images//bzl:tools_extension.bzl", "image_tools")
image_tools.prebuilt(
    sha256 = "$sha256",
    url = "$tools",
)
use_repo(image_tools, "image_tools")

register_toolchains("@image_tools//:toolchain")
BAZEL
[ "$(compiled)" -eq 0 ] || { grep -E '^ *Target: @@icos_images~' "$scratch/actions" | sort -u; fail "prebuilt tools: these are compiled nevertheless"; }
step "prebuilt tools: the disk is built, and boots" bazel test //...
# Before the next command, whose target has no configuration: it takes the link away.
disk=$(readlink -e bazel-bin/disk.img) || fail "there is no disk.img"
step "prebuilt tools: a tool by hand" bazel run @image_tools//:imgdump -- ls "$disk" A_root:/usr/bin/appliance
echo "PASS e2e"
