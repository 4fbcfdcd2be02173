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

# The lock: made for the list, and what is in this container, if it was made of it.
. ci/container/lock.sh
lockfile=ci/container/packages.lock.json
fault=$(lock_fault "$lockfile" ci/container/packages.txt)
[ -z "$fault" ] || fail "$fault"
read -r kind digest </etc/image-build-container || kind='made without root.sh'
if [ "$kind" = locked ]; then
  [ "$digest" = "$(lock_digest "$lockfile")" ] || fail "this container is of a lock with the digest $digest, want that of $lockfile"
  diff <(lock_rows "$lockfile" | cut -d' ' -f1-3 | sort) <(dpkg-query --show --showformat='${Package} ${Version} ${Architecture}\n' | sort) ||
    fail "these packages are locked (<) or installed (>), not both"
else
  echo "this container is $kind: its packages are not compared with the lock"
fi

work=$(mktemp -d /tmp/container-test.XXXXXX)
server=''
clean() {
  local who
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  for who in root tester; do [ ! -d "$work/$who" ] || as "$who" --stop >/dev/null 2>&1 || true; done
  umount /etc /usr/sbin 2>/dev/null || true
  # Nothing is removed while this system is mounted below it.
  local root
  for root in "$work"/*/cache/container/*/root; do ! mountpoint -q "$root" || umount "$root" || return 0; done
  rm -rf --one-file-system "$work"
}
trap clean EXIT
chmod 755 "$work"

# Where the packages of a lock come from: two small ones, and an archive on loopback that drops and replaces them.
debs=$work/debs
mkdir -p "$debs/archive/pool/main" "$debs/old/debian/20261030T080801Z/pool/main" "$debs/bundle/files"
rows=()
for name in liba++ libb; do
  mkdir -p "$debs/$name/DEBIAN"
  printf 'Package: %s\nVersion: 1~rc1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: a test\n' "$name" >"$debs/$name/DEBIAN/control"
  path=pool/main/${name}_1~rc1_all.deb
  dpkg-deb --build "$debs/$name" "$debs/archive/$path" >/dev/null
  sum=$(sha256sum <"$debs/archive/$path" | cut -d' ' -f1)
  rows+=("  {\"name\": \"$name\", \"version\": \"1~rc1\", \"architecture\": \"all\", \"suite\": \"forky\", \"size\": 1, \"sha256\": \"$sum\", \"path\": \"$path\"}")
done
printf '{\n "suites": [\n  {"suite": "forky", "root": "main", "components": ["main"], "date": "2026-10-30T08:08:01Z"}\n ],\n "packages": [\n%s,\n%s\n ]\n}\n' "${rows[@]}" >"$debs/lock"
python3 -c 'import functools as f, http.server as h, sys
s = h.ThreadingHTTPServer(("127.0.0.1", 0), f.partial(h.SimpleHTTPRequestHandler, directory=sys.argv[1]))
print(s.server_port, flush=True)
s.serve_forever()' "$debs" >"$debs/port" 2>/dev/null &
server=$!
for _ in $(seq 100); do [ ! -s "$debs/port" ] || break; sleep 0.1; done
address=http://127.0.0.1:$(cat "$debs/port")
# gets WHAT MISSING [VARIABLE=VALUE…]: debs.sh leaves the cache folder and finds all packages but those of MISSING.
gets() {
  local what=$1 missing=$2 got
  shift 2
  rm -rf "$debs/repository"
  env -u VENDOR -u DEBIAN_SNAPSHOT http_proxy='' "$@" bash ci/container/debs.sh "$debs/lock" "$debs/cache" "$debs/repository" "$address/archive" >"$debs/log" 2>&1 || {
    cat "$debs/log"
    fail "$what: debs.sh failed"
  }
  got=$(paste -sd, "$debs/repository/missing")
  [ "$got" = "$missing" ] || fail "$what: missing are ${got@Q}, want ${missing@Q}"
  got=$(sed -n 's/^Package: //p' "$debs/repository/Packages" | paste -sd,)
  [ "$(tr ',' '\n' <<<"$got,${missing// 1~rc1/}" | sed '/^$/d' | sort | paste -sd,)" = liba++,libb ] || fail "$what: the index has ${got@Q}"
}
gets "an archive that has all" ''
mv "$debs/archive" "$debs/away"
gets "all in the cache, no archive" ''
echo >>"$debs/cache/debs/$sum"
gets "a broken file in the cache, no archive" 'libb 1~rc1'
mv "$debs/away" "$debs/archive"
gets "the archive has it again" ''
rm "$debs/cache/debs/$sum"
mv "$debs/archive/$path" "$debs/old/debian/20261030T080801Z/$path"
gets "an archive that dropped a package" 'libb 1~rc1'
gets "a snapshot has it" '' "DEBIAN_SNAPSHOT=$address/old/{root}/{timestamp}/{path}"
rm "$debs/cache/debs/$sum"
echo other >"$debs/archive/$path"
gets "an archive that has another file in its place" 'libb 1~rc1'
[ ! -e "$debs/cache/debs/$sum" ] || fail "a file with another content is in the cache"
cp "$debs/old/debian/20261030T080801Z/$path" "$debs/bundle/files/$sum"
gets "a bundle has it" '' "VENDOR=$debs/bundle"
rm -r "$debs/cache/debs"
gets "a bundle that lacks one, while the archive has it" 'liba++ 1~rc1' "VENDOR=$debs/bundle"
mkdir -p "$debs/cache/repositories/content_addressable/sha256/$sum"
cp "$debs/bundle/files/$sum" "$debs/cache/repositories/content_addressable/sha256/$sum/file"
rm -r "$debs/cache/debs"
gets "Bazel has one, the archive the other" ''

# What this machine's apt is told of dates is not handed on: whether an old index will do is said by a variable.
printf '%s "false";\n' Acquire::Check-Valid-Until Acquire::Check-Date >"$work/apt.conf"
# handed_on ACCEPT: the options that mmdebstrap gets for its apt with that for DEBIAN_ACCEPT_EXPIRED, and the archive's line of its sources.
handed_on() {
  (
    here=ci/container cache=$work
    die() { echo "$*"; exit; }
    . ci/container/bootstrap.sh
    export APT_CONFIG=$work/apt.conf DEBIAN_MIRROR=http://archive.test/debian DEBIAN_ACCEPT_EXPIRED=$1
    apt_settings
    echo "${apt_options[*]} $(archive_source)"
  )
}
got=$(handed_on 0)
case $got in *Check-* | *check-* | '') fail "this machine's apt settings on dates are handed on: $got" ;; esac
got=$(handed_on 1)
case $got in *check-valid-until=no*' http://archive.test/debian forky main') ;; *) fail "DEBIAN_ACCEPT_EXPIRED=1 does not count: $got" ;; esac
got=$(handed_on yes)
[[ $got = 'DEBIAN_ACCEPT_EXPIRED: got yes, want 1 '* ]] || fail "a slip in DEBIAN_ACCEPT_EXPIRED is not told: $got"

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
  key=$(cd ci/container && sha256sum Dockerfile ./*.sh ./*.txt ./*.json ./*.BUILD.bazel | sha256sum | cut -c1-16)-$2
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
  folder='cache-link'
  wants "the cache folder, entered through a link" "$(as "$who" pwd)" "$home/cache"
  folder=bin
  wants "a folder that is not inside" "$(as "$who" pwd 2>&1)" "container: $home/bin does not exist inside; running in $home/checkout
$home/checkout"
  wants "--where" "$(as "$who" --where 2>/dev/null | sed -n 1p)" "$home/cache"
  as "$who" --stop || fail "$who: --stop"
  # A container of other packages is taken where that of the lock is not there, with a remark.
  for base in "$home"/cache/container/*/; do
    umount "$base/root"
    mv "$base" "${base%-*}-unlocked-${base##*-}"
    base=${base%-*}-unlocked-${base##*-}
    mount --bind / "$base/root"
  done
  folder=checkout
  case $(as "$who" pwd 2>&1) in
    "container: this container is unlocked: "*$'\n'"$home/checkout") ;;
    *) fail "$who: nothing says that the container is unlocked" ;;
  esac
  as "$who" --stop || fail "$who: --stop"
  # A list without its lock, and a lock that only looks like one, stop it.
  echo nosuchpackage >>"$home/checkout/ci/container/packages.txt"
  wants "a package that is asked for and not locked" "$(as "$who" true 2>&1)" \
    "container: packages.lock.json is older than packages.txt: it lacks nosuchpackage. Mend it with: $home/bin/enter --lock"
  cp ci/container/packages.txt "$home/checkout/ci/container/"
  sed -i '0,/"path": "pool/s//"path": "..\/pool/' "$home/checkout/ci/container/packages.lock.json"
  case $(as "$who" true 2>&1) in *" packages are written as the tool "*) ;; *) fail "$who: a lock that names files outside the archive" ;; esac
  ! compgen -G "$home/cache/container/*/run-*" >/dev/null || fail "$who: --stop left its holder"
done
[ "${#all[@]}" -eq 2 ] || echo "only as root: an ordinary user's container has no ids for another user"
echo "PASS container-test"
