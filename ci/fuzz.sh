#!/usr/bin/env bash
# Fuzz targets of every parser (rust/fuzz): built, and run for SECONDS each (60 if not said). --compile: built, and run for a second.
# Finds stay in rust/fuzz/artifacts; each becomes a test of the crate that it is in. What was learned stays in rust/fuzz/corpus.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh "ci/$(basename "$0")" "$@"
case ${1:-60} in
  --compile) seconds=1 ;;
  *[!0-9]* | '' | 0) echo "usage: ci/fuzz.sh [SECONDS | --compile]" >&2; exit 2 ;;
  *) seconds=$1 ;;
esac
skip() { echo "SKIP fuzz: $*"; exit 77; }
fail() { echo "FAIL fuzz: $*"; exit 1; }
cd rust/fuzz
export CARGO_TARGET_DIR=$IMAGE_BUILD_CACHE/fuzz-target
target=$(rustc -vV | sed -n 's/^host: //p')
# What cargo-fuzz passes, for a compiler that calls itself stable.
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v g++ >/dev/null || skip "libfuzzer wants a C++ compiler, and there is no g++"
# shellcheck disable=SC2086 # these are flags
echo 'pub fn f() {}' | rustc $RUSTFLAGS --crate-type lib --emit obj -o "$work/probe.o" - 2>"$work/log" ||
  skip "this rustc can't count what code ran: $(head -n 1 "$work/log")"
if ! cargo fetch --quiet --locked 2>"$work/log" && ! cargo fetch --quiet --locked --offline 2>/dev/null; then
  ! grep -q 'lock file' "$work/log" || fail "rust/fuzz/Cargo.lock is behind: cd rust/fuzz && cargo update --workspace"
  skip "crates can't be had: $(grep -m 1 . "$work/log")"
fi
cargo fmt --check || fail "mend it with: cd rust/fuzz && cargo fmt"
cargo build --quiet --release --locked --target "$target" || fail "the targets do not build"

# To begin with: files of ours, and archives that tar makes.
seed() { mkdir -p "corpus/$1" && cp -f "$2" "corpus/$1/seed-$(sha256sum <"$2" | cut -c1-16)"; }
mkdir -p "$work/tree/folder"
echo text >"$work/tree/folder/file"
ln "$work/tree/folder/file" "$work/tree/hard"
ln -s folder/file "$work/tree/soft"
truncate -s 5000 "$work/tree/$(printf 'long%.0s' {1..40})"
for format in ustar gnu pax; do
  tar --format="$format" --sort=name --mtime=@0 -cf "$work/$format.tar" -C "$work/tree" . 2>/dev/null || continue
  seed tar "$work/$format.tar"
done
printf '# GRUB Environment Block\nslot=A\nstate=stable\n' >"$work/grubenv"
seed grubenv "$work/grubenv"
cat >"$work/tree.jsonl" <<'TREE'
{"tree":3,"inputs":[{"len":9}]}
{"path":"","type":"dir","mode":"0755","uid":0,"gid":0,"mtime":0,"layer":0}
{"path":"f","type":"file","mode":"0644","uid":0,"gid":0,"mtime":0,"mtime_nanos":5,"source":[0,0,9],"xattrs":{"user.a":"YQ=="},"layer":0}
{"path":"l","type":"symlink","mode":"0777","uid":0,"gid":0,"mtime":0,"target":"f","layer":0}
TREE
seed tree "$work/tree.jsonl"
git ls-files -z -- ':/*Dockerfile' | while read -rd '' file; do seed dockerfile "$file"; done
git ls-files -z -- ':/*partitions.csv' | while read -rd '' file; do seed partitions "$file"; done

found=
for source in fuzz_targets/*.rs; do
  name=$(basename "$source" .rs)
  mkdir -p "artifacts/$name" "corpus/$name"
  # Bytes beyond max_len teach nothing new, they only take time.
  max_len=8192 && [ "$name" != tar ] || max_len=65536
  if "$CARGO_TARGET_DIR/$target/release/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len="$max_len" \
    -use_value_profile=1 -artifact_prefix="artifacts/$name/" "corpus/$name" >"$work/$name.log" 2>&1; then
    echo "$name: $(grep '^Done' "$work/$name.log"), $(grep -oE 'cov: [0-9]+' "$work/$name.log" | tail -n 1)"
  else
    tail -n 30 "$work/$name.log"
    found+=" $name"
  fi
done
[ -z "$found" ] || fail "found something in:$found (rust/fuzz/artifacts; again: $CARGO_TARGET_DIR/$target/release/fuzz_NAME FILE)"
echo "PASS fuzz"
