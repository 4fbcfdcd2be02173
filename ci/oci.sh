#!/usr/bin/env bash
# usage: ci/oci.sh [//PACKAGE:oci]
# The image as a container (default: GuestOS dev's): buildah takes the archive in both of its forms, the root file system it makes of the layers
# is the image's, entry by entry, and systemd and our programs run in it. Where skopeo or podman is there, it takes the archive, too.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/oci.sh "$@"
fail() { echo "FAIL oci: $*"; exit 1; }
skip() { echo "SKIP oci: $*"; exit 77; }
command -v buildah >/dev/null || skip "no buildah here"
[ "$(awk 'NR == 1 { print $3 }' /proc/self/uid_map)" -ge 4294967295 ] || skip "this container is an ordinary user's"
target=${1:-//ic-os/guestos/envs/dev:oci}
folder=bazel-bin/${target#//} folder=${folder%:*}
work=$(mktemp -d "$IMAGE_BUILD_CACHE/oci.XXXXXX")
# shellcheck source-path=SCRIPTDIR source=buildah.sh
. ci/buildah.sh "$work/buildah"
trap 'buildah_clean; rm -rf "$work"' EXIT

start=$SECONDS
bazel build "$target" "${target%:*}:root_tree" "${target%:*}:version" //rust/tools:{mklayer,materialize,treecmp} >"$work/log" 2>&1 ||
  { tail -n 30 "$work/log"; fail "$target is not built"; }
echo "oci: built in $((SECONDS - start)) s, $(stat -Lc %s "$folder/oci.tar") bytes"
tools=$PWD/bazel-bin/rust/tools

# The root file system as one tar, from its tree. Lists name files from Bazel's own folder on.
list=$(readlink -e "$folder/root_tree.tree") || fail "no list of $target's tree"
(
  cd "$(bazel info execution_root 2>/dev/null)"
  "$tools/mklayer" --tree "$list" --output "$work/root.plan"
  { echo "$work/root.plan"; tail -n +2 "$list"; } >"$work/root.image"
  "$tools/materialize" --image "$work/root.image" --output "$work/want.tar"
) || fail "no tar of $target's tree"

start=$SECONDS
container=$(buildah_from "oci-archive:$folder/oci.tar") || fail "buildah takes no oci-archive:$folder/oci.tar"
root=$(buildah_do mount "$container")
# The time of the folder that all is in is the engine's.
touch --date="@$(python3 -c 'import sys, tarfile; print(int(tarfile.open(sys.argv[1]).next().mtime))' "$work/want.tar")" "$root"
tar --create --numeric-owner --xattrs --xattrs-include='*' --directory "$root" --file "$work/got.tar" .
"$tools/treecmp" --want "$work/want.tar" --got "$work/got.tar" --times || fail "what buildah makes of the layers is not the image's root"
echo "oci: loaded and compared in $((SECONDS - start)) s"

start=$SECONDS
# In one go: what buildah does around a command takes longer than the command.
# shellcheck disable=SC2016 # the inner shell's variables
buildah_do run "$container" -- sh -euc '
  systemctl --version | grep "^systemd [0-9]"
  for program in /opt/ic/bin/*; do
    version=$("$program" --version) && [ -n "$version" ] || { echo "$program --version: got $version, status $?" >&2; exit 1; }
    echo "$version"
  done' </dev/null >"$work/versions" || { cat "$work/versions"; fail "something of these does not run in it"; }
[ "$(wc -l <"$work/versions")" -ge 2 ] || fail "no programs in /opt/ic/bin"
echo "oci: $(wc -l <"$work/versions") programs ran in $((SECONDS - start)) s: $(cut -d' ' -f1 "$work/versions" | tr '\n' ' ')"
label() { buildah_do inspect --type image --format "$1" "$image"; }
image=$(buildah_do images --quiet | head -n 1)
got=$(label '{{index .OCIv1.Config.Labels "org.opencontainers.image.version"}} {{index .OCIv1.Config.Cmd 0}} {{.OCIv1.Config.StopSignal}}')
want="$(sed -n 1p "$folder/version.txt") /sbin/init SIGRTMIN+3"
[ "$got" = "$want" ] || fail "the image says: $got, want $want"

# As `docker load` reads it: the same image.
buildah_do rm "$container" >/dev/null
other=$(buildah_do pull --quiet "docker-archive:$folder/oci.tar") || fail "buildah takes no docker-archive:$folder/oci.tar"
[ "$other" = "$image" ] || [ "${other#"$image"}" != "$other" ] || fail "as docker reads it, it is image $other, not $image"
if command -v skopeo >/dev/null; then
  skopeo inspect --raw "oci-archive:$folder/oci.tar" >/dev/null || fail "skopeo takes no oci-archive"
fi
if command -v podman >/dev/null; then
  podman --storage-driver vfs --root "$work/podman" --runroot "$work/podman.run" load --quiet --input "$folder/oci.tar" >/dev/null || fail "podman load"
  podman --storage-driver vfs --root "$work/podman" --runroot "$work/podman.run" rmi --all --force >/dev/null
fi
echo "PASS oci"
