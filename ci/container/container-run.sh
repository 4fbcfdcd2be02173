#!/usr/bin/env bash
# The build container: a Debian root with Bazel, Rust and QEMU in it, made once, entered in a fraction of a second.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: ci/container/container-run.sh [OPTION] [COMMAND [ARGUMENT…]]

Runs COMMAND (default: a shell) inside the build container, in the current folder.
The checkout and the cache folder are at the same paths inside and outside.

  --rebuild   make the container anew (ending what runs in it), then run COMMAND
  --lock      bring packages.lock.json up to date with packages.txt; what is locked already stays
  --update    take the archive's newest packages into packages.lock.json
              both show what changes, and hand ARGUMENTs on to the tool that locks
  --stop      end the container kept for this checkout (Bazel's server with it)
  --where     print the cache folder and what is in it, with sizes
  --prune     remove the containers of other versions of ci/container/
  --help      this text

Environment: IMAGE_BUILD_CACHE   the cache folder (default: $XDG_CACHE_HOME/image-build or ~/.cache/image-build)
             DEBIAN_MIRROR       archive to use (default: the first Debian archive of this machine's apt)
             DEBIAN_SNAPSHOT     address with {root}, {timestamp} and {path} in it, of a service that keeps what the archive drops
             DEBIAN_ACCEPT_EXPIRED  if 1, an archive's index will do whose Valid-Until has passed
             VENDOR              folder of a bundle to take packages from, and from no archive
             CONTAINER_LOCKED    if set: no container of other packages than the lock's is made or used

Exit status: COMMAND's (128+N if signal N ended it); 1 if the container can't be made, 2 for a wrong option.
More in docs/container.md.
TEXT
}
note() { printf 'container: %s\n' "$*" >&2; }
die() { note "$*"; exit 1; }

# Outside, this machine's programs in its own folders, whatever PATH the caller has (an ordinary user's on Debian lacks /usr/sbin); what lies
# elsewhere is found after them. They speak English: some of what they say is read.
if [ ! -e /etc/image-build-container ]; then
  export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin${PATH:+:$PATH} LC_ALL=C
fi
# Folders by their physical names, as the container has them, whatever links led here.
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
checkout=$(readlink -f "$here/../..")
cache=${IMAGE_BUILD_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/image-build}
rebuild='' update='' action=run option=${1:-}
case $option in
  --help | -h) usage; exit 0 ;;
  --rebuild) rebuild=1; shift ;;
  --update) shift; update=1; set -- bash ci/container/update.sh --upgrade "$@" ;;
  --lock) shift; update=1; set -- bash ci/container/update.sh "$@" ;;
  --stop | --where | --prune)
    action=${1#--}; shift
    [ $# -eq 0 ] || { note "--$action takes no argument, got: $*"; exit 2; } ;;
  --) shift ;;
  -*) usage >&2; note "unknown option $option"; exit 2 ;;
esac
[ $# -gt 0 ] || set -- bash

# Already inside: there is nothing to enter.
if [ -e /etc/image-build-container ]; then
  [ -z "$update" ] || cd "$checkout"
  [ "$action$rebuild" = run ] || die "this is the inside of the container; $option works outside"
  exec "$@"
fi

[ -z "${VENDOR:-}" ] || VENDOR=$(readlink -m "$VENDOR")
mkdir -p "$cache/container" 2>/dev/null || die "can't write to $cache; choose another folder with IMAGE_BUILD_CACHE=FOLDER"
cache=$(readlink -f "$cache")
# Neither Bazel's rc files nor the tools that it calls are at ease with such names.
case $checkout$cache${VENDOR:-} in *[[:space:]\"\'\\\$:]*) die "folder names with blanks, quotes, \$ or colons don't work; got $checkout and $cache${VENDOR:+ and $VENDOR}" ;; esac
[ -z "${VENDOR:-}" ] || [ -d "$VENDOR/files" ] || die "VENDOR=$VENDOR is no bundle: it has no folder named files"
# What the container is made of names it; a change under ci/container/ makes another one.
files=$(cd "$here" && shopt -s nullglob && sha256sum Dockerfile ./*.sh ./*.txt ./*.json ./*.BUILD.bazel | sha256sum | cut -c1-16)
# What it shows of the machine names what runs in it. The folders' numbers as well: a checkout removed and cloned again at the same path is another one.
run=run-$({ echo "$checkout"; stat --format=%d:%i "$checkout" "$cache"; } | sha256sum | cut -c1-16)
# name_base [unlocked]: which container it is: that of the lock, or one of other packages, made because the lock's were not to be had.
name_base() {
  key=$files${1:+-$1}-$(id -u)
  base=$cache/container/$key
  state=$base/$run
}
name_base
# Of the two that which is there, the lock's first. To make a lock any other will do: that of a changed list or lock need not be made for it.
choose_base() {
  local other
  name_base
  if [ ! -d "$base/root" ] && [ -z "${CONTAINER_LOCKED:-}" ]; then
    name_base unlocked
    [ -d "$base/root" ] || name_base
  fi
  if [ -n "$update" ] && [ ! -d "$base/root" ]; then
    other=$(find "$cache/container" -mindepth 2 -maxdepth 2 -path "*-$(id -u)/root" -printf '%T@ %h\n' | sort -n | tail -n 1)
    if [ -n "$other" ]; then
      base=${other#* }
      key=${base##*/} state=$base/$run
    fi
  fi
}

# alive FILE: the process that keeps the namespaces, if it still lives; its mount namespace tells it from a recycled process number.
alive() {
  local pid ns
  [ -f "$1" ] && read -r pid ns <"$1" && [ "$(readlink "/proc/$pid/ns/mnt" 2>/dev/null)" = "$ns" ] && echo "$pid"
}
# kept: whether this checkout's container runs, and shows the bundle that is asked for, if one is.
kept() {
  local pid
  pid=$(alive "$state") && { [ -z "${VENDOR:-}" ] || [ -d "/proc/$pid/root$VENDOR/files" ]; }
}
stop() {
  local pid
  if pid=$(alive "$1"); then
    kill -KILL "$pid"
    # The namespaces end with their last process.
    while [ -e "/proc/$pid" ]; do sleep 0.05; done
  fi
  rm -f "$1"
}

# One at a time makes, removes or starts; the lock goes with the last process of whoever held it, however it ended.
lock() {
  exec 9>"$cache/container.lock"
  flock --nonblock 9 || {
    note "another start is at work here; waiting for it"
    flock 9
  }
}
start() {
  local f
  lock
  # Whoever held it may have made one.
  choose_base
  if [ -n "$rebuild" ] && [ -d "$base" ]; then
    note "removing $base"
    for f in "$base"/run-*; do stop "$f"; done
    remove "$base"
    name_base
  fi
  [ -d "$base/root" ] || make_root
  if ! kept; then
    ! alive "$state" >/dev/null || note "starting this checkout's container anew, with the bundle $VENDOR; what runs in it ends"
    stop "$state"
    start_holder
  fi
  exec 9>&-
}
# shellcheck source-path=SCRIPTDIR source=root.sh
. "$here/root.sh"

choose_base
case $action in
  where) where; exit 0 ;;
  prune) lock; prune; exit 0 ;;
  stop) lock; stop "$state"; exit 0 ;;
esac

# Looked at once: what it is made of names the container.
if [ -z "$update" ] && [ ! -e "$base/checked" ]; then
  fault=$(lock_fault "$lockfile" "$list")
  [ -z "$fault" ] || die "$fault. Mend it with: $0 --lock"
fi
if [ -n "$rebuild" ] || ! [ -d "$base/root" ] || ! kept; then start; fi
[ -n "$update" ] || [ -e "$base/checked" ] || : >"$base/checked"
case $key in
  *-unlocked-*) note "this container is unlocked: its packages are not those of ci/container/packages.lock.json (--rebuild tries again, --update mends it)" ;;
esac
pid=$(alive "$state") || die "the container ended at once; try: $0 --rebuild"

# Where its apt has no lists, and so names no archive, it is told which one it is.
if [ -z "${DEBIAN_MIRROR:-}" ] && ! compgen -G "$base/root/var/lib/apt/lists/*Release" >/dev/null; then
  DEBIAN_MIRROR=$(sed -nE 's#^deb +(\[[^]]*\] +)?([^ ]+) forky .*#\2#p' "$base/root/etc/apt/sources.list" 2>/dev/null | sed -n 1p) || true
fi

# No LANG: in a locale that the container lacks, Bazel and others would take names for ASCII and not find `ü.txt`.
keep=()
for name in TERM CI COLUMNS LINES NO_COLOR http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY \
  DEBIAN_MIRROR DEBIAN_SECURITY_MIRROR DEBIAN_SNAPSHOT DEBIAN_UNLOCKED DEBIAN_ACCEPT_EXPIRED DEBIAN_KEYRING BASE_IMAGES VENDOR; do
  [ -z "${!name:-}" ] || keep+=("$name=${!name}")
done
userns=()
[ "$(id -u)" = 0 ] || userns=(--user --preserve-credentials)
cwd=$(pwd -P 2>/dev/null) || cwd=$PWD
[ -z "$update" ] || cwd=$checkout
case $cwd/ in
  "$checkout"/* | "$cache"/* | "${VENDOR:-$cache}"/*) ;;
  *) note "$cwd does not exist inside; running in $checkout"; cwd=$checkout ;;
esac
# No fork: this process itself becomes enter.sh, which passes signals on and waits.
exec nsenter --target "$pid" "${userns[@]}" --mount --pid --no-fork --wdns="$cwd" -- /usr/bin/env -i "${keep[@]}" \
  HOME=/root USER=root LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="$checkout" \
  CARGO_HOME="$cache/cargo" IMAGE_BUILD_CACHE="$cache" /bin/bash "$here/enter.sh" "$checkout" "$cache" "$base" "$@"
