#!/usr/bin/env bash
# What a build does when Debian's archive has moved on, against an archive of its own on loopback: tests/e2e/archive, a module with packages of
# some hundred bytes. Nothing is compiled; no image is built.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/archive.sh "$@"
fail() { echo "FAIL archive: $*"; exit 1; }
# shellcheck source-path=SCRIPTDIR source=indexes.sh
. ci/indexes.sh
top=$PWD
scratch=$(mktemp -d "$IMAGE_BUILD_CACHE/scratch.XXXXXX")
server=''
clean() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  (cd "$module" 2>/dev/null && bazel clean --expunge >/dev/null 2>&1) || true
  rm -rf "$scratch"
}
module=$scratch/tree/tests/e2e/archive
trap clean EXIT
mkdir "$scratch/tree"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$scratch/tree" 2>/dev/null || true # a file deleted but not yet committed is none
cp .bazelrc.container "$scratch/tree/"

# pool NAME VERSION: where a package lies; file names have no epoch.
pool() { echo "pool/main/${1:0:1}/$1/$1_${2#*:}_all.deb"; }
# deb NAME VERSION ROOT: a package below a root of the archive.
deb() {
  local folder=$scratch/deb/$1-$2 file
  file=$(pool "$1" "$2")
  mkdir -p "$folder/DEBIAN" "$(dirname "$scratch/www/$3/$file")"
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: a test\n' "$1" "$2" >"$folder/DEBIAN/control"
  dpkg-deb --build --root-owner-group -Znone "$folder" "$scratch/www/$3/$file" >/dev/null
}
# locked NAME VERSION ROOT SUITE: its line of the lock.
locked() {
  local file sum
  file=$(pool "$1" "$2")
  read -r sum _ < <(sha256sum "$scratch/www/$3/$file")
  printf '  {"name": "%s", "version": "%s", "architecture": "all", "suite": "%s", "source": "%s", "source_version": "%s", "size": %d, "sha256": "%s", "path": "%s"}' \
    "$1" "$2" "$4" "$1" "$2" "$(stat --format=%s "$scratch/www/$3/$file")" "$sum" "$file"
}
deb moved 1.0+b1 debian
deb stays 2:1.0~rc1 debian-security
cat >"$module/packages.lock.json" <<JSON
{
 "format": 3,
 "architecture": "amd64",
 "suites": [
  {"suite": "trixie", "root": "main", "components": ["main"], "date": "2026-11-30T22:14:08Z"},
  {"suite": "trixie-security", "root": "security", "components": ["main"], "date": "2026-11-30T23:00:00Z"}
 ],
 "lists": ["packages.txt"],
 "update": "//:lock",
 "requested": ["moved", "stays"],
 "paths": [
  "path-exclude=/usr/share/doc/*"
 ],
 "packages": [
$(locked moved 1.0+b1 debian trixie),
$(locked stays 2:1.0~rc1 debian-security trixie-security)
 ]
}
JSON
coproc python { exec python3 tests/e2e/archive/server.py "$scratch/www" "$scratch/requests"; }
# shellcheck disable=SC2154 # coproc sets it
server=$python_PID
read -r port <&"${python[0]}"
address=http://127.0.0.1:$port
: >"$scratch/requests"

cd "$module"
# tree FOLDER: the sum of each file in it.
tree() { find "$1" -path '*/bazel-*' -prune -o -type f -print0 | sort -z | xargs -0 sha256sum; }
tree . >"$scratch/before"
tree "$scratch/tree" >"$scratch/all"
# The container has caches, apt sources and variables of its own; none of them counts here.
bare=(env -u DEBIAN_MIRROR -u DEBIAN_SECURITY_MIRROR -u DEBIAN_SNAPSHOT -u DEBIAN_UNLOCKED -u DEBIAN_ACCEPT_EXPIRED -u VENDOR)
flags() {
  flags=(--repo_env=PATH="$path" --repo_env=APT_CONFIG="$scratch/apt.conf" --repo_env=DEBIAN_KEYRING="$scratch/keys.gpg" --repository_cache="$scratch/cache"
    --http_timeout_scaling=0.05 --http_connector_attempts=3)
}
# fetch FLAG…: fetches the packages of the lock.
fetch() {
  : >"$scratch/requests"
  flags
  "${bare[@]}" bazel build --noshow_progress "${flags[@]}" "$@" "${wanted[@]}" >"$scratch/log" 2>&1
}
wanted=(@debs//:small)
started=$SECONDS
# Without apt; and apt that knows no archive.
path=/nonexistent
printf 'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "/dev/null";\n' >"$scratch/apt.conf"
# good WHAT FLAG…: both packages are there, with the content that is locked.
good() {
  local what=$1 start=$SECONDS
  shift
  fetch "$@" || { cat "$scratch/log"; fail "$what"; }
  (cd "$(bazel info output_base 2>/dev/null)/external" && cd ./*debian~small/debs && sha256sum -- *) >"$scratch/got"
  (cd "$scratch/www" && sha256sum debian/pool/main/m/moved/moved_1.0+b1_all.deb debian-security/pool/main/s/stays/*) | sed 's#  .*/#  #' >"$scratch/want"
  diff "$scratch/want" "$scratch/got" || fail "$what: other packages than the locked ones"
  echo "ok: $what ($((SECONDS - start)) s)"
}
# bad WHAT TEXT… -- FLAG…: the build stops and says each TEXT.
bad() {
  local what=$1 texts=() text start=$SECONDS
  shift
  while [ "$1" != -- ]; do texts+=("$1"); shift; done
  shift
  if fetch "$@"; then fail "$what: it went on"; fi
  for text in "${texts[@]}"; do
    grep -qF -- "$text" "$scratch/log" || { cat "$scratch/log"; fail "$what: it does not say: $text"; }
  done
  tree . | diff "$scratch/before" - || fail "$what: the tree has changed"
  echo "ok: $what ($((SECONDS - start)) s)"
}
no_requests() { [ ! -s "$scratch/requests" ] || { cat "$scratch/requests"; fail "$1: the archive was asked"; }; }
# No cache: each of these begins with nothing.
none=--repository_cache=
gone='nobody gave 1 package with the content that packages.lock.json locks: moved 1.0+b1.'
mend='Run: bazel run //:lock'
no_snapshot='no snapshot service (DEBIAN_SNAPSHOT is not set)'

for manner in drop replace corrupt half hang; do
  bad "the archive's way with a package: $manner" "$gone" "$address/$manner/debian; $no_snapshot" "$mend" -- "$none" --repo_env=DEBIAN_MIRROR="$address/$manner/debian"
done
bad "nobody listens" "nobody gave 2 packages" "moved 1.0+b1, stays 2:1.0~rc1." -- "$none" --repo_env=DEBIAN_MIRROR=http://127.0.0.1:1/debian
bad "no archive is known" "no archive for the root main (DEBIAN_MIRROR is not set, and apt knows none)" "no archive for the root security (DEBIAN_SECURITY_MIRROR is not set" -- "$none"
good "an archive that is whole; the security root lies beside the main one" "$none" --repo_env=DEBIAN_MIRROR="$address/whole/debian"
good "the security root elsewhere" "$none" --repo_env=DEBIAN_MIRROR="$address/whole/debian" --repo_env=DEBIAN_SECURITY_MIRROR="$address/there/debian-security/"
grep -q '^there/debian-security/' "$scratch/requests" || fail "DEBIAN_SECURITY_MIRROR was not asked"

bad "a snapshot service without the package" "$gone" "$address/whole/snapshot/{root}/{timestamp}/{path}" -- \
  "$none" --repo_env=DEBIAN_MIRROR="$address/drop/debian" --repo_env=DEBIAN_SNAPSHOT="$address/whole/snapshot/{root}/{timestamp}/{path}"
bad "a snapshot service without a path" "want an address with {root}, {timestamp} and {path} in it" -- \
  "$none" --repo_env=DEBIAN_MIRROR="$address/drop/debian" --repo_env=DEBIAN_SNAPSHOT="$address/whole/snapshot"
mkdir -p "$scratch/www/snapshot/debian"
cp -r "$scratch/www/debian" "$scratch/www/snapshot/debian/20261201T221408Z"
good "a snapshot service has it, a day later" "$none" --repo_env=DEBIAN_MIRROR="$address/drop/debian" --repo_env=DEBIAN_SNAPSHOT="$address/whole/snapshot/{root}/{timestamp}/{path}"
grep -q '^whole/snapshot/debian/20261130T221408Z/' "$scratch/requests" || fail "the snapshot of the release file's own time was not asked for first"

good "Bazel's cache is filled" --repo_env=DEBIAN_MIRROR="$address/whole/debian"
good "everything is in Bazel's cache" --repo_env=DEBIAN_MIRROR="$address/hang/debian"
no_requests "everything is in Bazel's cache"

# bundle FORMAT SUM…: an index of these files.
bundle=$scratch/bundle
bundle() {
  local format=$1
  shift
  printf '{"sha256": "%s"}\n' "$@" | paste -sd, | sed "s#.*#{\"vendor\": $format, \"update\": \"//:vendor\", \"files\": [&]}#" >"$bundle/index.json"
}
sums=()
mkdir -p "$bundle/files"
for file in debian/pool/main/m/moved/moved_1.0+b1_all.deb debian-security/pool/main/s/stays/stays_1.0~rc1_all.deb; do
  read -r sum _ < <(sha256sum "$scratch/www/$file")
  cp "$scratch/www/$file" "$bundle/files/$sum"
  sums+=("$sum")
done
moved=$bundle/files/${sums[0]}
from=("$none" --repo_env=VENDOR="$bundle" --repo_env=DEBIAN_MIRROR="$address/whole/debian")
again="Mend it where there is a network, with: bazel run //:vendor -- $bundle"
bad "VENDOR is no bundle" "it has no index.json, so it is no bundle" -- "${from[@]}"
bundle 7 "${sums[@]}"
bad "a bundle of another format" "want a bundle's index of format 1" -- "${from[@]}"
mv "$moved" "$moved.away"
bundle 1 "${sums[1]}"
bad "a bundle of other packages" "lacks 1 file of packages.lock.json: moved 1.0+b1 (its index does not have it)" "$again" -- "${from[@]}"
bundle 1 "${sums[@]}"
bad "half a bundle" "moved 1.0+b1 (its index has it, but there is no files/${sums[0]})" "$again" -- "${from[@]}"
echo x >"$moved"
bad "a bundle with a wrong file" "moved 1.0+b1 (files/${sums[0]} has other content than its name says)" "$again" -- "${from[@]}"
no_requests "a bundle with a wrong file"
mv "$moved.away" "$moved"
good "everything is in the bundle" "${from[@]}"
no_requests "everything is in the bundle"
# The crates of a bundle: one of rust/Cargo.lock, and one that rules_rust wants.
crate=adler2 version=$(grep -A 1 -x 'name = "adler2"' "$scratch/tree/rust/Cargo.lock" | sed -nE 's/^version = "(.*)"$/\1/p')
sum=$(grep -A 3 -x "name = \"$crate\"" "$scratch/tree/rust/Cargo.lock" | sed -nE 's/^checksum = "(.*)"$/\1/p')
[ "${#sum}" = 64 ] || fail "rust/Cargo.lock has no crate $crate"
wanted=("@@icos_images~~crates~crates__$crate-$version//:BUILD.bazel")
lacks="the bundle VENDOR=$bundle lacks 1 file of rust/Cargo.lock: crate $crate-$version"
bundle 1 "${sums[@]}"
bad "a bundle without a crate" "$lacks (its index does not have it)" "$again" -- "${from[@]}"
bundle 1 "${sums[@]}" "$sum"
bad "half a bundle of crates" "$lacks (its index has it, but there is no files/$sum)" "$again" -- "${from[@]}"
printf '\x1f\x8b\x08\x00' >"$bundle/files/$sum"
bad "a bundle with a crate that was cut off" "$lacks (files/$sum has other content than its name says)" "$again" -- "${from[@]}"
wanted=("@@icos_images~~crates~tinyjson//:BUILD.bazel")
bad "a bundle without a crate of rules_rust" "the bundle VENDOR=$bundle lacks 1 file of rules_rust: crate tinyjson-" "(its index does not have it)" "$again" -- "${from[@]}"
no_requests "a bundle without a crate"
wanted=(@debs//:small)
# The archive has moved on: it has signed indexes of newer packages.
archive_key "$scratch" || fail "no key could be made"
# index ROOT SUITE [SCRIPT]: indexes of what is below a root, signed; their release file is what sed makes of it with SCRIPT.
index() {
  local suite=$scratch/www/$1/dists/$2
  rm -rf "$suite"
  mkdir -p "$suite/main/binary-amd64"
  (cd "$scratch/www/$1" && apt-ftparchive packages pool) >"$suite/main/binary-amd64/Packages"
  release_edit=${3:-} sign_suite "$suite" "$2" main
}
# unlocked WHAT TEXT… -- FLAG…: the build goes on, says each TEXT, and what it has is marked.
unlocked() {
  local what=$1 texts=() text start=$SECONDS
  shift
  while [ "$1" != -- ]; do texts+=("$1"); shift; done
  shift
  fetch "$@" || { cat "$scratch/log"; fail "$what"; }
  for text in "UNLOCKED BUILD: " "${texts[@]}"; do
    grep -qF -- "$text" "$scratch/log" || { cat "$scratch/log"; fail "$what: it does not say: $text"; }
  done
  tree . | diff "$scratch/before" - || fail "$what: the tree has changed"
  repository=$(echo "$(bazel info output_base 2>/dev/null)"/external/*debian~small)
  echo "ok: $what ($((SECONDS - start)) s)"
}
path=/usr/sbin:/usr/bin:/sbin:/bin
now=("$none" --repo_env=DEBIAN_MIRROR="$address/drop/debian")
bad "no suite on the archive" "The build can't go on with what the archive has now: none of the archives known here has suite trixie: $address/drop/debian" "$mend" -- "${now[@]}"
printf 'Package: moved\nVersion: 2.0\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDepends: added\nDescription: a test\n' >"$scratch/control"
deb added 3 debian
mv "$scratch/www/debian/$(pool moved 1.0+b1)" "$scratch/old.deb"
mkdir -p "$scratch/deb/new/DEBIAN"
mv "$scratch/control" "$scratch/deb/new/DEBIAN/control"
# Under another name: the server drops what is called `moved`.
dpkg-deb --build --root-owner-group -Znone "$scratch/deb/new" "$scratch/www/debian/pool/main/m/now_2.0_all.deb" >/dev/null
index debian trixie
index debian-security trixie-security
bad "a slip in the setting" 'DEBIAN_UNLOCKED: got "refused", want allow or refuse' -- "${now[@]}" --repo_env=DEBIAN_UNLOCKED=refused
unlocked "a desk build" "$gone" "moved 2.0 in place of 1.0+b1" "added 3, which is not locked" "Mend the lock before a release. $mend" -- "${now[@]}"
(cd "$repository" && cat unlocked.txt) | diff - <(printf 'unlocked: %s (packages.lock.json)\n' "added 3, which is not locked" "moved 2.0 in place of 1.0+b1") || fail "its marks are others"
(cd "$repository/debs" && for file in *; do dpkg-deb --show --showformat '${Package} ${Version}\n' "$file"; done) | diff - <(printf '%s\n' "added 3" "moved 2.0" "stays 2:1.0~rc1") ||
  fail "a desk build: it has other packages"
python3 - "$repository" <<'PYTHON' || fail "a desk build: what names its packages does not fit them"
import hashlib, json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
lock = json.loads((folder / "unlocked.lock.json").read_text())
packages = {p["name"]: p for p in lock["packages"]}
assert list(packages) == ["added", "moved", "stays"], packages
assert [p["suite"] for p in packages.values()] == ["trixie", "trixie", "trixie-security"], packages
keys = sorted("name version architecture suite source source_version size sha256 path".split())
assert all(sorted(p) == keys for p in packages.values()), packages
have = sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in (folder / "debs").iterdir())
assert have == sorted(p["sha256"] for p in packages.values()), packages
PYTHON
# job UNLOCKED STATUS TEXT…: a job that takes locked packages only (ci/locked.sh) ends with STATUS and says each TEXT; of what it needs `$need`.
job() {
  local word=$1 want=$2 got=0 text
  shift 2
  # shellcheck disable=SC2016 # the inner shell's variables
  UNLOCKED=$word "${bare[@]}" bash -c '. "$1/ci/locked.sh" && shift && need_locked job "$@"' _ "$scratch/tree" "${need[@]}" >"$scratch/log" 2>&1 || got=$?
  [ "$got" -eq "$want" ] || { cat "$scratch/log"; fail "a job that takes locked packages only: it ends with $got, want $want"; }
  for text; do
    grep -qxF -- "$text" "$scratch/log" || { cat "$scratch/log"; fail "a job that takes locked packages only: it does not say: $text"; }
  done
}
takes='job: it takes locked packages only, and the archive no longer has all of these:' mending='mend it with: bazel run //:lock; then commit the locks that it changed'
listed=('  unlocked: added 3, which is not locked (packages.lock.json)' '  unlocked: moved 2.0 in place of 1.0+b1 (packages.lock.json)')
flags
need=("${flags[@]}" "${now[@]}" @debs//:small)
job skip 77 "SKIP $takes" "${listed[@]}" "$mending"
job '' 1 "FAIL $takes" "${listed[@]}" "$mending"
bad "a release, after a desk build" "$gone" "$address/drop/debian; $no_snapshot" "The archive has moved on; it has now: added 3, which is not locked, moved 2.0 in place of 1.0+b1. This build takes locked packages only (DEBIAN_UNLOCKED=refuse); so mend the lock. $mend" -- "${now[@]}" --repo_env=DEBIAN_UNLOCKED=refuse
# Whatever this machine's apt is set to.
cp "$scratch/apt.conf" "$scratch/apt.conf.strict"
printf 'Acquire::Check-Valid-Until "false";\nAcquire::Check-Date "false";\nAcquire::Max-FutureTime "99999999";\n' >>"$scratch/apt.conf"
expired="an index has expired, so what it shows may be older than what Debian has: "
index debian trixie 's/^Date: .*/&\nValid-Until: Sat, 03 Jan 2026 00:00:00 UTC/'
bad "an expired index" "$gone" "The build can't go on with what the archive has now: $expired" "dists/trixie/InRelease" "with --repo_env=DEBIAN_ACCEPT_EXPIRED=1" -- "${now[@]}"
bad "a release and an expired index" "what it has now is not known: $expired" "$mend" -- "${now[@]}" --repo_env=DEBIAN_UNLOCKED=refuse
bad "a slip in the setting for expired indexes" 'DEBIAN_ACCEPT_EXPIRED: got "yes", want 1' -- "${now[@]}" --repo_env=DEBIAN_ACCEPT_EXPIRED=yes
unlocked "an expired index, accepted" "moved 2.0 in place of 1.0+b1" -- "${now[@]}" --repo_env=DEBIAN_ACCEPT_EXPIRED=1
index debian trixie 's/^Date: .*/Date: Thu, 03 Jan 2075 00:00:00 UTC/'
bad "an index of the future" "apt does not take the archive's indexes: " "is not valid yet" -- "${now[@]}"
mv "$scratch/apt.conf.strict" "$scratch/apt.conf"
# The server drops it, and the index has it.
mv "$scratch/www/debian/pool/main/m/now_2.0_all.deb" "$scratch/now.deb"
cp "$scratch/old.deb" "$scratch/www/debian/$(pool moved 1.0+b1)"
index debian trixie
bad "a release, and the archive does not give what it has" "$gone" "The archive's indexes still name the locked versions, so these can't be reached" "$mend" -- "${now[@]}" --repo_env=DEBIAN_UNLOCKED=refuse
rm "$scratch/www/debian/$(pool moved 1.0+b1)"
mv "$scratch/now.deb" "$scratch/www/debian/pool/main/m/now_2.0_all.deb"
index debian trixie
bad "an archive of somebody else" "apt does not take the archive's indexes: " -- "${now[@]}" --repo_env=DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
bad "no keys" "the keys that sign Debian's archive are not on this machine (package debian-archive-keyring)" -- "${now[@]}" --repo_env=DEBIAN_KEYRING=/nonexistent
echo x >>"$scratch/www/debian/dists/trixie/main/binary-amd64/Packages"
bad "an index of which a byte was changed" "apt does not take the archive's indexes: " -- "${now[@]}"
rm "$scratch/www/debian/$(pool added 3)"
index debian trixie
bad "what came does not fit" "apt can't resolve the lists: " "added" -- "${now[@]}"
path=/nonexistent
bad "no apt" "apt-get is not on this machine, which knows what the archive has" -- "${now[@]}"

mv "$scratch/old.deb" "$scratch/www/debian/$(pool moved 1.0+b1)"
good "the run after all that" "$none" --repo_env=DEBIAN_MIRROR="$address/whole/debian"
cp packages.txt "$scratch/packages.txt"
echo 'path-include=/usr/share/doc/*/copyright' >>packages.txt
tree . >"$scratch/before"
bad "another rule on paths" "packages.lock.json is older than its lists, whose rules on paths of packages (path-exclude, path-include) it does not have. $mend" -- "$none" --repo_env=DEBIAN_MIRROR="$address/whole/debian"
cp "$scratch/packages.txt" packages.txt
tree . >"$scratch/before"
flags
need=("${flags[@]}" "$none" --repo_env=DEBIAN_MIRROR="$address/whole/debian" @debs//:small)
job '' 0
echo "ok: jobs that take locked packages only: skipped, failed, let through"
tree "$scratch/tree" | diff "$scratch/all" - || fail "the tree has changed"

# A container that was not made of its lock: where only this mount namespace sees it, that is what this one is, and its lock wants another bash.
printf 'unlocked %064d\n' 0 >"$scratch/container"
sed -i -E 's/("name": "bash", "version": ")[^"]*/\10/' "$scratch/tree/ci/container/packages.lock.json"
in_unlocked() {
  # shellcheck disable=SC2016 # the inner shell's variables
  unshare --mount --propagation private -- bash -c 'mount --bind "$1" /etc/image-build-container && shift && exec "$@"' _ "$scratch/container" "$@"
}
bare=(in_unlocked) need=(container)
# shellcheck disable=SC2016 # dpkg's variable
listed=("  unlocked: bash $(dpkg-query --show --showformat='${Version}' bash) in place of 0 (ci/container/packages.lock.json)")
mending='mend it with: ci/container/container-run.sh --update, outside of the container; then commit the locks that it changed'
job skip 77 "SKIP $takes" "${listed[@]}" "$mending"
job '' 1 "FAIL $takes" "${listed[@]}" "$mending"
mkdir "$scratch/base"
in_unlocked bash "$scratch/tree/ci/container/setup.sh" "$scratch/tree" "$IMAGE_BUILD_CACHE" "$scratch/base" true
! bazel build --config=release @debs//:small >"$scratch/log" 2>&1 || fail "a container that is unlocked: a release is built in it"
said='ERROR: --this_container_is_unlocked, so no release is built in it: its packages are not all those of ci/container/packages.lock.json. Mend it '
grep -qF -- "$said" "$scratch/log" || { cat "$scratch/log"; fail "a container that is unlocked: it does not say: $said"; }
echo "ok: a container that is unlocked"
cd "$top"
echo "PASS archive ($((SECONDS - started)) s)"
