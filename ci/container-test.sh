#!/usr/bin/env bash
# The scripts of the build container, tried from within one: a private /etc without its mark makes this container a machine for them, and its
# own root, mounted where they look for one, spares making another. Containers are started by root and by an ordinary user, with such a
# user's PATH, programs of the same names in front of it, and every folder reached through a link.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
if [ "${1:-}" != --machine ]; then
  [ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/container-test.sh "$@"
  exec unshare --mount --propagation private -- bash ci/container-test.sh --machine
fi
fail() { echo "FAIL container-test: $*"; exit 1; }

work=$(mktemp -d /tmp/container-test.XXXXXX)
clean() {
  local who
  for who in root tester; do [ ! -d "$work/$who" ] || as "$who" --stop >/dev/null 2>&1 || true; done
  umount /etc /usr/sbin 2>/dev/null || true
  # Nothing is removed while this system is mounted below it.
  local root
  for root in "$work"/*/cache/container/*/root; do ! mountpoint -q "$root" || umount "$root" || return 0; done
  rm -rf --one-file-system "$work"
}
trap clean EXIT
chmod 755 "$work"
cp -a /etc "$work/etc"
rm "$work/etc/image-build-container"
echo "tester:x:54321:54321::$work/tester:/bin/bash" >>"$work/etc/passwd"
echo "tester:x:54321:" >>"$work/etc/group"
for file in subuid subgid; do echo tester:600000:65536 >>"$work/etc/$file"; done
mount --bind "$work/etc" /etc
# As on Debian 13, where an ordinary user's PATH does not lead to it.
cp -a /usr/sbin "$work/sbin"
cp "$(command -v pivot_root)" "$work/sbin/moved" && mv "$work/sbin/moved" "$work/sbin/pivot_root"
mount --bind "$work/sbin" /usr/sbin
[ ! -e /usr/bin/pivot_root ] || mount --bind /dev/null /usr/bin/pivot_root
# None of the caller's own programs is wanted in place of the machine's.
mkdir "$work/fakes"
for name in mount unshare nsenter flock setpriv pivot_root readlink sha256sum stat; do
  printf '#!/bin/sh\necho "%s of the caller was run" >&2\nexit 1\n' "$name" >"$work/fakes/$name"
done
chmod 755 "$work"/fakes/*

# machine WHO ID: a checkout and a cache folder with a container in it, and links to both.
machine() {
  local home=$work/$1 key
  mkdir -p "$home/checkout/ci" "$home/checkout/sub" "$home/cache/container" "$home/bin"
  cp -r ci/container "$home/checkout/ci/"
  cp MODULE.bazel "$home/checkout/"
  key=$(cd ci/container && sha256sum Dockerfile ./*.sh ./*.txt ./*.BUILD.bazel | sha256sum | cut -c1-16)-$2
  mkdir -p "$home/cache/container/$key/root"
  ln -s checkout "$home/checkout-link"
  ln -s cache "$home/cache-link"
  ln -s ../checkout-link/ci/container/container-run.sh "$home/bin/enter"
  chown -R "$2:$2" "$home"
  mount --bind / "$home/cache/container/$key/root"
}
# as WHO ARGUMENT…: container-run.sh, in $folder, through a link to it.
as() {
  local home=$work/$1 user=()
  [ "$1" = root ] || user=(setpriv --reuid tester --regid tester --clear-groups --)
  shift
  (cd "$home/$folder" && exec "${user[@]}" env -i HOME="$home" USER=tester CDPATH="$work:$home" TMPDIR=/nonexistent \
    IMAGE_BUILD_CACHE="$home/cache-link" PATH="$work/fakes:/usr/local/bin:/usr/bin:/bin" PWD="$home/$folder" "$home/bin/enter" "$@")
}
# wants WHAT GOT WANTED
wants() { [ "$2" = "$3" ] || fail "$who: $1: got ${2@Q}, want ${3@Q}"; }

folder=.
who=root
machine root 0
all=(root)
if [ "$(awk 'NR == 1 { print $3 }' /proc/self/uid_map)" -ge 4294967295 ]; then
  machine tester 54321
  all+=(tester)
fi
for who in "${all[@]}"; do
  home=$work/$who folder=checkout-link/sub
  got=$(as "$who" pwd) || fail "$who: the container does not start"
  wants "folder inside, entered through a link" "$got" "$home/checkout/sub"
  # shellcheck disable=SC2016 # the inner shell's variables
  {
    wants "who one is inside" "$(as "$who" id -u)" 0
    wants "cache folder inside" "$(as "$who" sh -c 'echo $IMAGE_BUILD_CACHE')" "$home/cache"
    wants "PATH inside" "$(as "$who" sh -c 'echo $PATH')" /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    wants "a file made inside" "$(as "$who" sh -c 'echo text >made' && cat "$home/checkout/sub/made")" text
    wants "its owner" "$(stat -c %U "$home/checkout/sub/made")" "$who"
  }
  status=0
  as "$who" sh -c 'exit 7' || status=$?
  wants "exit status" "$status" 7
  wants "the folder that Bazel is told" "$(sed -n 's/^startup --output_user_root=//p' "$home/checkout/.bazelrc.container")" "$home/cache/bazel"
  folder=cache-link
  wants "the cache folder, entered through a link" "$(as "$who" pwd)" "$home/cache"
  folder=bin
  wants "a folder that is not inside" "$(as "$who" pwd 2>&1)" "container: $home/bin does not exist inside; running in $home/checkout
$home/checkout"
  wants "--where" "$(as "$who" --where 2>/dev/null | head -n 1)" "$home/cache"
  as "$who" --stop || fail "$who: --stop"
  ! compgen -G "$home/cache/container/*/run-*" >/dev/null || fail "$who: --stop left its holder"
done
[ "${#all[@]}" -eq 2 ] || echo "only as root: an ordinary user's container has no ids for another user"
echo "PASS container-test"
