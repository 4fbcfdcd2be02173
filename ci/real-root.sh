#!/usr/bin/env bash
# The tests that need real root, many users and namespaces, which Bazel's sandbox does not allow; among them: the same Dockerfile
# through mkrootfs and through buildah gives the same tree.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/real-root.sh "$@"
if [ "$(awk 'NR == 1 { print $3 }' /proc/self/uid_map)" -lt 4294967295 ]; then
  echo "SKIP real-root: this container is an ordinary user's"
  exit 77
fi
cd rust
export CARGO_TARGET_DIR=$IMAGE_BUILD_CACHE/cargo-target CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=false
{
  cargo test --locked --package archive --package orchestrator --package sandbox --package setupos_tool --package tools -- --ignored --test-threads 1 &&
    # Mounts file systems that share extents; in Bazel's sandbox these tests say that they can't.
    cargo test --locked --package materialize --test mounted -- --nocapture
} || {
  echo "FAIL real-root"
  exit 1
}
echo "PASS real-root"
