# shellcheck shell=bash
# Sourced by container-run.sh: makes the container's root folder, starts the process that keeps its namespaces, looks after old ones.
# Uses what that script sets:
: "${here:?}" "${checkout:?}" "${cache:?}" "${base:?}" "${state:?}" "${key:?}"
# shellcheck source-path=SCRIPTDIR source=lock.sh
. "$here/lock.sh"
# shellcheck source-path=SCRIPTDIR source=bootstrap.sh
. "$here/bootstrap.sh"
lockfile=$here/packages.lock.json list=$here/packages.txt

# As root nothing; for a user the options that make a user namespace with the user's subordinate ids.
ids=()
[ "$(id -u)" = 0 ] || ids=(--user --map-auto --map-root-user)
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else unshare "${ids[@]}" -- "$@"; fi; }
megabytes_free() { df --output=avail --block-size=1M "$cache" | tail -n 1 | tr -d ' '; }

# What the machine must have; root gets it installed, a user gets the command that mends it.
need_host() {
  local missing=() user tool install='apt-get install --yes --no-install-recommends'
  for tool in mmdebstrap:mmdebstrap newuidmap:uidmap mount:mount {unshare,nsenter,flock,setpriv}:util-linux pivot_root:util-linux-extra; do
    command -v "${tool%:*}" >/dev/null || missing+=("${tool#*:}")
  done
  compgen -G '/usr/share/keyrings/debian-archive-keyring.*' >/dev/null || missing+=(debian-archive-keyring)
  if [ "${#missing[@]}" -gt 0 ]; then
    command -v apt-get >/dev/null || die "missing here: ${missing[*]}. Install them with this machine's package manager"
    [ "$(id -u)" = 0 ] || die "missing here: ${missing[*]}. Mend it with: sudo $install ${missing[*]}"
    note "installing on this machine: ${missing[*]}"
    # shellcheck disable=SC2086 # a command and its options
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive $install -qq "${missing[@]}"; } >/dev/null 9>&- ||
      die "could not install ${missing[*]} with apt-get; its messages are above"
  fi
  grep -q -e --map-auto <<<"$(unshare --help)" || die "util-linux here is older than 2.38; a newer distribution (Debian 12, Ubuntu 24.04) is needed"
  [ "$(id -u)" != 0 ] || return 0
  user=$(id -un)
  for tool in subuid subgid; do
    grep -qE "^($user|$(id -u)):" "/etc/$tool" 2>/dev/null ||
      die "$user has no subordinate ids in /etc/$tool. Mend it with: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $user"
  done
  as_root true 2>/dev/null || die "this machine refuses user namespaces to $user. Mend it with:" \
    "sudo sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 user.max_user_namespaces=15000" \
    "(a name that this kernel doesn't know may be left out)"
}

# A folder is trusted by its name: it loses the name before it loses content. The lock must be held.
remove() {
  mv -T "$1" "$1.partial"
  as_root rm -rf "$1.partial"
}

# step LOG COMMAND…: runs COMMAND as root of namespaces of its own, which end with this script, however it ends. In the background,
# so that a signal is acted on at once; a line every five seconds on a terminal. Keeps the lock open until its last process is gone.
step() {
  local log=$1 start=$SECONDS next=$((SECONDS + 5))
  shift
  # Not with the caller's umask: the root is the same for everybody.
  (umask 022 && exec setpriv --pdeathsig KILL -- unshare "${ids[@]}" --mount --pid --fork --kill-child --mount-proc -- "$@") </dev/null >>"$log" 2>&1 &
  making=$!
  while kill -0 "$making" 2>/dev/null; do
    sleep 0.5
    if [ -t 2 ] && [ "$SECONDS" -ge "$next" ]; then
      next=$((SECONDS + 5))
      note "$((SECONDS - start)) s: $(awk '/^I: / { text = substr($0, 4) } /^Unpacking /{ unpacked++ } /^Setting up / { ready++ }
        END { printf "%s (%d packages unpacked, %d set up)", text, unpacked, ready }' "$log")"
    fi
  done
  wait "$making"
}
give_up() {
  trap - EXIT
  trap '' INT TERM HUP
  set +e
  [ "$2" = failed ] || note "interrupted: removing what was half made"
  # First its children's end, then its files'.
  if [ -n "$making" ]; then
    kill -KILL "$making" 2>/dev/null
    wait "$making" 2>/dev/null
  fi
  as_root rm -rf "$partial"
  exit "$1"
}
failed() {
  tail -n 20 "$log" >&2
  if [ "$(megabytes_free)" -lt 100 ] || grep -aq 'No space left on device' "$log"; then
    note "the disk of $cache is full ($(megabytes_free) MB free; the container and its packages take 3700 MB, a build more). Make room, or set IMAGE_BUILD_CACHE=FOLDER"
  elif grep -aq 'unmet dependencies' "$log" && [ "$what" = locked ]; then
    note "the lock lacks a package that another needs (above). Mend it with: rm ci/container/packages.lock.json && $0 --update"
  elif grep -aq "$expired" "$log" && [ "$what" = unlocked ]; then
    note "the index of ${mirror:-the archive} has expired (above): what it has may be older than what Debian has. An archive that is up to date: DEBIAN_MIRROR=URL $0; or take it as it is: DEBIAN_ACCEPT_EXPIRED=1 $0"
  elif grep -aqE 'Failed to fetch|Could not resolve|Unable to locate' "$log"; then
    note "the archive ${mirror:-of mmdebstrap} could not be read or lacks a package (above); another one: DEBIAN_MIRROR=URL $0"
  else
    note "$1; the lines above are the end of $log"
  fi
  give_up 1 failed
}

make_root() {
  need_host
  apt_settings
  partial=$base.partial log=$cache/container/$key.log making='' what=locked
  # A start that was interrupted leaves a partial folder; whoever holds the lock next clears it.
  as_root rm -rf "$cache"/container/*.partial
  [ "$(megabytes_free)" -ge 4800 ] ||
    die "$cache has $(megabytes_free) MB free, the container needs 4800 while it is made. Make room, or set IMAGE_BUILD_CACHE=FOLDER"
  note "making the build container $key (about 2 minutes, 2.7 GB and 1 GB of packages, once)"
  trap 'give_up $? failed' EXIT
  trap 'give_up 130 interrupted' INT
  trap 'give_up 143 interrupted' TERM
  trap 'give_up 129 interrupted' HUP
  mkdir -p "$partial" "$cache/debs"
  : >"$log"
  if ! bootstrap_locked; then
    what=unlocked
    missing
    bootstrap_unlocked
  fi
  as_root rm -rf "$partial/repository"
  # The certificates that this machine trusts beside the public ones, for proxies and mirrors of an organisation.
  if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    tar -C /usr/local/share -cf - ca-certificates | as_root tar -C "$partial/root/usr/local/share" -xf - --no-same-owner
  fi
  # With a /proc of its own: the hook that fills Java's store runs a Java program.
  # shellcheck disable=SC2016 # the inner shell's variable
  step "$log" env PATH=/usr/sbin:/usr/bin:/sbin:/bin bash -c 'mount --rbind /proc "$1/proc" && exec chroot "$1" update-ca-certificates --fresh' \
    _ "$partial/root" || failed "update-ca-certificates failed in the new root"
  # Bazel takes names byte by byte, but its Java does so in this locale only; in another it finds no file called `ü.txt`.
  step "$log" chroot "$partial/root" /usr/bin/localedef -i en_US -f ISO-8859-1 en_US.ISO-8859-1 || failed "localedef failed in the new root"
  # What the packages are: setup.sh puts it into the keys of what is compiled.
  if [ "$what" = locked ]; then
    what="locked $(lock_digest "$lockfile")"
  else
    what="unlocked $(dpkg-query --admindir="$partial/root/var/lib/dpkg" --show --showformat='${Package} ${Version} ${Architecture}\n' | LC_ALL=C sort | sha256sum | cut -d' ' -f1)"
    name_base unlocked
  fi
  as_root bash -c 'umask 022 && echo "$1" >"$2"' _ "$what" "$partial/root/etc/image-build-container"
  # On the disk before it has the name that is trusted.
  sync -f "$partial"
  # One of other packages may stand there, if this was to take its place.
  if [ -d "$base" ]; then
    for f in "$base"/run-*; do stop "$f"; done
    remove "$base"
  fi
  mv -T "$partial" "$base"
  trap - EXIT INT TERM HUP
  get_buildifier
  note "the container is ready"
}

# What Debian does not package: buildifier, for ci/starlark.sh, by npm where this machine has that. A container without it is whole, too.
get_buildifier() {
  local version=8.2.1 sum=6ceb7b0ab7cf66fceccc56a027d21d9cc557a7f34af37d2101edb56b92fcfa1a work
  local tool=$cache/tools/buildifier
  ! sha256sum --check --status <<<"$sum  $tool" 2>/dev/null || return 0
  command -v npm >/dev/null || { note "no npm here, so no buildifier: ci/starlark.sh will be skipped"; return 0; }
  mkdir -p "$cache/tools"
  work=$(mktemp -d "$cache/tools/buildifier.XXXXXX")
  if (cd "$work" && npm pack --silent --fetch-retries=1 "@bazel/buildifier@$version" >/dev/null 2>&1 9>&- &&
    tar -xzf bazel-buildifier-*.tgz package/buildifier-linux_amd64) && sha256sum --check --status <<<"$sum  $work/package/buildifier-linux_amd64"; then
    chmod 755 "$work/package/buildifier-linux_amd64"
    mv -T "$work/package/buildifier-linux_amd64" "$tool"
  else
    note "npm could not get @bazel/buildifier $version as it is pinned: ci/starlark.sh will be skipped"
  fi
  rm -rf "$work"
}

# Namespaces live as long as a process in them. This one reaps what is left to it (Bazel's server is) and ends
# when nothing else has run for ten minutes.
start_holder() {
  local pid git folders=("$checkout" "$cache" ${VENDOR:+"$VENDOR"})
  rm -f "$state"
  # A work tree's repository lies elsewhere.
  # (A hook of git's has that repository in its environment.)
  git=$(env -u GIT_DIR -u GIT_WORK_TREE git -c safe.directory="$checkout" -C "$checkout" rev-parse --path-format=absolute --git-common-dir 2>/dev/null) || git=''
  case $git in '' | "$checkout"/*) ;; *) folders+=("$git") ;; esac
  # shellcheck disable=SC2016 # the inner shell's variables
  setsid unshare "${ids[@]}" --mount --pid --fork --kill-child -- bash -c '
    set -e
    umask 022
    root=$1; shift
    mount --make-rprivate /
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    for folder; do mkdir -p "$root$folder"; mount --rbind "$folder" "$root$folder"; done
    cat /etc/resolv.conf >"$root/etc/resolv.conf" 2>/dev/null || true
    cat /etc/hosts >"$root/etc/hosts" 2>/dev/null || true
    cd "$root"; mkdir -p .outside; pivot_root . .outside; umount -l /.outside; cd /
    idle=0
    while [ "$idle" -lt 20 ]; do
      sleep 30 & wait $!
      set -- /proc/[0-9]*
      if [ $# -gt 1 ]; then idle=0; else idle=$((idle + 1)); fi
    done' _ "$base/root" "${folders[@]}" </dev/null >"$base/holder.log" 2>&1 9>&- &
  # pid 1 of the container is the child of unshare.
  for _ in $(seq 200); do
    pid=$(cut -d' ' -f1 "/proc/$!/task/$!/children" 2>/dev/null) || true
    if [ -n "$pid" ] && [ -e "/proc/$pid/root/etc/image-build-container" ] && ! [ -e "/proc/$pid/root/.outside/etc" ]; then
      echo "$pid $(readlink "/proc/$pid/ns/mnt")" >"$state.new" && mv "$state.new" "$state"
      return
    fi
    kill -0 $! 2>/dev/null || break
    sleep 0.05
  done
  cat "$base/holder.log" >&2
  die "the container did not start; its log is above"
}

# others: the containers of other versions of ci/container/; in_use FOLDER: one of its holders lives.
others() {
  local other
  for other in "$cache"/container/*-"$(id -u)"; do [ "$other" = "$base" ] || [ ! -d "$other" ] || echo "$other"; done
}
in_use() {
  local file
  for file in "$1"/run-*; do if alive "$file" >/dev/null; then return 0; fi; done
  return 1
}
where() {
  local other
  echo "$cache"
  as_root du -sh "$cache"/*/ 2>/dev/null || true
  [ ! -d "$base/root" ] || echo "this checkout's container: $base ($(cat "$base/root/etc/image-build-container"))"
  for other in $(others); do
    if in_use "$other"; then echo "older container, in use: $other"; else echo "older container (--prune removes it): $other"; fi
  done
}
prune() {
  local other
  as_root rm -rf "$cache"/container/*.partial
  # Packages that this checkout's lock does not name.
  find "$cache/debs" -maxdepth 1 -type f -printf '%f\n' 2>/dev/null | grep -vxFf <(lock_rows "$lockfile" | cut -d' ' -f4) | (cd "$cache" && sed 's#^#debs/#' | xargs --no-run-if-empty rm -f) || true
  for other in "$cache"/container/*-"$(id -u)".log; do [ "$other" = "$base.log" ] || rm -f "$other"; done
  for other in $(others); do
    if in_use "$other"; then
      note "kept, in use: $other"
    else
      note "removing $other"
      remove "$other"
    fi
  done
}
