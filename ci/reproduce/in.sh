#!/usr/bin/env bash
# in.sh WHAT FOLDER COMMAND…: runs COMMAND in circumstances that need more than a word before it (ci/reproduce/variations.txt). FOLDER is the build's:
# what is needed is put there; `base` in it is Bazel's output base. Exit status: COMMAND's; 77 where this machine can't do it, and a line says why.
set -euo pipefail
what=$1 folder=$2
shift 2
case $what in
  umask)
    umask 077
    exec "$@"
    ;;
  machine)
    # shellcheck disable=SC2016 # the inner shell's variables
    exec unshare --uts -- sh -c 'hostname elsewhere && exec "$@"' _ "$@"
    ;;
  folder)
    if [ ! -d "$folder/checkout" ]; then
      mkdir -p "$folder/checkout"
      git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$folder/checkout" 2>/dev/null || true # a file deleted but not yet committed is none
      cp .bazelrc.container "$folder/checkout/"
    fi
    cd "$folder/checkout"
    exec "$@"
    ;;
  disk)
    # shellcheck disable=SC2016 # the inner shell's variables
    exec unshare --mount --propagation private -- bash -c '
      base=$1/base disk=$1/disk.img
      shift
      mkdir -p "$base"
      if [ "$(awk "/^MemAvailable:/ { print int(\$2 / 1048576) }" /proc/meminfo)" -ge "${REPRODUCE_MEMORY_GIB:-16}" ]; then
        mount -t tmpfs -o mode=755 tmpfs "$base"
      else
        truncate --size 64G "$disk"
        mke2fs -q -t ext4 -b 1024 -O ^dir_index,^has_journal -E lazy_itable_init=1 "$disk" && mount -o loop "$disk" "$base" || {
          echo "disk: no memory for a tmpfs, and no loop device" >&2
          exit 77
        }
      fi
      exec "$@"' _ "$folder" "$@"
    ;;
  *)
    echo "in.sh: unknown circumstance $what" >&2
    exit 2
    ;;
esac
