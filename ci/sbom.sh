#!/usr/bin/env bash
# usage: ci/sbom.sh [--all]
# The bill of materials of GuestOS dev (--all: of all six images) before others' eyes: spdx-tools finds nothing to say against it; its files and their digests are those
# that imgdump reads in the disk; each has one owner; its Debian packages are those of packages.txt.
# Exit status 77: skipped, for want of spdx-tools: started outside of the container, on a machine with pip, this gets it into the cache folder.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
cache=${IMAGE_BUILD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/image-build}
tools=$cache/tools/sbom-$(sha256sum ci/sbom.txt | cut -c1-16)
if [ ! -e /etc/image-build-container ]; then
  if [ ! -d "$tools" ] && python3 -m pip --version >/dev/null 2>&1; then
    mkdir -p "$tools.$$"
    trap 'rm -rf "$tools.$$"' EXIT
    python3 -m pip install --quiet --no-deps --require-hashes --only-binary=:all: --target "$tools.$$" --requirement ci/sbom.txt &&
      mv -T "$tools.$$" "$tools"
  fi
  exec ci/container/container-run.sh ci/sbom.sh "$@"
fi
fail() { echo "FAIL sbom: $*"; exit 1; }
if [ ! -d "$tools" ]; then
  echo "SKIP sbom: no $tools. Outside of the container, where python3 has pip:"
  echo "  python3 -m pip install --no-deps --require-hashes --only-binary=:all: --target $tools --requirement ci/sbom.txt"
  exit 77
fi
case "$*" in
  '') envs=(guestos/envs/dev) ;;
  --all) envs=({guestos,hostos,setupos}/envs/{dev,prod}) ;;
  *) fail "got $*, want nothing or --all" ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for env in "${envs[@]}"; do
  env=ic-os/$env
  bazel build "//$env:disk" "//$env:manifest" "//$env:sbom" //rust/tools:imgdump >"$work/log" 2>&1 || { tail -n 30 "$work/log"; fail "$env is not built"; }
  bazel-bin/rust/tools/imgdump "bazel-bin/$env/disk.img" >"$work/dump" || fail "imgdump can't read the disk of $env"
  PYTHONPATH=$tools python3 ci/sbom.py "bazel-bin/$env/sbom.spdx.json" "bazel-bin/$env/packages.txt" "$work/dump" "bazel-bin/$env/disk.img" || fail "$env: see above"
done
echo "PASS sbom"
