#!/usr/bin/env bash
# Fuzz targets of every parser (rust/fuzz): built, and run for SECONDS each (60 if not said). --compile: built, and run for a second.
# --runs N: each with N inputs, however long that takes. TARGET…: only these.
# An input may take 10 seconds, and a target 300 MB of memory whatever it reads.
# Finds stay in rust/fuzz/artifacts; each becomes a test of the crate that it is in. What was learned stays in rust/fuzz/corpus.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh "ci/$(basename "$0")" "$@"
usage() { echo "usage: ci/fuzz.sh [SECONDS | --compile | --runs N] [TARGET…]" >&2; exit 2; }
limit=-max_total_time=60
quick=
case ${1:-} in
  '') ;;
  --compile) limit=-max_total_time=1; quick=yes; shift ;;
  --runs) case ${2:-} in '' | 0 | *[!0-9]*) usage ;; esac; limit=-runs=$2; shift 2 ;;
  -* | 0) usage ;;
  *[!0-9]*) ;;
  *) limit=-max_total_time=$1; shift ;;
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
# For a second of each, waiting for the optimiser does not pay.
[ -z "$quick" ] || export CARGO_PROFILE_RELEASE_OPT_LEVEL=0
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
echo 'int one(void) { return 1; }' >"$work/one.c"
echo 'ONE_1 { global: one; };' >"$work/one.versions"
g++ -shared -fPIC -Wl,--version-script="$work/one.versions" -Wl,--no-as-needed -o "$work/one.so" -x c "$work/one.c" && seed elf "$work/one.so"
[ ! -e /etc/ld.so.cache ] || seed elf /etc/ld.so.cache
printf '# GRUB Environment Block\nslot=A\nstate=stable\n' >"$work/grubenv"
seed grubenv "$work/grubenv"
cat >"$work/tree.jsonl" <<'TREE'
{"tree":3,"inputs":[{"len":9}]}
{"path":"","type":"dir","mode":"0755","uid":0,"gid":0,"mtime":0,"layer":0}
{"path":"f","type":"file","mode":"0644","uid":0,"gid":0,"mtime":0,"mtime_nanos":5,"source":[0,0,9],"xattrs":{"user.a":"YQ=="},"layer":0}
{"path":"l","type":"symlink","mode":"0777","uid":0,"gid":0,"mtime":0,"target":"f","layer":0}
TREE
seed tree "$work/tree.jsonl"
# Shapes that ask for more than they are: names that share every byte with the next, links to a large file, variables that double.
mkdir -p "$work/deep"
head -c 1000000 /dev/zero | gzip -1 >"$work/deep/large"
for i in {1..40}; do ln "$work/deep/large" "$work/deep/link-$i"; done
long=$(printf 'n%.0s' {1..200})
mkdir -p "$work/deep/$long/$long/$long/$long/$long" && touch "$work/deep/$long/$long/$long/$long/$long/"{a,b,c,d}
tar --format=pax --sort=name --mtime=@0 -cf "$work/deep.tar" -C "$work/deep" . && seed tar "$work/deep.tar"
{
  printf 'FROM scratch\nENV A0=xxxxxxxxxxxxxxxx\n'
  for i in {1..8}; do printf 'ENV A%d=%s\n' "$i" "$(printf "\${A$((i - 1))}%.0s" {1..16})"; done
} >"$work/env" && seed dockerfile "$work/env"

# File systems and disks of others' programs, as small as they make them.
of() { "$@" >"$work/log" 2>&1 && seed raw_image "$work/image"; rm -f "$work/image"; }
for options in "-t ext4 -O inline_data" "-t ext4 -O ea_inode" "-t ext4 -O meta_bg,^resize_inode -g 256" "-t ext4 -O bigalloc -C 4096" \
  "-t ext4 -O casefold,encrypt,verity" "-t ext3" "-t ext2 -I 128"; do
  # shellcheck disable=SC2086 # these are flags
  of mke2fs -q -F -b 1024 -N 16 -J size=1 $options -O ^has_journal -d "$work/tree/folder" "$work/image" 192k
done
for bits in 12 16 32; do of mkfs.fat -C -F "$bits" -s 1 -n LABEL -i 1 "$work/image" 128; done
truncate -s 128k "$work/image" && of sgdisk -n 1:40:60 -c 1:first "$work/image"
truncate -s 16k "$work/image" && of mkswap "$work/image"
printf 'x' | gzip >"$work/image" && of true
for format in qcow2 vmdk vdi vhdx vpc; do of qemu-img create -q -f "$format" "$work/image" 1M; done
git ls-files -z -- ':/*Dockerfile' | while read -rd '' file; do seed dockerfile "$file"; done
git ls-files -z -- ':/*partitions.csv' | while read -rd '' file; do seed partitions "$file"; done
git ls-files -z -- ':/*packages.*' ':/*.lock.json' | while read -rd '' file; do seed lists "$file"; done
git ls-files -z -- ':/*.dockerignore' | while read -rd '' file; do seed context "$file"; done
git ls-files -z -- ':/components/*.service' ':/components/*.socket' ':/components/*.preset' | while read -rd '' file; do
  { printf 'enable *\n\xff'; cat "$file"; printf '\xff'; cat "$file"; } >"$work/units" && seed units "$work/units"
done
printf '# comment\nhostname=x\n[ssh]\n' >"$work/ini" && seed settings "$work/ini"
printf 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHK2 a@b\n' >"$work/keys" && seed settings "$work/keys"
printf '\0{"request":"version"}\xff{"request":"logs","params":{"unit":"a","lines":1}}\xff{"request":"upgrade-host","params":{"url":"https://a","version":"1"}}' \
  >"$work/host-api" && seed vsock_api "$work/host-api"
{ printf '\1'; cat ../../components/hostos/host-api/host-api.json; } >"$work/host-api" && seed vsock_api "$work/host-api"
printf '\1{"format":1,"version":"1","healthy":true,"boot_id":"5f1a7b68-16c5-4e0a-9d58-6a3e0c6f4a11","height":1,"reported":1}' >"$work/host-api" && seed vsock_api "$work/host-api"
printf 'Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n\xff/.\n/usr\n/usr/a\n' >"$work/status" && seed ownership "$work/status"
mkdir -p "$work/deb/DEBIAN" "$work/deb/usr"
printf 'Package: a\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: a\n' | tee "$work/deb/DEBIAN/control" >"$work/deb/usr/a"
for packing in none gzip xz zstd; do
  dpkg-deb --root-owner-group "-Z$packing" --build "$work/deb" "$work/$packing.deb" >/dev/null && seed deb "$work/$packing.deb"
done

found=
[ $# -gt 0 ] || for source in fuzz_targets/*.rs; do set -- "$@" "$(basename "$source" .rs)"; done
for name; do
  [ -e "fuzz_targets/$name.rs" ] || fail "there is no target $name in rust/fuzz/fuzz_targets"
  mkdir -p "artifacts/$name" "corpus/$name"
  # Bytes beyond max_len teach nothing new, they only take time.
  case $name in tar) max_len=65536 ;; raw_image) max_len=262144 ;; *) max_len=8192 ;; esac
  if "$CARGO_TARGET_DIR/$target/release/fuzz_$name" "$limit" -timeout=10 -rss_limit_mb=300 -max_len="$max_len" \
    -use_value_profile=1 -artifact_prefix="artifacts/$name/" "corpus/$name" >"$work/$name.log" 2>&1; then
    echo "$name: $(grep '^Done' "$work/$name.log"), $(grep -oE 'cov: [0-9]+' "$work/$name.log" | tail -n 1)"
  else
    tail -n 30 "$work/$name.log"
    found+=" $name"
  fi
done
[ -z "$found" ] || fail "found something in:$found (rust/fuzz/artifacts; again: $CARGO_TARGET_DIR/$target/release/fuzz_NAME FILE)"
echo "PASS fuzz"
