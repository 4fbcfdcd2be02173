#!/usr/bin/env bash
# What the tree promises of itself and grep can see: layers, sizes, docstrings, no address of any package registry.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
# `check` sits at the end of pipelines and sets `bad` for the whole script.
shopt -s lastpipe
git rev-parse --is-inside-work-tree >/dev/null || { echo "FAIL promises: needs a git checkout"; exit 1; }
bad=0
complain() {
  echo "$1:"
  sed 's/^/  /'
  bad=1
}
check() {
  local found
  found=$(cat)
  [ -z "$found" ] || complain "$1" <<<"$found"
}
{ git grep -niIE 'guestos|hostos|setupos|ic-os' -- bzl rust/lib rust/tools ':!*.md' || true; } | check "the toolkit knows images, not products"
{ git grep -nIE 'https?://[^/ ]*(debian|ubuntu|crates|pypi|npmjs)[^/ ]*' -- ':!*.md' ':!tests/bench' || true; } | check "addresses of package registries"
git ls-files -- '*.bzl' '*.rs' | while read -r file; do
  [ -f "$file" ] || continue
  case $file in *.bzl) max=300 ;; */tests/*) max=1200 ;; *) max=600 ;; esac
  lines=$(wc -l <"$file")
  [ "$lines" -le "$max" ] || echo "$file: $lines lines, at most $max wanted"
done | check "files past their budget"
git ls-files -- '*.bzl' | while read -r file; do
  [ ! -f "$file" ] || head -n 1 "$file" | grep -q '^"""' || echo "$file"
done | check "Starlark files without a docstring"
{ git grep -nIE 'todo!\(|unimplemented!\(|FIXME' -- '*.rs' '*.bzl' || true; } | check "unfinished marks"
if [ "$bad" -ne 0 ]; then
  echo "FAIL promises"
  exit 1
fi
echo "PASS promises"
