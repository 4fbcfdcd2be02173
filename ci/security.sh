#!/usr/bin/env bash
# usage: ci/security.sh [FLAG…]
# Fails if a package in a lock of an image is older than what the security archive has, or one of the build container's lock (docs/packages.md). FLAGs are for the
# tool `lock`, such as --accept-expired. Needs a network; skipped (exit status 77) where no archive is in reach. Not part of ci/test.sh: what passes today
# may fail tomorrow, with nothing changed here. That it can fail is: ci/security-test.sh.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/security.sh "$@"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
mend=() apart='' unreachable=''
# check MEND TARGET FLAG…: of what is older, MEND says what to do.
check() {
  local say=$1
  shift
  bazel build --noshow_progress --ui_event_filters=-info "$1"
  { bazel run --noshow_progress --ui_event_filters=-info "$1" -- --check=security "${@:2}" 2>&1 >&3 | tee "$log" >&2; } 3>&1 && return
  if grep -q 'lock: error: .*older than' "$log"; then
    mend+=("$say")
  elif grep -qE 'Could not (resolve|connect)|Unable to connect|Temporary failure|timed out|names no Debian archive' "$log"; then
    unreachable=1
  else
    apart=1
  fi
}
check 'bazel run //ic-os:lock -- --upgrade' //ic-os:lock "$@"
# The container is of Debian's next release, which has no security archive worth the name: fixes come to it as new versions. So it is compared with the suites of
# the images: whose version is lower than one in which a flaw of the stable release was fixed has it still.
lock=ci/container/packages.lock.json
mapfile -t suites < <(sed -nE 's/^ *\{"suite": "([a-z-]+)", "root": .*/--suite=\1/p' ic-os/guestos/context/packages.prod.lock.json)
check 'ci/container/container-run.sh --update, outside of the container (what has no fix there yet stays older)' \
  //rust/tools:lock "${suites[@]}" "--lock=$lock=ci/container/packages.txt" "$@"
if [ ${#mend[@]} -gt 0 ]; then
  echo "FAIL security: the packages above"
  printf 'mend it with: %s\n' "${mend[@]}"
  exit 1
elif [ -n "$apart" ]; then
  echo "FAIL security: the locks could not be compared (above)"
  exit 1
elif [ -n "$unreachable" ]; then
  echo "SKIP security: no archive is in reach"
  exit 77
fi
echo "PASS security"
