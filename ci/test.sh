#!/usr/bin/env bash
# Every test: Bazel's, then one script per job. Ends with a line "N passed, N failed, N skipped".
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." || exit
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/test.sh "$@"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
bazel test --keep_going //... 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
# Bazel's summary has a line per test: "//pkg:name … PASSED in 1.2s", "(cached) PASSED", "FAILED", "TIMEOUT", "NO STATUS", "SKIPPED".
passed=$(grep -cE '^//[^ ]+ .*PASSED in ' "$log")
failed=$(grep -cE '^//[^ ]+ .*(FAILED|TIMEOUT|NO STATUS)' "$log")
skipped=$(grep -cE '^//[^ ]+ .*SKIPPED' "$log")
echo "== bazel test: $SECONDS s"
# A build that fails beside its tests has no line for it.
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi

# A job that is worth something with locked packages only is skipped where the archive no longer has them (ci/locked.sh).
export UNLOCKED=skip
for job in promises format deny starlark container-test archive security-test docs sbom 'fuzz --compile' real-root requirements report oci base-images-test bundle late-injection e2e 'reproduce --short'; do
  read -r name args <<<"$job"
  start=$SECONDS
  echo "== ci/$name.sh $args"
  "ci/$name.sh" ${args:+"$args"}
  case $? in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) ;;
  esac
  echo "== ci/$name.sh: $((SECONDS - start)) s"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
