#!/usr/bin/env bash
# compare.sh OLD NEW: two FOLDERs of build.sh have the same sums. If not, says which files differ and how each does (difference.sh); exit status 3.
set -euo pipefail
old=$1 new=$2
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
if cmp --silent "$old/sums" "$new/sums"; then
  echo "  $(wc -l <"$new/sums") files are the same"
  exit 0
fi
read -r old_bin <"$old/bin"
read -r new_bin <"$new/bin"
echo "  these differ (< as it was, > as it is now):"
diff "$old/sums" "$new/sums" | sed -n 's/^[<>]/  &/p' || true
# By name: a file that only one has stands there once, the others twice.
{ diff "$old/sums" "$new/sums" || true; } | sed -n 's/^[<>] [0-9a-f]*  //p' | LC_ALL=C sort -u >"$new/differ"
while IFS= read -r file; do
  echo "  $file:"
  if [ ! -r "$old_bin/$file" ]; then echo "it is not there, or can't be read, as it was"
  elif [ ! -r "$new_bin/$file" ]; then echo "it is not there, or can't be read, as it is now"
  else bash "$here/difference.sh" "$old_bin/rust/tools/imgdiff" "$old_bin/$file" "$new_bin/$file" || echo "how is not known: difference.sh failed"
  fi </dev/null 2>&1 | sed 's/^/    /'
done <"$new/differ"
exit 3
