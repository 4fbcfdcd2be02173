#!/usr/bin/env bash
# usage: ci/docker-base.sh [OS…]
# What Dockerfile.base of each OS (default: all) says to type works as it stands, in its folder, and installs what the lock has. buildah stands
# for docker, and a debian:trixie-slim made here for the one of a registry.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/docker-base.sh "$@"
fail() { echo "FAIL docker-base: $*"; exit 1; }
skip() { echo "SKIP docker-base: $*"; exit 77; }
command -v buildah >/dev/null || skip "no buildah here"
[ "$(awk 'NR == 1 { print $3 }' /proc/self/uid_map)" -ge 4294967295 ] || skip "this container is an ordinary user's"
[ $# -gt 0 ] || set -- guestos hostos setupos
top=$PWD
work=$(mktemp -d "$IMAGE_BUILD_CACHE/docker-base.XXXXXX")
# shellcheck source-path=SCRIPTDIR source=buildah.sh
. ci/buildah.sh "$work/buildah"
trap 'buildah_clean; rm -rf "$work"' EXIT

# The archive of this machine: no address stands in this tree.
# shellcheck disable=SC2016 # apt's own variable
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sed -n 1p)}
[ -n "$mirror" ] || fail "no Debian archive is known here: neither DEBIAN_MIRROR is set nor does apt name one"
# Security updates have a root of their own; where it can't be reached, the image is without.
security=${DEBIAN_SECURITY_MIRROR:-${mirror%/}-security}
curl --silent --fail --max-time 20 --output /dev/null "$security/dists/trixie-security/InRelease" || security=''
keyring=(/usr/share/keyrings/debian-archive-keyring.*)
# sources COMPONENTS: as a debian:trixie-slim has them.
sources() {
  printf '%s\n' 'Types: deb' "URIs: $mirror" 'Suites: trixie trixie-updates' "Components: $1" "Signed-By: ${keyring[0]}" ''
  [ -z "$security" ] ||
    printf '%s\n' 'Types: deb' "URIs: $security" 'Suites: trixie-security' "Components: $1" "Signed-By: ${keyring[0]}"
}
sources main | sed 's|^Signed-By: .*|Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp|' >"$work/debian.sources"
sources 'main non-free-firmware' >"$work/all.sources"
start=$SECONDS
# What the archive has is looked at while its lists are there.
# shellcheck disable=SC2016 # the hooks' own variable
mmdebstrap --quiet --variant=minbase --architectures=amd64 \
  --customize-hook="awk '/^Package: /{ name = \$2 } /^Version: /{ print name, \$2 }' \"\$1\"/var/lib/apt/lists/*_Packages >$work/available" \
  --customize-hook="rm -f \"\$1\"/etc/apt/sources.list \"\$1\"/etc/apt/sources.list.d/*; cp $work/debian.sources \"\$1\"/etc/apt/sources.list.d/" \
  trixie "$work/slim.tar" "$work/all.sources" || fail "no debian:trixie-slim can be made from ${mirror/:\/\/*@/:\/\/…@}"
buildah_import "$work/slim.tar" docker.io/library/debian:trixie-slim
rm "$work/slim.tar"
echo "docker-base: debian:trixie-slim in $((SECONDS - start)) s"

# packages IMAGE FILE: name and version of each.
packages() {
  local container root
  container=$(buildah_do from --pull=never "$1")
  root=$(buildah_do mount "$container")
  # shellcheck disable=SC2016 # dpkg's own variables
  dpkg-query --admindir="$root/var/lib/dpkg" --show --showformat='${Package} ${Version}\n' >"$2"
  [ -z "$(ls "$root/tmp")" ] || fail "$1 has in /tmp: $(ls "$root/tmp")"
  buildah_do rm "$container" >/dev/null
}
packages docker.io/library/debian:trixie-slim "$work/slim"

# What is typed.
docker() {
  [ "$1" = build ] || fail "docker $1: only build is stood for here"
  shift
  buildah_build "$@"
}
for os; do
  cd "$top/ic-os/$os/context"
  # As the file says, in the order of the locks.
  mapfile -t commands < <(sed -n 's/^# .*: \(docker build .*\)$/\1/p' Dockerfile.base)
  [ "${#commands[@]}" -eq 2 ] || fail "$os/context/Dockerfile.base says ${#commands[@]} commands, want two"
  [ "${commands[0]}" = "docker build -f Dockerfile.base -t $os-base ." ] || fail "$os/context/Dockerfile.base says: ${commands[0]}"
  for env in prod dev; do
    [ "$env" = prod ] && { command=${commands[0]} image=$os-base; } || { command=${commands[1]} image=$os-base-dev; }
    start=$SECONDS
    eval "$command" >"$work/log" 2>&1 || { tail -n 30 "$work/log"; fail "in ic-os/$os/context: $command"; }
    packages "localhost/$image" "$work/built"
    python3 - "packages.$env.lock.json" "$work/built" "$work/slim" "$work/available" <<'PYTHON' || fail "$image is not what the lock says"
import json, sys
lock, built, slim, available = sys.argv[1:]
pairs = lambda file: [tuple(line.split()) for line in open(file)]
locked = {package["name"]: package["version"] for package in json.load(open(lock))["packages"]}
built, slim, available = dict(pairs(built)), dict(pairs(slim)), set(pairs(available))
gone = sorted(name for name, version in locked.items() if (name, version) not in available)
wrong = [f"{name}: got {built.get(name, 'none')}, want {version}" for name, version in locked.items() if name not in gone and built.get(name) != version]
if len(gone) * 10 > len(locked):
    wrong.append(f"{len(gone)} of {len(locked)} locked packages are in no archive that was asked: nothing to compare with")
# With packages that the archive has no more come others than those of the lock.
if not gone:
    wrong += [f"{name} {version}: not in the lock" for name, version in built.items() if name not in locked and name not in slim]
print("\n".join(wrong), end="\n" if wrong else "")
print(f"docker-base: {lock}: {len(built)} packages, {len(locked)} locked" + (f", of which the archive has {len(gone)} no more: {' '.join(gone[:8])}" if gone else ""))
sys.exit(bool(wrong))
PYTHON
    buildah_do rmi "localhost/$image" >/dev/null
    echo "docker-base: $image in $((SECONDS - start)) s"
  done
done
echo "PASS docker-base"
