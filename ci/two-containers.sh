#!/usr/bin/env bash
# Two build containers made of the same lock, in two cache folders, under another time zone and umask, hold the same files, but for those of UNLIKE,
# and compile the same programs; with --full the same GuestOS. Nothing that one compiled is seen by the other. On the machine itself, not in
# the container; some minutes, with --full two builds from nothing.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
fail() { echo "FAIL two-containers: $*"; exit 1; }
skip() { echo "SKIP two-containers: $*"; exit 77; }

# What is not the packages' own: logs, identities, lists and caches of apt, a cache of what ldconfig saw when, dates in Java's store of certificates, and
# what container-run.sh takes over from the machine at each start.
UNLIKE='^(var/log/.*|var/lib/apt/lists/.*|var/cache/apt/.*|var/lib/apt/extended_states|var/cache/ldconfig/aux-cache|etc/ssl/certs/java/cacerts|etc/machine-id|var/lib/dbus/machine-id|etc/(resolv\.conf|hosts|hostname))$'
PROGRAMS=(//rust/os/replica //rust/os/manageboot)
RELEASE=ic-os/guestos/envs/dev

full=''
case ${1:-} in
  '') ;;
  --full) full=1 ;;
  *) echo "usage: ci/two-containers.sh [--full]" >&2; exit 2 ;;
esac
[ ! -e /etc/image-build-container ] || skip "it makes containers, so it runs on the machine, not inside one"
cache=$(readlink -m "${IMAGE_BUILD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/image-build}")
mkdir -p "$cache"
need=$((full ? 30000 : 12000))
free=$(df --output=avail --block-size=1M "$cache" | tail -n 1 | tr -d ' ')
[ "$free" -ge "$need" ] || skip "$cache has $free MB free, it takes $need while it runs"

work=$(mktemp -d "$cache/two-containers.XXXXXX")
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else unshare --user --map-auto --map-root-user -- "$@"; fi; }
clean() {
  local one
  for one in one two; do in_container "$one" --stop >/dev/null 2>&1 || true; done
  as_root rm -rf --one-file-system "$work"
}
# in_container NAME ARGUMENT…: container-run.sh of a checkout of its own, which is at the same place for both.
in_container() {
  local name=$1
  shift
  (cd "$work/checkout" && IMAGE_BUILD_CACHE=$work/$name CONTAINER_LOCKED=1 ./ci/container/container-run.sh "$@")
}
trap clean EXIT
mkdir "$work/checkout" "$work/one" "$work/two"
git ls-files -z --cached --others --exclude-standard | while IFS= read -rd '' file; do
  [ ! -e "$file" ] || printf '%s\0' "$file"
done | tar --null --files-from=- -cf - | tar -C "$work/checkout" -xf -
# What was fetched by its checksum may be shared.
for name in one two; do
  for folder in debs repositories; do [ ! -d "$cache/$folder" ] || cp -al "$cache/$folder" "$work/$name/"; done
done

# make NAME: the container, and NAME.files with a line for each of its files.
make() {
  local start=$SECONDS
  in_container "$1" true 2>"$work/$1.log" || {
    cat "$work/$1.log"
    ! grep -q 'not to be had' "$work/$1.log" || skip "the lock's packages are not to be had here"
    fail "the container was not made"
  }
  # What a program in the container can tell of a file: kind, mode, owner, what a link leads to, content.
  # Not below $work: what is mounted there lies on the same disk, which -xdev does not see.
  # shellcheck disable=SC2016 # the inner shell's and awk's variables
  in_container "$1" bash -c '
    cd / && find . -xdev -mindepth 1 -path ".$1" -prune -o -printf "%P\t%y %m %U %G %l\n" &&
      find . -xdev -path ".$1" -prune -o -type f -print0 | xargs -0 sha256sum -- | sed -E "s/^([0-9a-f]{64})  \.\/(.*)/\2\t\1/"' _ "$work" |
    LC_ALL=C sort | awk -F '\t' -v unlike="$UNLIKE" '$1 !~ unlike' >"$work/$1.files"
  echo "container $1: $(cut -f1 "$work/$1.files" | uniq | wc -l) files and folders, made in $((SECONDS - start)) s"
}
# build NAME TARGET…: leaves NAME.sums.
build() {
  local name=$1 start=$SECONDS
  shift
  in_container "$name" bazel build --config=release --noshow_progress "$@" >"$work/$name.log" 2>&1 || {
    tail -n 30 "$work/$name.log"
    fail "container $name: bazel build $* failed"
  }
  # shellcheck disable=SC2016 # the inner shell's variables
  in_container "$name" bash -c 'for target; do bazel cquery --config=release --noshow_progress --output=files "$target" 2>/dev/null; done | sort -u | xargs sha256sum --' _ "$@" >"$work/$name.sums"
  [ -s "$work/$name.sums" ] || fail "container $name: nothing to compare"
  echo "container $name: $* in $((SECONDS - start)) s"
}

make one &
status=0
(umask 077 && export TZ=Asia/Kathmandu && make two) || status=$?
wait $! || { other=$?; [ "$status" -ne 0 ] && [ "$status" -ne 77 ] || status=$other; }
[ "$status" -eq 0 ] || exit "$status"
diff "$work/one.files" "$work/two.files" || fail "these files of the two containers differ, and are none of UNLIKE in this script"
targets=("${PROGRAMS[@]}")
[ -z "$full" ] || targets+=("//$RELEASE:guestos")
build one "${targets[@]}"
in_container one --stop
build two "${targets[@]}"
diff "$work/one.sums" "$work/two.sums" || fail "the files above differ between the two containers"
echo "$(cut -f1 "$work/one.files" | uniq | wc -l) files and folders of the containers and $(wc -l <"$work/one.sums") built in them are the same"
echo "PASS two-containers"
