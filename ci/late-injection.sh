#!/usr/bin/env bash
# A changed program and a changed component re-run injection and what follows it, never package installation or Dockerfile:
# Bazel's execution log says so. Works on a scratch copy of the checkout.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/late-injection.sh "$@"
target=//ic-os/guestos/envs/dev:disk
fail() { echo "FAIL late-injection: $*"; exit 1; }

scratch=$(mktemp -d "$IMAGE_BUILD_CACHE/scratch.XXXXXX")
clean() {
  (cd "$scratch" && bazel clean --expunge >/dev/null 2>&1) || true
  rm -rf "$scratch" "$scratch.log"
}
trap clean EXIT
git ls-files -z | xargs -0 cp --parents -t "$scratch" 2>/dev/null || true # a file deleted but not yet committed is none
cp .bazelrc.container "$scratch/"
cd "$scratch"

bazel build "$target" >"$scratch.log" 2>&1 || { tail -n 30 "$scratch.log"; fail "the image does not build"; }

# changed WHAT NEEDED…: builds again, and checks what ran for it.
changed() {
  local what=$1 log=$scratch/execution.json start=$SECONDS ran forbidden needed
  shift
  bazel build --execution_log_json_file="$log" "$target" >"$scratch/log" 2>&1 || { tail -n 30 "$scratch/log"; fail "$what: the image does not build"; }
  ran=" $(sed -nE 's/^ *"mnemonic": "([A-Za-z0-9]+)",?$/\1/p' "$log" | sort -u | tr '\n' ' ')"
  echo "$what changed: $((SECONDS - start)) s;$ran"
  for forbidden in MkBase MkRootfs; do
    case $ran in *" $forbidden "*) fail "$what: $forbidden ran again" ;; esac
  done
  for needed in "$@"; do
    case $ran in *" $needed "*) ;; *) fail "$what: $needed did not run, so the change reached no image" ;; esac
  done
}

echo "changed by ci/late-injection.sh" >>components/guestos/etc/motd
changed "a component" InjectTree MkExt4 MkVerity MkDisk WriteImage
sed -i 's/^fn main() /#[used]\nstatic CHANGED: [u8; 9] = *b"injection";\n\nfn main() /' rust/os/replica/src/main.rs
grep -q CHANGED rust/os/replica/src/main.rs || fail "rust/os/replica/src/main.rs has no fn main() to change"
# A program that keeps its size moves nothing: then no layout runs, only hashes, and what holds the root hash.
changed "a program" HashBlocks MkVerity FillTemplate WriteImage
echo "PASS late-injection"
