#!/usr/bin/env bash
# The tests that need real root, many users and namespaces, which Bazel's sandbox does not allow; among them: the same Dockerfile
# through mkrootfs and through buildah gives the same tree. Bazel builds them, and they run outside of it.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/real-root.sh "$@"
if [ "$(awk 'NR == 1 { print $3 }' /proc/self/uid_map)" -lt 4294967295 ]; then
  echo "SKIP real-root: this container is an ordinary user's"
  exit 77
fi
fail() { echo "FAIL real-root: $*"; exit 1; }
# tests FILE…: the tests that these sources are part of.
tests() {
  local labels
  labels=$(sed -E 's#(.*)/tests/#//\1:tests/#' <<<"$1")
  bazel query --noshow_progress "kind(rust_test, same_pkg_direct_rdeps(set(${labels//$'\n'/ })))"
}
# What is ignored elsewhere runs here, but for what wants a device-mapper with dm-crypt.
sources=$(grep -rlE --include='*.rs' '^ *#\[ignore' rust/*/*/tests rust/tools/tests | xargs grep -LE '#\[ignore.*device-mapper')
ignored=$(tests "$sources")
# Mounts file systems that share extents; in Bazel's sandbox these tests say that they can't.
mounted=$(tests rust/lib/materialize/tests/mounted.rs)
[ -n "$ignored" ] && [ -n "$mounted" ] || fail "Bazel knows no test of $sources"
# shellcheck disable=SC2086 # labels
bazel build --noshow_progress $ignored $mounted || fail "the tests do not build"
failed=()
# run TEST ARGUMENT…: from where its files are, as Bazel does, but outside of any sandbox.
run() {
  local test=$1 program
  shift
  echo "== $test"
  program=$(bazel cquery --noshow_progress --output=files "$test" 2>/dev/null)
  (cd "$program.runfiles/_main" && exec "$OLDPWD/$program" "$@") || failed+=("$test")
}
for test in $ignored; do run "$test" --ignored --test-threads 1; done
for test in $mounted; do run "$test" --nocapture; done
[ ${#failed[@]} -eq 0 ] || fail "${failed[*]}"
echo "PASS real-root"
