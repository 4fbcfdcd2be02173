#!/usr/bin/env bash
# Two builds of the release in two output bases, on one core and on all, under another time zone and umask, give the same files. Base images,
# Dockerfiles and images are really made twice; only the compiled tools may come from the cache.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/reproducible.sh "$@"
scratch=$(mktemp -d "$IMAGE_BUILD_CACHE/reproducible.XXXXXX")
clean() {
  local base
  for base in "$scratch"/*; do
    [ ! -d "$base" ] || bazel --output_base="$base" clean --expunge >/dev/null 2>&1 || true
  done
  chmod -R u+w "$scratch" 2>/dev/null || true
  rm -rf "$scratch"
}
trap clean EXIT

# build NAME: leaves NAME.sums with a line per file of the release and per partition image.
build() {
  local base=$scratch/$1 bin env
  "${prefix[@]}" bazel --output_base="$base" build --config=release --modify_execution_info='^(Mk.*|HashBlocks|HashImage|InjectTree|FillTemplate|WriteImage)$=+no-cache' --experimental_convenience_symlinks=ignore \
    //ic-os/guestos/envs/dev:guestos //ic-os/guestos/envs/prod:guestos >"$scratch/$1.log" 2>&1 || {
    tail -n 30 "$scratch/$1.log"
    echo "FAIL reproducible: build $1 failed"
    exit 1
  }
  # How many came from the cache, how many ran in a sandbox, how many (base images, Dockerfiles) outside one.
  echo "build $1: $(sed -nE 's/^INFO: ([0-9]+ processes: .*)/\1/p' "$scratch/$1.log" | tail -n 1)"
  bin=$(bazel --output_base="$base" info bazel-bin 2>/dev/null)
  for env in dev prod; do
    (cd "$bin/ic-os/guestos/envs/$env" && sha256sum -- disk.img update.tar *.plan root.roothash SHA256SUMS manifest.json packages.txt version.txt root_tree.tree.jsonl) |
      sed "s#  #  $env/#"
  done >"$scratch/$1.sums"
  (cd "$bin/ic-os" && sha256sum guestos/context/*.tar bootloader/context/*.tar) >>"$scratch/$1.sums"
  bazel --output_base="$base" shutdown >/dev/null 2>&1
}

prefix=()
build one
prefix=(taskset --cpu-list 0)
(umask 077 && TZ=Asia/Kathmandu HOME=/nonexistent build two)
if ! diff "$scratch/one.sums" "$scratch/two.sums"; then
  echo "FAIL reproducible: the files above differ between two builds"
  exit 1
fi
echo "$(wc -l <"$scratch/one.sums") files are the same in both builds"
echo "PASS reproducible"
