#!/usr/bin/env bash
# What a commit needs, in two minutes if most of it was built before: layout, lints, everything analysed, analysis tests, and the tests of
# the packages that changed. No image is built and nothing boots: ci/test.sh does that.
# ci/check.sh [COMMIT]: changed since COMMIT; if not said, since this branch left origin/main, else since the last commit.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/check.sh "$@"
[ $# -le 1 ] || { echo "usage: ci/check.sh [COMMIT]" >&2; exit 2; }
since=${1:-$(git merge-base HEAD origin/main 2>/dev/null || echo HEAD)}
git rev-parse --verify --quiet "$since^{commit}" >/dev/null || { echo "check: no commit $since" >&2; exit 2; }

# A changed file's package is the nearest folder above it, or its own, that is one.
declare -A rust=() other=([//bzl/tests/...]=1 [//components/...]=1 [//docs/rules/...]=1)
while IFS= read -rd '' file; do
  folder=$(dirname "$file")
  while [ ! -f "$folder/BUILD.bazel" ] && [ "$folder" != . ]; do folder=$(dirname "$folder"); done
  case $folder in
    # A module of its own: ci/e2e.sh.
    . | tests/e2e/*) ;;
    rust/*) rust[//$folder:all]=1 ;;
    *) other[//$folder:all]=1 ;;
  esac
done < <(git diff --name-only -z "$since" && git ls-files --others --exclude-standard -z)
echo "check: since $(git rev-parse --short "$since"), packages: ${!rust[*]} ${!other[*]}"

failed=()
# step NAME COMMAND…: what it prints is shown if it fails.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
step() {
  local name=$1 start=$SECONDS status=0
  shift
  "$@" >"$log" 2>&1 || status=$?
  case $status in
    # 4: Bazel found no test among these packages, and built them.
    0 | 4) echo "ok: $name ($((SECONDS - start)) s)" ;;
    77) tail -n 3 "$log" ;;
    *)
      cat "$log"
      echo "failed: $name ($((SECONDS - start)) s)"
      failed+=("$name")
      ;;
  esac
}
quick=(--noshow_progress --keep_going "--test_size_filters=small,medium")
step promises ci/promises.sh
step format ci/format.sh
step starlark ci/starlark.sh
step "everything loads and is analysed" bazel build --noshow_progress --nobuild //...
step "analysis tests, and tests beside what changed" bazel test "${quick[@]}" --build_tests_only "${!other[@]}"
# Clippy is no test: it runs when these packages are built.
[ "${#rust[@]}" -eq 0 ] || step "crates: tests, clippy, rustfmt" bazel test "${quick[@]}" "${!rust[@]}"
if [ "${#failed[@]}" -gt 0 ]; then
  printf 'FAIL check: %s\n' "$(IFS=';' && echo "${failed[*]}")"
  exit 1
fi
echo "PASS check ($SECONDS s)"
