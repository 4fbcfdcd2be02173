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
  [ ! -f "$file" ] || grep -q '^"""' <<<"$(head -n 1 "$file")" || echo "$file"
done | check "Starlark files without a docstring"
# Where rustfmt and buildifier have been, a function ends where its indent does. Tests are tables now and then, and so is what prints an error or a value (`fmt`).
git ls-files -- '*.rs' ':!*/tests/*' ':!*_tests.rs' ':!rust/fuzz' ':!rust/bench' | while read -r file; do
  [ ! -f "$file" ] || awk -v file="$file" '
    /^#\[cfg\(test\)\]/ { exit }
    !name && match($0, /^ *(pub(\([a-z]+\))? )?(const |async )*fn [a-z0-9_]+/) {
      name = substr($0, 1, RLENGTH); sub(/.* /, "", name)
      indent = match($0, /[^ ]/) - 1; start = NR
    }
    name && match($0, /[^ ]/) - 1 == indent && /^ *(}|.*[;}]$)/ {
      if (NR - start >= 60 && name != "fmt") printf "%s:%d: %s has %d lines, at most 60 wanted\n", file, start, name, NR - start + 1
      name = ""
    }' "$file"
done | check "functions past their budget"
git ls-files -- '*.bzl' ':!bzl/tests' | while read -r file; do
  [ ! -f "$file" ] || awk -v file="$file" '
    function done() { if (name && lines > 60) printf "%s:%d: %s has %d lines without its docstring, at most 60 wanted\n", file, start, name, lines; name = "" }
    /^def / { done(); name = $2; sub(/\(.*/, "", name); start = NR; lines = 0; doc = 0 }
    /^[^ )d]/ { done() }
    name && /"""/ { was = doc; if (gsub(/"""/, "") == 1) doc = !doc; if (!was) next; next }
    name && !doc && NF { lines++ }
    END { done() }' "$file"
done | check "Starlark functions past their budget"
# rust/crates/config.json names them; what is for WebAssembly (wasm-bindgen) is in no program here.
python3 - <<'END' | check "crates that are compiled without optimisation, and may be in a program"
import json
crates = json.load(open("rust/crates/crates.json"))["crates"]
quick = {crate for crate, text in crates.items() if "opt-level=0" in text}
for crate in sorted(quick):
    if "\nrust_proc_macro(" not in crates[crate]:
        label = "crates__" + crate.replace(" ", "-") + "//"
        for user, text in crates.items():
            if label in text and user not in quick and not user.startswith("wasm-bindgen"):
                print(f"{crate}, which {user} uses")
END
# Where such a reader has ended before the writer's next line, the writer dies of it, and with `pipefail` so does the script: now and then.
{ git grep -nIE '[^|]\| *(head|grep +(-[a-zA-Z]+ +)*-[a-zA-Z]*[qm])\b' -- '*.sh' || true; } |
  check "a pipe into what does not read to its end: want \`| sed -n 1p\`, or \`grep -q PATTERN <<<\"\$(COMMAND)\"\`"
{ git grep -nIE 'todo!\(|unimplemented!\(|FIXME' -- '*.rs' '*.bzl' || true; } | check "unfinished marks"
if [ "$bad" -ne 0 ]; then
  echo "FAIL promises"
  exit 1
fi
echo "PASS promises"
