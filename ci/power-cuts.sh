#!/usr/bin/env bash
# ci/power-cuts.sh [TEST]
#   The power goes at every moment of a booted upgrade: the disk of each moment that differs is started (docs/testing.md, "Power cuts").
# ci/power-cuts.sh --install [N]
#   The power goes at N moments of an installation (6), evenly over what is written, and the stick is started again on each of the disks.
# Not part of ci/test.sh, whose tests start a sample of the first, and one of the second.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." || exit
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/power-cuts.sh "$@"
test=${1:-//tests/boot:guestos_upgrade_test} cuts=all
if [ "${1:-}" = --install ]; then
  test=//tests/boot:setupos_install_test cuts=${2:-6}
fi
bazel build --noshow_progress "$test" || { echo 'FAIL power-cuts: the test does not build'; exit 1; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
start=$SECONDS
bazel test --noshow_progress --test_output=streamed --test_arg=--cuts="$cuts" --test_timeout=36000 "$test" 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
figures=$(sed -nE 's/.*(power cuts: [0-9]+ points, [0-9]+ states, [0-9]+ started.*|power cuts: [0-9]+ of [0-9]+ moments.*)/\1/p' "$log" | tail -n 1)
if [ "$status" -eq 0 ] && [ -n "$figures" ]; then
  echo "PASS power-cuts: $figures, $((SECONDS - start)) s"
else
  echo "FAIL power-cuts: ${figures:-no disk was started}, $((SECONDS - start)) s"
  exit 1
fi
