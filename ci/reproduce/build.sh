#!/usr/bin/env bash
# build.sh FOLDER AGAINST TARGET…: builds TARGETs in the current checkout, in the output base FOLDER/base, and leaves in FOLDER `sums` (of all that
# makes up a release: images and files, plans, base images, root file systems) and `bin`, the folder that the names in it begin in. AGAINST is the
# FOLDER of the build whose sums they must be; empty: of none, and then results may come from Bazel's cache. Exit status: 0; 1, it can't be built; 3, sums differ.
set -euo pipefail
folder=$1 against=$2
shift 2
export OUTPUT_BASE=$folder/base
mkdir -p "$OUTPUT_BASE"
# A busy machine's single core takes its time.
bazel=(bazel --output_base="$OUTPUT_BASE" --local_startup_timeout_secs=600)
flags=(--config=release --experimental_convenience_symlinks=ignore --remote_download_outputs=all)
# Whatever makes a part of an image is done again; only compilers' work may come from the cache.
[ -z "$against" ] || flags+=('--modify_execution_info=^(?!Rust|Cargo|Cpp).*$=+no-cache')
# Bazel's server is in this process's namespaces and must not outlive them.
trap '"${bazel[@]}" shutdown >/dev/null 2>&1 || true' EXIT
"${bazel[@]}" build "${flags[@]}" "$@" //rust/tools:imgdiff >"$folder/log" 2>&1 || {
  tail -n 30 "$folder/log"
  echo "the build failed; its messages are above"
  exit 1
}
# How many came from the cache, how many ran in a sandbox, how many (base images, Dockerfiles) outside one.
echo "  $(sed -nE 's/^INFO: ([0-9]+ processes: .*)/\1/p' "$folder/log" | tail -n 1)"
bin=$("${bazel[@]}" info bazel-bin 2>/dev/null)
root=${bin%/bazel-out/*}
echo "$bin" >"$folder/bin"
{
  "${bazel[@]}" cquery --output=files "set($*)" 2>/dev/null | sed "s#^#$root/#"
  for target; do
    package=$bin/${target#//}
    find "${package%:*}/" -maxdepth 1 -type f \( -name '*.plan' -o -name '*.roothash' -o -name '*.tree.jsonl' \)
  done
  find "$bin/" -type f -path '*/context/*.tar'
} | LC_ALL=C sort -u | while IFS= read -r file; do
  printf '%s  %s\n' "$(sha256sum <"$file" | cut -d' ' -f1)" "${file#"$bin/"}"
done >"$folder/sums"
[ -s "$folder/sums" ] || { echo "the targets have no files: $*"; exit 1; }
[ -z "$against" ] || bash "$(dirname "${BASH_SOURCE[0]}")/compare.sh" "$against" "$folder"
