# shellcheck shell=bash
# Sourced by scripts that want buildah in the build container: . ci/buildah.sh FOLDER. Its store is in FOLDER.
buildah_folder=$1
mkdir -p "$buildah_folder/helpers" "$buildah_folder/run"
# Looked up, never run.
ln -sf /usr/bin/false "$buildah_folder/helpers/netavark"
printf '[engine]\nhelper_binaries_dir = ["%s"]\n' "$buildah_folder/helpers" >"$buildah_folder/containers.conf"
export CONTAINERS_CONF=$buildah_folder/containers.conf

buildah_do() { buildah --storage-driver vfs --root "$buildah_folder/store" --runroot "$buildah_folder/run" "$@"; }

# Without the limits as they are, chroot isolation asks for more than it may have.
buildah_limits() {
  echo "--ulimit=nproc=$(ulimit -Su):$(ulimit -Hu) --ulimit=nofile=$(ulimit -Sn):$(ulimit -Hn)"
}

# buildah_build ARGUMENT…: as `docker build` with these arguments; no image is asked of a registry.
buildah_build() {
  # shellcheck disable=SC2046 # two options
  buildah_do build --isolation chroot --network host $(buildah_limits) --pull=never --layers=false "$@"
}

# buildah_import TAR NAME: an image whose one layer is TAR.
buildah_import() {
  local container
  container=$(buildah_do from scratch)
  buildah_do add --quiet "$container" "$1" / >/dev/null
  buildah_do commit --quiet --rm "$container" "$2" >/dev/null
}

# Ends what is left and empties the store, whose folders only buildah may remove.
buildah_clean() {
  buildah_do rm --all >/dev/null 2>&1 || true
  buildah_do rmi --all --force >/dev/null 2>&1 || true
}

# buildah_from IMAGE: a container of it, in which `buildah_do run` starts programs.
buildah_from() {
  # shellcheck disable=SC2046 # two options
  buildah_do from --quiet --isolation chroot --network host $(buildah_limits) "$1"
}
