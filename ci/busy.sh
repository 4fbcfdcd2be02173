#!/usr/bin/env bash
# Tests that start programs and wait for them, 30 times each (or $1) beside four busy loops: one that looks before it is there fails.
# Not part of ci/test.sh: it takes as long as the tests, 30 times.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." || exit
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/busy.sh "$@"
runs=${1:-30}
loops=()
trap 'kill "${loops[@]}" 2>/dev/null' EXIT
# Built before there is competition. With code of their own in tests/*.rs, or with programs started by unit tests.
tests=$(bazel query --noshow_progress 'filter("_(process|requests|confirm|fetch|install|consoles|cli|strangers|server)_test$|:(vm|imgdump|media|mkdeployment|plans|runvm)_test$",
  kind("rust_test rule", //rust/os/... + //rust/tools/... + //rust/lib/nbd/... + //rust/lib/vm/... + //rust/lib/vsock_api/...))') || exit
[ -n "$tests" ] || { echo 'FAIL busy: no tests found'; exit 1; }
# shellcheck disable=SC2086
bazel build --noshow_progress $tests || { echo 'FAIL busy: the tests do not build'; exit 1; }
for _ in 1 2 3 4; do
  while :; do :; done &
  loops+=($!)
done
# shellcheck disable=SC2086
if bazel test --noshow_progress --runs_per_test="$runs" --test_output=errors $tests; then
  echo "PASS busy: $(wc -w <<<"$tests") tests, $runs times each"
else
  echo 'FAIL busy: a test fails on a busy machine'
  exit 1
fi
