#!/usr/bin/env bash
# in.sh WHAT FOLDER COMMAND…: runs COMMAND in circumstances that need more than a word before it (ci/reproduce/variations.txt). FOLDER is the build's:
# what is needed is put there; `base` in it is Bazel's output base. Exit status: COMMAND's; 77 where this machine can't do it, and a line says why.
set -euo pipefail
what=$1 folder=$2
shift 2
skip() { echo "$what: $*" >&2; exit 77; }
case $what in
  umask)
    umask 077
    exec "$@"
    ;;
  kernel)
    # shellcheck disable=SC2016 # the inner shell's variables
    exec unshare --uts -- sh -c 'hostname elsewhere && exec setarch "$(uname -m)" --uname-2.6 -- "$@"' _ "$@"
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
  clock)
    # By the loader's own list, so that it reaches every program without its environment; Bazel's server, whose waits it would break, is left out.
    # What runs inside an image's tree (scripts of packages, RUN steps) has another loader and sees the machine's time.
    library=$folder/faketime/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1
    if [ ! -e "$library" ]; then
      mkdir -p "$folder/faketime/etc"
      (cd "$folder/faketime" && apt-get download libfaketime && dpkg-deb --extract libfaketime_*.deb .) >"$folder/faketime.log" 2>&1 ||
        skip "Debian's libfaketime can't be had: $(tail -n 1 "$folder/faketime.log")"
      cp -a /etc/. "$folder/faketime/etc/"
      echo '+400d' >"$folder/faketime/etc/faketimerc"
      echo "$library" >"$folder/faketime/etc/ld.so.preload"
    fi
    # The server calls itself by its workspace's folder.
    # shellcheck disable=SC2016 # the inner shell's variables
    exec env "FAKETIME_SKIP_CMDS=bazel,bazel-real,java,bazel(checkout),bazel($(basename "$PWD"))" NO_FAKE_STAT=1 unshare --mount --propagation private -- sh -c 'mount --bind "$1" /etc && shift && exec "$@"' _ "$folder/faketime/etc" "$@"
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
