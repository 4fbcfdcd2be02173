#!/usr/bin/env bash
# Layout and lint of BUILD and .bzl files by buildifier, which Debian does not package: container-run.sh gets it where the machine has npm.
# Exit status 77: skipped.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/starlark.sh "$@"
tool=$(command -v buildifier || echo "$IMAGE_BUILD_CACHE/tools/buildifier")
if [ ! -x "$tool" ]; then
  echo "SKIP starlark: no $tool. From npm's @bazel/buildifier, outside:"
  echo "  npm pack @bazel/buildifier && mkdir -p ${tool%/*} && tar -xzf bazel-buildifier-*.tgz -O package/buildifier-linux_amd64 >$tool && chmod +x $tool"
  exit 77
fi
git ls-files -z -- '*.bzl' '*.bazel' | xargs -0 "$tool" -mode=check -lint=warn || {
  echo "FAIL starlark: mend the layout with: git ls-files -- '*.bzl' '*.bazel' | xargs $tool -mode=fix"
  exit 1
}
echo "PASS starlark"
