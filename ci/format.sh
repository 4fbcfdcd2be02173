#!/usr/bin/env bash
# Rust as rustfmt lays it out; shell scripts that shellcheck has nothing to say against.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/format.sh "$@"
fail() { echo "FAIL format: $*"; exit 1; }
cargo fmt --manifest-path rust/Cargo.toml --all --check || fail "mend it with: cd rust && cargo fmt --all"
# What cargo does not know of.
git ls-files -z -- 'tests/*.rs' | xargs -0 --no-run-if-empty rustfmt --edition 2021 --check || fail "mend it with: rustfmt FILE"
git grep -lzIE '^#!.*\b(ba)?sh$' -- ':!*.md' ':!*.rs' ':!*Dockerfile' | xargs -0 shellcheck --external-sources --severity=warning ||
  fail "shellcheck's remarks are above"
echo "PASS format"
