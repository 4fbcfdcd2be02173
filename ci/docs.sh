#!/usr/bin/env bash
# What the documents say: links, labels and paths lead somewhere (ci/docs.py), the README's commands work as they stand, and the image of
# docs/guides/images.md is built and looked into as that page says.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/docs.sh "$@"
top=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAIL docs: $*"; exit 1; }
python3 ci/docs.py check || fail "the documents do not say what is; see above"

# run SCRIPT…: each as it stands, in the current folder.
run() {
  local script
  for script; do
    echo "docs: $(tail -n 1 "$script")"
    bash -eu "$script" >"$work/log" 2>&1 </dev/null || { tail -n 30 "$work/log"; fail "$(cat "$script")"; }
  done
}
# boot SCRIPT: one that starts QEMU on the terminal is ended by its keys once the firmware has spoken.
boot() {
  local status=0
  echo "docs: $(cat "$1")"
  coproc guest { exec bash -eu "$1" 2>"$work/log"; }
  # shellcheck disable=SC2154 # coproc sets it
  local pid=$guest_PID from=${guest[0]} to=${guest[1]}
  IFS= read -rn 1 -u "$from" _ || { tail -n 30 "$work/log"; fail "$(cat "$1")"; }
  printf '\001x' >&"$to"
  cat <&"$from" >/dev/null
  wait "$pid" || status=$?
  [ "$status" -eq 0 ] || { tail -n 30 "$work/log"; fail "ended with $status: $(cat "$1")"; }
}

mkdir "$work/readme" "$work/images" "$work/packages" "$work/bin" "$work/place"
python3 ci/docs.py scripts README.md "$work/readme"
for script in "$work"/readme/*; do
  if grep -q ':run$' "$script"; then boot "$script"; else run "$script"; fi
done

# The package of the page, beside this one's packages; its sources say little, but they are of the right kind.
guide=docs/guides/images.md folder=$work/packages/appliance
mkdir -p "$folder" "$work/packages/server" "$work/tree/etc"
python3 ci/docs.py block "$guide" csv >"$folder/partitions.csv"
python3 ci/docs.py block "$guide" starlark >"$folder/BUILD.bazel"
echo a server >"$work/packages/server/server"
echo 'exports_files(["server"])' >"$work/packages/server/BUILD.bazel"
echo root:x:0:0::/root:/bin/sh >"$work/tree/etc/passwd"
tar -C "$work/tree" -cf "$folder/rootfs.tar" .
for name in motd loader.efi vmlinuz initrd.img; do echo "a $name" >"$folder/$name"; done
echo "root={{partuuid:root}} roothash={{ROOT_HASH}} hash-offset={{HASH_OFFSET}}" >"$folder/loader.cfg.template"
: >"$folder/disk.txt"
cat >"$work/bin/bazel" <<BAZEL
#!/bin/sh
command=\$1; shift
exec $(command -v bazel) "\$command" --package_path=%workspace%:$work/packages "\$@"
BAZEL
chmod +x "$work/bin/bazel"
export PATH=$work/bin:$PATH
bazel build //appliance:disk //appliance:sums >"$work/log" 2>&1 || { tail -n 30 "$work/log"; fail "$guide: the image is not built"; }
(cd "$top/bazel-bin/appliance" && sha256sum --check --status SHA256SUMS) || fail "$guide: its sums are wrong"
# The page calls the folder with bazel-bin \$PWD, and compares two images there.
ln -s "$top/bazel-bin" "$work/place/bazel-bin"
cp --sparse=always "$top/bazel-bin/appliance/disk.img" "$work/place/old.img"
cp --sparse=always "$work/place/old.img" "$work/place/new.img"
python3 ci/docs.py scripts "$guide" "$work/images"
for script in "$work"/images/*; do
  sed -i "1i PWD=$work/place" "$script"
  run "$script"
done
echo "PASS docs"
