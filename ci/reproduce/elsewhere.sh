#!/usr/bin/env bash
# elsewhere.sh FOLDER TARGET…: started on the machine, in a mount namespace of its own: a checkout, a cache and a build container that are made
# anew, below a short path that only this namespace has, by an ordinary user that only it knows. (Who is no root stays who one is.) Leaves in FOLDER
# what build.sh leaves. Exit status: build.sh's; 77 where this machine can't do it.
set -euo pipefail
folder=$1
shift
skip() { echo "elsewhere: $*" >&2; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root, which becomes an ordinary user"
place=/mnt
mkdir -p "$folder/checkout" "$folder/cache"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$folder/checkout" 2>/dev/null || true # a file deleted but not yet committed is none
# Files by checksum: what is fetched is no circumstance.
for name in repositories debs; do
  from=$(dirname "$(dirname "$folder")")/$name
  [ ! -d "$from" ] || cp -a "$from" "$folder/cache/"
done
cp -a /etc "$folder/etc"
echo "elsewhere:x:54321:54321::$place:/bin/bash" >>"$folder/etc/passwd"
echo elsewhere:x:54321: >>"$folder/etc/group"
for file in subuid subgid; do echo elsewhere:600000:65536 >>"$folder/etc/$file"; done
chown -R 54321:54321 "$folder/checkout" "$folder/cache"
chown 54321:54321 "$folder"
mount --bind "$folder/etc" /etc
mount --bind "$folder" "$place"
as_user=(setpriv --reuid 54321 --regid 54321 --clear-groups -- env -i HOME="$place" USER=elsewhere IMAGE_BUILD_CACHE="$place/cache" PATH="$PATH" "DEBIAN_MIRROR=${DEBIAN_MIRROR:-}" CONTAINER_LOCKED=1)
for name in http_proxy https_proxy no_proxy; do [ -z "${!name:-}" ] || as_user+=("$name=${!name}"); done
cd "$place/checkout"
status=0
mkdir -p "$folder/cache/build"
chown 54321:54321 "$folder/cache/build"
# Its container must not outlive it.
trap '"${as_user[@]}" ci/container/container-run.sh --stop || true' EXIT
"${as_user[@]}" ci/container/container-run.sh ci/reproduce/build.sh "$place/cache/build" '' "$@" || status=$?
[ "$status" -eq 0 ] || exit "$status"
mv "$folder/cache/build/sums" "$folder/"
# By the path that others know it by.
sed "s#^$place/#$folder/#" "$folder/cache/build/bin" >"$folder/bin"
