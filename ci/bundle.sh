#!/usr/bin/env bash
# ci/bundle.sh [--full]: a bundle of //ic-os:vendor is all that a build fetches. Where there is no network and no cache of what was fetched, all
# repositories that GuestOS dev takes come from it; with --full the image is built there, too, to the same bytes (docs/guides/archive.md).
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/bundle.sh "$@"
fail() { echo "FAIL bundle: $*"; exit 1; }
# shellcheck source-path=SCRIPTDIR source=locked.sh
. ci/locked.sh
image=ic-os/guestos/envs/dev
case ${1:-} in
  '') full='' build=--nobuild ;;
  --full) full=1 build=--build ;;
  --inside) # IN: the network is a loopback of its own.
    in=$2
    shift 2
    python3 -c 'import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 1))' # SIOCSIFFLAGS: up
    exec bazel --output_base="$in/base" build --noshow_progress --config=release --repository_cache="$in/cache" --repo_env=VENDOR="$in/bundle" "$@"
    ;;
  *) echo "usage: ci/bundle.sh [--full]" >&2; exit 2 ;;
esac
unshare --net true 2>/dev/null || { echo 'SKIP bundle: a network namespace is not to be had here'; exit 77; }
need_locked bundle container @debs//:all
scratch=$(mktemp -d "$IMAGE_BUILD_CACHE/bundle.XXXXXX")
clean() {
  bazel --output_base="$scratch/base" clean --expunge >/dev/null 2>&1 || true
  rm -rf --one-file-system "$scratch"
}
trap clean EXIT
bazel run --noshow_progress //ic-os:vendor -- "$scratch/bundle" >"$scratch/log" 2>&1 || {
  # Of locks whose packages no image here has, or of none that is built yet.
  missing=$(sed -n '/are not to be had with the content that is locked:$/,/^A snapshot/p' "$scratch/log" | grep '^  ') || true
  [ -z "$missing" ] || not_locked bundle "$missing" 'the command that the lock named with each says ("update" in it); then commit the lock'
  tail -n 20 "$scratch/log"
  fail 'no bundle was made'
}
grep '^vendor: .* files, ' "$scratch/log" | sed "s#$scratch/##"
unshare --net -- bash ci/bundle.sh --inside "$scratch" "$build" "//$image" >"$scratch/log" 2>&1 || { tail -n 20 "$scratch/log"; fail 'it does not build from the bundle alone'; }
if [ -n "$full" ]; then
  bin=$(bazel --output_base="$scratch/base" info bazel-bin 2>/dev/null)
  bazel build --noshow_progress "//$image" >"$scratch/log" 2>&1 || { tail -n 20 "$scratch/log"; fail 'it does not build here'; }
  diff "bazel-bin/$image/SHA256SUMS" "$bin/$image/SHA256SUMS" || fail 'what was built from the bundle is not the same'
fi
echo "PASS bundle: all that //$image takes came from the bundle${full:+, and it is the same bytes}"
