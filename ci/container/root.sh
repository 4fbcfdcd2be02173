# shellcheck shell=bash
# Sourced by container-run.sh: makes the container's root folder and starts the process that keeps its namespaces.
# Uses: note, die, here, checkout, cache, base, state, key.

# As root: runs the command. As a user: runs it as root of a user namespace with the user's subordinate ids.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else unshare --user --map-auto --map-root-user -- "$@"; fi
}

# What the machine must have; root gets it installed, a user gets the command that mends it.
need_host() {
  local missing=() user
  command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
  command -v newuidmap >/dev/null || missing+=(uidmap)
  if [ "${#missing[@]}" -gt 0 ]; then
    [ "$(id -u)" = 0 ] || die "missing here: ${missing[*]}. Mend it with: sudo apt-get install --yes --no-install-recommends ${missing[*]}"
    command -v apt-get >/dev/null || die "missing here: ${missing[*]}; install them with this machine's package manager"
    note "installing on this machine: ${missing[*]}"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null ||
      die "could not install ${missing[*]} through apt-get"
  fi
  [ "$(id -u)" != 0 ] || return 0
  user=$(id -un)
  grep -q "^$user:" /etc/subuid 2>/dev/null && grep -q "^$user:" /etc/subgid 2>/dev/null ||
    die "$user has no subordinate ids. Mend it with: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $user"
  as_root true 2>/dev/null ||
    die "this kernel refuses user namespaces to $user. Mend it with: sudo sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0"
}

# The archive and apt settings of this machine; nothing about them stands in the checkout.
apt_settings() {
  mirror=${DEBIAN_MIRROR:-} apt_options=()
  local valid='' proxy=''
  if command -v apt-get >/dev/null; then
    [ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' 2>/dev/null |
      awk '$2 == "Debian" && $3 == "Debian" && !m { m = $1 } END { print m }')
    # Lists that were never fetched tell nothing: read the sources themselves.
    [ -n "$mirror" ] || mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
      sed -nE 's#^(URIs: *|deb +(\[[^]]*\] +)?)([^ ]+/debian/?)( .*)?$#\3#p' | head -n 1)
    eval "$(apt-config shell valid Acquire::Check-Valid-Until proxy Acquire::http::Proxy)"
  fi
  # A frozen copy of the archive has an expired release file; whoever uses one has told apt so.
  [ -z "$valid" ] || apt_options+=(--aptopt="Acquire::Check-Valid-Until \"$valid\"")
  [ -z "$proxy" ] || apt_options+=(--aptopt="Acquire::http::Proxy \"$proxy\"")
}

make_root() {
  need_host
  apt_settings
  local partial=$base.partial packages mode=root
  [ "$(id -u)" = 0 ] || mode=unshare
  packages=$(sed -e 's/#.*//' "$here/packages.txt" | tr -s ' \n' ',' | sed 's/^,//;s/,$//')
  note "making the build container $key (about 2 minutes, 2.4 GB, once)"
  # A start that was interrupted leaves a partial folder; whoever holds the lock next clears it.
  as_root rm -rf "$cache"/container/*.partial
  mkdir -p "$partial"
  trap 'note "interrupted: removing what was half made"; as_root rm -rf "'"$partial"'"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  mmdebstrap --mode="$mode" --variant=minbase --aptopt='APT::Install-Recommends "false"' "${apt_options[@]}" \
    --include="$packages" --skip=cleanup/apt/lists forky "$partial/root" ${mirror:+"$mirror"} >"$partial/log" 2>&1 9>&- ||
    { tail -n 20 "$partial/log" >&2; die "mmdebstrap failed; the lines above are the end of its log"; }
  # The certificates that this machine trusts beside the public ones, for proxies and mirrors of an organisation.
  if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    tar -C /usr/local/share -cf - ca-certificates | as_root tar -C "$partial/root/usr/local/share" -xf - --no-same-owner
  fi
  # With a /proc of its own: the hook that fills Java's store runs a Java program.
  as_root env PATH=/usr/sbin:/usr/bin:/sbin:/bin unshare --mount --pid --fork --root="$partial/root" --mount-proc \
    update-ca-certificates --fresh >>"$partial/log" 2>&1 || die "update-ca-certificates failed in the new root; see $partial/log"
  as_root touch "$partial/root/etc/image-build-container"
  mv "$partial" "$base"
  trap - EXIT INT TERM
  note "the container is ready"
}

# Namespaces live as long as a process in them. This one reaps what is left to it (Bazel's server is) and ends
# when nothing else has run for ten minutes.
start_holder() {
  local ids=() i pid
  [ "$(id -u)" = 0 ] || ids=(--user --map-auto --map-root-user)
  rm -f "$state"
  setsid unshare "${ids[@]}" --mount --pid --fork --kill-child -- bash -c '
    set -e
    root=$1 state=$2; shift 2
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
    done' _ "$base/root" "$state" "$checkout" "$cache" </dev/null >"$base/holder.log" 2>&1 9>&- &
  # pid 1 of the container is the child of unshare.
  for i in $(seq 200); do
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
