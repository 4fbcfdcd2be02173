#!/usr/bin/env bash
# extra.sh FOLDER PACKAGE… -- COMMAND…: runs COMMAND in the build container with more Debian packages than it has. They are installed into a layer
# over its root, below FOLDER, which the caller removes; the container itself stays as it is. COMMAND has process and mount namespaces of its
# own: whatever it starts ends with it. Exit status: COMMAND's; 77 where no such layer or package can be had, and a line says which.
set -euo pipefail
[ -e /etc/image-build-container ] || { echo "extra: works inside the build container" >&2; exit 2; }
if [ "${1:-}" != --layered ]; then
  exec unshare --mount --propagation private --pid --fork --kill-child -- bash "${BASH_SOURCE[0]}" --layered "$@"
fi
folder=$2 packages=()
shift 2
while [ "${1:-}" != -- ]; do
  [ $# -gt 0 ] || { echo "extra: wanted: FOLDER PACKAGE… -- COMMAND…" >&2; exit 2; }
  packages+=("$1")
  shift
done
shift
skip() { echo "extra: $*" >&2; exit 77; }

checkout=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
root=$folder/root
mkdir -p "$folder/changes" "$folder/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/changes,workdir=$folder/work" "$root" 2>"$folder/log" ||
  skip "no layer over the container's root: $(tail -n 1 "$folder/log")"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
for place in "$checkout" "${IMAGE_BUILD_CACHE:?}"; do mount --rbind "$place" "$root$place"; done
cat /etc/resolv.conf >"$root/etc/resolv.conf" 2>/dev/null || true
# What a package starts when it is installed would run on beside ours.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
cd "$root"
mkdir -p .outside
pivot_root . .outside
umount -l /.outside
cd "$checkout"
# Whether an old index will do is for people to say.
expired=()
[ "${DEBIAN_ACCEPT_EXPIRED:-}" != 1 ] || expired=(-o Acquire::Check-Valid-Until=false)
if [ "${#packages[@]}" -gt 0 ]; then
  { apt-get update -qq "${expired[@]}" && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${packages[@]}"; } >"$folder/log" 2>&1 </dev/null || {
    tail -n 5 "$folder/log" >&2
    ! grep -q 'is expired' "$folder/log" || echo "extra: to take an expired index: DEBIAN_ACCEPT_EXPIRED=1" >&2
    skip "these packages can't be had: ${packages[*]}"
  }
fi
# Process 1 of the namespace stays: it reaps what is left to it.
status=0
"$@" || status=$?
exit "$status"
