#!/usr/bin/env bash
# difference.sh IMGDIFF OLD NEW: how two files differ, by imgdiff, in 200 lines at most: whatever that reads, which is disks, bundles, archives,
# programs, texts and any bytes. Of plans it is what the images differ in that they lay out. Ends well, whatever there is to say.
set -euo pipefail
imgdiff=$1 old=$2 new=$3
most=200
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# list PLAN OUT: the list beside a plan, with paths that hold in any folder. Exit status 1 if there is none.
list() {
  local line list=${1%.plan}.image root=${1%/bazel-out/*}
  [ -r "$list" ] || return 1
  while IFS= read -r line || [ -n "$line" ]; do
    # What is no output lies in the checkout; its path from a build that had it elsewhere leads nowhere here.
    case $line in
      /*) ;;
      *) if [ -e "$root/$line" ]; then line=$root/$line; else line=$PWD/$line; fi ;;
    esac
    printf '%s\n' "$line"
  done <"$list" >"$2"
}
# tell OLD NEW: what imgdiff says. Exit status as imgdiff's.
tell() { "$imgdiff" "$1" "$2" 2>&1; }
# raw: the two files as they are; cmp has a word where imgdiff has none, as of what is packed as a whole, or of plans.
raw() {
  local status=0
  if [[ $old == *.plan ]]; then status=2; else tell "$old" "$new" || status=$?; fi
  [ "$status" -le 1 ] || cmp "$old" "$new" || true
}
all() {
  local status=0
  if [[ $old != *.plan ]]; then
    raw
    return
  fi
  if ! list "$old" "$work/old.image" || ! list "$new" "$work/new.image"; then
    # A build makes lists of what something else takes or hashes.
    echo "no list beside the plan says what it lays out:"
    raw
    return
  fi
  tell "$work/old.image" "$work/new.image" || status=$?
  case $status in
    0) echo "the plans lay out the same bytes, and differ themselves:" && raw ;;
    1) ;;
    *) echo "what the plans lay out can't be read here; the plans themselves:" && raw ;;
  esac
}
all >"$work/said"
sed "${most}q" "$work/said"
count=$(wc -l <"$work/said")
[ "$count" -le "$most" ] || echo "… and $((count - most)) lines more"
