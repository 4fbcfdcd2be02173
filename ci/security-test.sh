#!/usr/bin/env bash
# That ci/security.sh fails when it should: against an archive of its own, of indexes alone, where for a package of an image and for one of the build container
# there are newer versions than the locked ones. Without a network.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/security-test.sh "$@"
fail() { echo "FAIL security-test: $*"; exit 1; }
# shellcheck source-path=SCRIPTDIR source=indexes.sh
. ci/indexes.sh
# shellcheck source-path=SCRIPTDIR source=container/lock.sh
. ci/container/lock.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
archive_key "$scratch" || fail "no key could be made"
# suite ROOT NAME [PACKAGE VERSION]…: a suite of both components, with packages of these versions in main.
suite() {
  local folder=$scratch/$1/dists/$2 component suite=$2
  shift 2
  rm -rf "$folder"
  for component in main non-free-firmware; do mkdir -p "$folder/$component/binary-amd64"; done
  set -- nothing 1 "$@"
  while [ $# -gt 0 ]; do
    printf 'Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: nobody <nobody@localhost>\nDescription: a test\nFilename: pool/%s.deb\nSize: 1\nSHA256: %064d\n\n' \
      "$1" "$2" "$1" 1
    shift 2
  done | tee "$folder/non-free-firmware/binary-amd64/Packages" >"$folder/main/binary-amd64/Packages"
  sign_suite "$folder" "$suite" main non-free-firmware
}
# security WHAT STATUS TEXT… -- FLAG…: ci/security.sh ends with STATUS and says each TEXT, a line.
security() {
  local what=$1 want=$2 got=0 texts=() text
  shift 2
  while [ "$1" != -- ]; do texts+=("$1"); shift; done
  shift
  ci/security.sh "--keyring=$scratch/keys.gpg" "$@" >"$scratch/log" 2>&1 || got=$?
  [ "$got" -eq "$want" ] || { cat "$scratch/log"; fail "$what: exit status $got, want $want"; }
  for text in "${texts[@]}"; do
    grep -qxF -- "$text" "$scratch/log" || { cat "$scratch/log"; fail "$what: it does not say: $text"; }
  done
  echo "ok: $what"
}
locked() { lock_rows "$1" | sed -nE "s/^$2 ([^ ]+) .*/\1/p"; }
image=$(locked ic-os/guestos/context/packages.prod.lock.json systemd) container=$(locked ci/container/packages.lock.json rustc)
[ -n "$image" ] && [ -n "$container" ] || fail "systemd is in no lock of an image, or rustc in that of the container"
here=("--mirror=copy:$scratch/debian" "--security-mirror=copy:$scratch/security")
# Of the main archive newer versions don't count.
suite debian trixie rustc 99:1 systemd 99:1
suite debian trixie-updates
suite security trixie-security rustc "$container" systemd 0
security "nothing is newer" 0 'PASS security' -- "${here[@]}"
suite security trixie-security rustc 99:1 systemd 0
security "a package of the container is older" 1 "  rustc: have $container, want 99:1 (trixie-security)" 'FAIL security: the packages above' \
  'mend it with: ci/container/container-run.sh --update, outside of the container (what has no fix there yet stays older)' -- "${here[@]}"
! grep 'mend it with: bazel' "$scratch/log" || fail "a package of the container is older: the images' locks are blamed, too"
suite security trixie-security systemd 99:1
security "a package of the images is older" 1 "  systemd: have $image, want 99:1 (trixie-security)" 'mend it with: bazel run //ic-os:lock -- --upgrade' -- "${here[@]}"
security "no archive is in reach" 77 'SKIP security: no archive is in reach' -- --mirror=http://127.0.0.1:1/debian --security-mirror=http://127.0.0.1:1/security
echo "PASS security-test"
