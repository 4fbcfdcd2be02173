#!/usr/bin/env bash
# The build container: a Debian root with Bazel, Rust and QEMU in it, made once, entered in a fraction of a second.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: ci/container/container-run.sh [OPTION] [COMMAND [ARGUMENT…]]

Runs COMMAND (default: a shell) inside the build container, in the current folder.
The checkout and the cache folder are at the same paths inside and outside.

  --rebuild   make the container anew, then run COMMAND
  --stop      end the container kept for this checkout (Bazel's server with it)
  --where     print the cache folder and what is in it, with sizes
  --help      this text

Environment: IMAGE_BUILD_CACHE   the cache folder (default: $XDG_CACHE_HOME/image-build or ~/.cache/image-build)
             DEBIAN_MIRROR       archive to use (default: the first Debian archive of this machine's apt)
TEXT
}
note() { printf 'container: %s\n' "$*" >&2; }
die() { note "$*"; exit 1; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
checkout=$(cd "$here/../.." && pwd -P)
cache=${IMAGE_BUILD_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/image-build}
rebuild='' action=run
case ${1:-} in
  --help | -h) usage; exit 0 ;;
  --rebuild) rebuild=1; shift ;;
  --stop) action=stop; shift ;;
  --where) action=where; shift ;;
  --) shift ;;
  -*) usage >&2; die "unknown option $1" ;;
esac
[ $# -gt 0 ] || set -- bash

# Already inside: there is nothing to enter.
if [ -e /etc/image-build-container ] && [ "$action" = run ]; then
  exec "$@"
fi

mkdir -p "$cache"
cache=$(cd "$cache" && pwd -P)
# What the container is made of names it; a change under ci/container/ makes another one.
key=$(cd "$here" && sha256sum Dockerfile ./*.sh ./*.txt ./*.BUILD.bazel | sha256sum | cut -c1-16)-$(id -u)
base=$cache/container/$key
state=$base/run-$(printf %s "$checkout" | sha256sum | cut -c1-16)

# Process that keeps the namespaces, if it still lives; its mount namespace tells it from a recycled process number.
holder() {
  local pid ns
  [ -f "$state" ] && read -r pid ns <"$state" && [ "$(readlink "/proc/$pid/ns/mnt" 2>/dev/null)" = "$ns" ] && echo "$pid"
}
stop_all() {
  local f pid ns
  for f in "$base"/run-*; do
    [ -f "$f" ] && read -r pid ns <"$f" && [ "$(readlink "/proc/$pid/ns/mnt" 2>/dev/null)" = "$ns" ] && kill -KILL "$pid" 2>/dev/null
    rm -f "$f"
  done
  return 0
}

case $action in
  where)
    echo "$cache"
    du -sh "$cache"/*/ 2>/dev/null || true
    exit 0 ;;
  stop)
    if pid=$(holder); then kill -KILL "$pid"; fi
    rm -f "$state"
    exit 0 ;;
esac

# One at a time makes the root or starts the holder; the lock goes with the process, however it ends.
start() {
  exec 9>"$cache/container.lock"
  flock 9
  if [ -n "$rebuild" ]; then
    note "removing $base"
    stop_all
    as_root rm -rf "$base"
  fi
  [ -d "$base/root" ] || make_root
  if ! holder >/dev/null; then start_holder; fi
  exec 9>&-
}
# shellcheck source=root.sh
. "$here/root.sh"

if [ -n "$rebuild" ] || ! [ -d "$base/root" ] || ! holder >/dev/null; then start; fi
pid=$(holder) || die "the container ended at once; try: $0 --rebuild"

keep=()
for name in TERM LANG CI COLUMNS LINES http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY DEBIAN_MIRROR; do
  [ -z "${!name:-}" ] || keep+=("$name=${!name}")
done
userns=()
[ "$(id -u)" = 0 ] || userns=(--user --preserve-credentials)
cwd=$PWD
case $cwd/ in "$checkout"/* | "$cache"/*) ;; *) cwd=$checkout ;; esac
# nsenter waits outside while COMMAND runs inside; should nsenter be killed, --pdeathsig tells COMMAND.
exec nsenter --target "$pid" "${userns[@]}" --mount --pid --wdns="$cwd" -- \
  /usr/bin/setpriv --pdeathsig TERM -- /usr/bin/env -i "${keep[@]}" HOME=/root USER=root \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin CARGO_HOME="$cache/cargo" \
  IMAGE_BUILD_CACHE="$cache" /bin/bash "$here/setup.sh" "$checkout" "$cache" "$base" "$@"
