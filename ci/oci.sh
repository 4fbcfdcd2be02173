#!/usr/bin/env bash
# usage: ci/oci.sh [//PACKAGE:oci]
# The image as a container (default: GuestOS dev's): buildah takes the archive in both of its forms, the root file system it makes of the layers
# is the disk's, entry by entry, as e2fsprogs reads that (ci/oci.py), and systemd and our programs run in it. skopeo copies it in both forms, and its
# layers, labels and digests are what it says. Where podman is there, it takes the archive, too.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/oci.sh "$@"
fail() { echo "FAIL oci: $*"; exit 1; }
skip() { echo "SKIP oci: $*"; exit 77; }
for tool in buildah skopeo debugfs; do
  command -v "$tool" >/dev/null || fail "no $tool here: the build container has it"
done
[ "$(awk 'NR == 1 { print $3 }' /proc/self/uid_map)" -ge 4294967295 ] || skip "this container is an ordinary user's"
target=${1:-//ic-os/guestos/envs/dev:oci}
folder=bazel-bin/${target#//} folder=${folder%:*}
work=$(mktemp -d "$IMAGE_BUILD_CACHE/oci.XXXXXX")
# shellcheck source-path=SCRIPTDIR source=buildah.sh
. ci/buildah.sh "$work/buildah"
trap 'buildah_clean; rm -rf "$work"' EXIT

start=$SECONDS
# //ic-os/OS/envs/ENV: its root file system before late files.
rootfs=$(sed -E 's#^(//.*)/envs/([^:/]+):.*#\1/context:rootfs-\2#' <<<"$target")
bazel build "$target" "${target%:*}:root_file" "${target%:*}:version" "$rootfs" >"$work/log" 2>&1 ||
  { tail -n 30 "$work/log"; fail "$target is not built"; }
echo "oci: built in $((SECONDS - start)) s, $(stat -Lc %s "$folder/oci.tar") bytes"
rootfs=$(bazel cquery --output=files "$rootfs" 2>/dev/null | grep '\.tar$' | sed -n 1p)

start=$SECONDS
container=$(buildah_from "oci-archive:$folder/oci.tar") || fail "buildah takes no oci-archive:$folder/oci.tar"
root=$(buildah_do mount "$container")
TMPDIR=$work python3 ci/oci.py "$folder/root.img" "$rootfs" "$root" || fail "what buildah makes of the layers is not the disk's root"
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
image=$(buildah_do images --quiet | sed -n 1p)
got=$(label '{{index .OCIv1.Config.Labels "org.opencontainers.image.version"}} {{index .OCIv1.Config.Cmd 0}} {{.OCIv1.Config.StopSignal}}')
want="$(sed -n 1p "$folder/version.txt") /sbin/init SIGRTMIN+3"
[ "$got" = "$want" ] || fail "the image says: $got, want $want"

# As `docker load` reads it: the same image.
buildah_do rm "$container" >/dev/null
other=$(buildah_do pull --quiet "docker-archive:$folder/oci.tar") || fail "buildah takes no docker-archive:$folder/oci.tar"
[ "$other" = "$image" ] || [ "${other#"$image"}" != "$other" ] || fail "as docker reads it, it is image $other, not $image"

# skopeo, which checks every digest that it comes by: the archive in both of its forms, and what it says of itself.
for form in oci-archive docker-archive; do
  skopeo --insecure-policy copy --quiet --tmpdir "$work" "$form:$folder/oci.tar" "dir:$work/$form" || fail "skopeo copies no $form"
  skopeo inspect --config --raw --tmpdir "$work" "$form:$folder/oci.tar" >"$work/$form.config" || fail "skopeo looks into no $form"
  config=$(sha256sum "$work/$form.config" | cut -d' ' -f1)
  [ "$config" = "$image" ] || [ "${config#"$image"}" != "$config" ] || fail "skopeo: as $form it is image $config, not $image"
done
skopeo inspect --tmpdir "$work" "oci-archive:$folder/oci.tar" >"$work/inspected"
python3 - "$folder/oci.tar" "$work/inspected" "$work/oci-archive" "$(sed -n 1p "$folder/version.txt")" <<'PYTHON' || fail "skopeo shows another image"
import hashlib, json, os, sys, tarfile

archive, inspected, copied, version = sys.argv[1:]
with open(inspected) as file:
    inspected = json.load(file)
with tarfile.open(archive) as tar:
    blob = lambda digest: tar.extractfile("blobs/" + digest.replace(":", "/"))
    index = json.load(tar.extractfile("index.json"))
    digest = index["manifests"][0]["digest"]
    manifest = json.load(blob(digest))
    layers = ["sha256:" + hashlib.file_digest(blob(layer["digest"]), "sha256").hexdigest() for layer in manifest["layers"]]
want = {"Digest": digest, "Layers": layers, "Os": "linux", "Architecture": "amd64"}
got = {key: inspected[key] for key in want}
assert got == want, f"got {got}, want {want}"
assert inspected["Labels"]["org.opencontainers.image.version"] == version, inspected["Labels"]
assert len(layers) > 1 and all(os.path.exists(os.path.join(copied, layer.removeprefix("sha256:"))) for layer in layers), layers
PYTHON
if command -v podman >/dev/null; then
  podman --storage-driver vfs --root "$work/podman" --runroot "$work/podman.run" load --quiet --input "$folder/oci.tar" >/dev/null || fail "podman load"
  podman --storage-driver vfs --root "$work/podman" --runroot "$work/podman.run" rmi --all --force >/dev/null
fi
echo "PASS oci"
