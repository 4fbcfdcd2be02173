#!/usr/bin/env bash
# compare.sh OLD NEW: two FOLDERs of build.sh have the same sums. If not, says which files differ, and for whole images how; exit status 3.
set -euo pipefail
old=$1 new=$2
if cmp --silent "$old/sums" "$new/sums"; then
  echo "  $(wc -l <"$new/sums") files are the same"
  exit 0
fi
read -r old_bin <"$old/bin"
read -r new_bin <"$new/bin"
echo "  these differ (< as it was, > as it is now):"
diff "$old/sums" "$new/sums" | sed -n 's/^[<>]/  &/p' || true
diff "$old/sums" "$new/sums" | sed -n 's/^> [0-9a-f]*  //p' | LC_ALL=C sort >"$new/differ" || true
while IFS= read -r file; do
  [ -e "$old_bin/$file" ] || continue
  case $file in
    *.img) "$old_bin/rust/tools/imgdiff" "$old_bin/$file" "$new_bin/$file" || true ;;
    *.txt | *.json | *.jsonl | *.roothash) diff -u "$old_bin/$file" "$new_bin/$file" || true ;;
  esac 2>&1 | head -n 200 | sed "s#^#  $(basename "$file"): #"
done <"$new/differ"
exit 3
