#!/usr/bin/env bash
# Fails if a package in a lock of an image is older than what the security archive has. Needs a network; skipped (exit status 77) where no archive is
# in reach. Not part of ci/test.sh: what passes today may fail tomorrow, with nothing changed here. What to do then: docs/packages.md.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/security.sh "$@"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
bazel build --noshow_progress //ic-os:lock
status=0
bazel run --noshow_progress //ic-os:lock -- --check=security 2> >(tee "$log" >&2) || status=$?
if [ "$status" = 0 ]; then
  echo "PASS security"
elif grep -q 'lock: error: .*older than' "$log"; then
  echo "FAIL security: the packages above; mend it with: bazel run //ic-os:lock -- --upgrade"
  exit 1
elif grep -qE 'Could not (resolve|connect)|Unable to connect|Temporary failure|timed out|names no Debian archive' "$log"; then
  echo "SKIP security: no archive is in reach"
  exit 77
else
  echo "FAIL security: the locks could not be compared (above)"
  exit 1
fi
