#!/usr/bin/env bash
# ci/full-chain.sh [--prod] [BAZEL FLAGS…]
# From a stick and an empty disk to a replica that answers, and on: GuestOS upgraded from HostOS, HostOS upgraded, confirmed, taken back, and
# upgraded to where GuestOS does not start. The gate has the first part. An hour or more where processors are emulated.
# --prod: production systems installed with Secure Boot on, to a replica that answers.
# The consoles' logs are in bazel-testlogs/tests/boot/TEST/test.outputs.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/full-chain.sh "$@"
test=setupos_chain_test
if [ "${1:-}" = --prod ]; then
  test=setupos_prod_install_test
  shift
fi
# More than the longest timeout that Bazel has by name.
exec bazel test --test_output=streamed --test_timeout=14400 "$@" "//tests/boot:$test"
