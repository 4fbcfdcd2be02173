#!/usr/bin/env bash
# Crates from outside: each under a licence of rust/deny.toml, each from the registry with a checksum.
# usage: ci/deny.sh [--full]
#   --full  with cargo-deny too, built once (minutes): bans, and known vulnerabilities, whose list it fetches from the network
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
case ${1:-} in
  --help | -h) sed -n '2,4s/^# //p' "$0"; exit 0 ;;
  '' | --full) ;;
  *) echo "unknown option $1; see --help" >&2; exit 2 ;;
esac
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/deny.sh "$@"
fail() { echo "FAIL deny: $*"; exit 1; }
metadata=$(mktemp)
trap 'rm -f "$metadata"' EXIT
for lock in rust/Cargo.lock rust/fuzz/Cargo.lock; do
  cargo metadata --quiet --locked --format-version 1 --filter-platform x86_64-unknown-linux-gnu --manifest-path "${lock%.lock}.toml" >"$metadata" ||
    fail "$lock is not what Cargo.toml asks for"
  python3 ci/deny.py rust/deny.toml "$lock" "$metadata" || fail "$lock"
done
if [ "${1:-}" = --full ]; then
  version=0.18.5
  tool=$IMAGE_BUILD_CACHE/cargo-deny-$version
  [ -x "$tool/bin/cargo-deny" ] || cargo install --quiet --locked --root "$tool" "cargo-deny@$version" || fail "cargo-deny can't be had"
  (cd rust && "$tool/bin/cargo-deny" check) || fail "cargo-deny"
fi
echo "PASS deny"
