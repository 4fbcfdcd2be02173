#!/usr/bin/env bash
# registry.sh FOLDER FINAL MODULE.bazel: writes to FOLDER a Bazel registry of local folders (it will be renamed to FINAL): Debian's packaged
# modules under every version that MODULE.bazel and those modules ask for, and empty modules for what no build of ours uses.
set -euo pipefail
registry=$1 final=$2 module=$3
mkdir -p "$registry/modules" "$registry/stubs"

# In every graph through bazel_tools or rules_rust, used by no target here.
for name in protobuf apple_support buildozer zlib aspect_rules_js; do
  mkdir "$registry/stubs/$name"
  echo "module(name = \"$name\")" >"$registry/stubs/$name/MODULE.bazel"
  : >"$registry/stubs/$name/BUILD.bazel"
done
# `bazel mod graph` evaluates every extension: this one has to exist.
cat >"$registry/stubs/buildozer/buildozer_binary.bzl" <<'BZL'
def _repo_impl(rctx):
    rctx.file("BUILD.bazel", "")

_repo = repository_rule(implementation = _repo_impl)

buildozer_binary = module_extension(implementation = lambda _: _repo(name = "buildozer_binary"))
BZL
echo '{}' >"$registry/bazel_registry.json"

# name: the folder at build time and its final name, which differ for the stubs
folder() {
  case $1 in
    rules_rust | rules_shell | rules_pkg) echo "/usr/share/bazel/rules/${1#rules_}" ;;
    stardoc | bazel_lib) echo "/usr/share/bazel/tools/$1" ;;
    *) if [ -d "$registry/stubs/$1" ]; then echo "$registry/stubs/$1"; fi ;;
  esac
}

cat "$module" /usr/share/bazel/*/MODULE.bazel /usr/share/bazel/*/*/MODULE.bazel | tr -d '\n' | grep -oE 'bazel_dep\([^)]*\)' |
  sed -nE 's/.*name *= *"([^"]+)".*version *= *"([^"]+)".*/\1 \2/p' | sort -u |
  while read -r name version; do
    source=$(folder "$name")
    [ -n "$source" ] || continue
    entry=$registry/modules/$name/$version
    mkdir -p "$entry"
    sed -E "0,/version *=/s/^( *)version *= *\"[^\"]*\"/\1version = \"$version\"/" "$source/MODULE.bazel" |
      sed -E "s/^module\(name = \"$name\"\)$/module(name = \"$name\", version = \"$version\")/" >"$entry/MODULE.bazel"
    echo "{\"type\": \"local_path\", \"path\": \"${source/#$registry/$final}\"}" >"$entry/source.json"
  done
