#!/usr/bin/env bash
# Mutation tests: one-line changes to the crates on whose word a disk boots. A change that all tests of its crate survive is a promise that
# no test keeps. usage: ci/mutants.sh [--changed [REVISION]] [CRATE…]
#   CRATE      crates to change (default: the list below)
#   --changed  only lines that differ from REVISION (default: HEAD), working tree included: minutes instead of hours
# Survivors that change nothing anybody could see stand with their reason in rust/mutants.toml; any other one fails.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh "ci/$(basename "$0")" "$@"
version=27.1.0
crates=(base plan tree archive ext4 fat verity partitions grubenv manageboot)

changed=
case ${1:-} in
  --help | -h) sed -n '2,6s/^# //p' "$0"; exit 0 ;;
  --changed)
    shift
    changed=HEAD
    if [ $# -gt 0 ] && git rev-parse --quiet --verify "$1^{commit}" >/dev/null; then changed=$1 && shift; fi ;;
  -*) echo "unknown option $1; see --help" >&2; exit 2 ;;
esac
[ $# -eq 0 ] || crates=("$@")

tool=$IMAGE_BUILD_CACHE/cargo-mutants-$version
if [ ! -x "$tool/bin/cargo-mutants" ]; then
  echo "mutants: building cargo-mutants $version (a few minutes, once)"
  cargo install --quiet --locked --root "$tool" "cargo-mutants@$version" || { echo "SKIP mutants: cargo-mutants can't be had"; exit 77; }
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# One copy for all crates, changed in place: what a crate depends on is compiled once, and of the crate itself only what a change reaches.
# All of the checkout, for some tests read files of the images.
tar -c --exclude-vcs --exclude=./rust/target . | tar -x -C "$work"
export CARGO_INCREMENTAL=1 CARGO_PROFILE_DEV_DEBUG=false CARGO_TARGET_DIR=$work/target
options=()
if [ -n "$changed" ]; then
  git diff --relative=rust "$changed" -- rust >"$work/diff"
  if [ ! -s "$work/diff" ]; then
    echo "mutants: nothing under rust/ differs from $changed"
    echo "PASS mutants"
    exit 0
  fi
  options+=(--in-diff "$work/diff")
fi

bad=
printf '%-12s %8s %8s %8s %9s\n' crate mutants caught missed score >"$work/table"
for crate in "${crates[@]}"; do
  echo "== $crate"
  status=0
  "$tool/bin/cargo-mutants" mutants --dir "$work/rust" --in-place --config rust/mutants.toml --package "$crate" --output "$work/$crate" --colors never --no-shuffle \
    --minimum-test-timeout 120 "${options[@]}" || status=$?
  out=$work/$crate/mutants.out
  # 2: some survived; 3: some ran for ever, which a test run notices, too.
  case $status in
    0 | 2 | 3) ;;
    *) bad+=" $crate(did not run)"; continue ;;
  esac
  [ -d "$out" ] || continue
  caught=$(cat "$out/caught.txt" "$out/timeout.txt" | wc -l)
  missed=$(wc -l <"$out/missed.txt")
  all=$((caught + missed))
  [ "$all" -eq 0 ] || printf '%-12s %8d %8d %8d %8d%%\n' "$crate" "$all" "$caught" "$missed" $((caught * 100 / all)) >>"$work/table"
  if [ "$missed" -gt 0 ]; then
    cat "$out/missed.txt" >>"$work/missed"
    bad+=" $crate"
  fi
done
cat "$work/table"
if [ -n "$bad" ]; then
  [ ! -s "$work/missed" ] || sed 's/^/survived: /' "$work/missed"
  echo "FAIL mutants:$bad"
  exit 1
fi
echo "PASS mutants"
