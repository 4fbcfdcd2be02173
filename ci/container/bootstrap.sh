# shellcheck shell=bash
# Sourced by root.sh: the root's packages, those of the lock or, where they are not to be had, what the archive has today.
# Uses what container-run.sh and root.sh set:
: "${here:?}" "${cache:?}"
# How apt says that a release file's Valid-Until has passed.
expired=' is expired (invalid since '

# The archive and apt settings of this machine; nothing about them stands in the checkout.
apt_settings() {
  mirror=${DEBIAN_MIRROR:-} apt_options=()
  local proxy=''
  case ${DEBIAN_ACCEPT_EXPIRED:-0} in 0 | 1) ;; *) die "DEBIAN_ACCEPT_EXPIRED: got $DEBIAN_ACCEPT_EXPIRED, want 1 (take an index whose Valid-Until has passed) or 0" ;; esac
  if command -v apt-get >/dev/null; then
    # shellcheck disable=SC2016 # apt's own variables
    [ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' 2>/dev/null |
      awk '$2 == "Debian" && $3 == "Debian" && !m { m = $1 } END { print m }')
    # Lists that were never fetched tell nothing: read the sources themselves.
    [ -n "$mirror" ] || mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
      sed -nE 's#^(URIs: *|deb +(\[[^]]*\] +)?)([^ ]+/debian/?)( .*)?$#\3#p' | sed -n 1p)
    # Not Check-Valid-Until: whether an old index will do is said to us (DEBIAN_ACCEPT_EXPIRED), not found here.
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
  fi
  # mmdebstrap's own, where this machine knows no archive of Debian's.
  [ -n "$mirror" ] || mirror=$(sed -nE "s/^ *my \\\$mirror *= *'([^']+)';/\1/p" "$(command -v mmdebstrap)" | sed -n 1p)
  [ -z "$proxy" ] || apt_options+=(--aptopt="Acquire::http::Proxy \"$proxy\"")
}

# archive_source: the archive as a line of apt's sources.
archive_source() {
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg options=()
  [ ! -f "$keyring" ] || options+=("signed-by=$keyring")
  [ "${DEBIAN_ACCEPT_EXPIRED:-}" != 1 ] || options+=(check-valid-until=no)
  echo "deb ${options[*]:+[${options[*]}] }$mirror forky main"
}

# bootstrap ARGUMENT…: makes the root.
bootstrap() {
  local date
  date=$(lock_date "$lockfile" 2>/dev/null) || true
  # Its temporary files, too, go with the partial folder.
  SOURCE_DATE_EPOCH=$(date --utc --date="${date:-@0}" +%s) TMPDIR=$partial step "$log" mmdebstrap --mode=root --variant=minbase --dpkgopt=force-unsafe-io --aptopt='APT::Install-Recommends "false"' "${apt_options[@]}" \
    --skip=cleanup/apt/lists "$@" || failed "mmdebstrap could not make the root"
}
# The packages of the lock and no others, from files.
bootstrap_locked() {
  local source='' names
  # Only --update and --lock come here without one.
  if [ -z "$(lock_rows "$lockfile" 2>/dev/null | sed -n 1p)" ]; then
    mkdir -p "$partial/repository"
    echo "any package: the lock is not there" >"$partial/repository/missing"
    return 1
  fi
  step "$log" bash "$here/debs.sh" "$lockfile" "$cache" "$partial/repository" "$mirror" || failed "the packages could not be got"
  [ ! -s "$partial/repository/missing" ] || return 1
  names=$(lock_rows "$lockfile" | cut -d' ' -f1 | paste -sd,)
  # Inside, apt and who asks it for an archive take the one that this machine has. Its lists are no part of the lock; without a network there are none.
  [ -z "$mirror" ] || source=$(archive_source)
  # shellcheck disable=SC2016 # the hook's variables
  source=$source bootstrap --include="$names" --customize-hook='echo "$source" >"$1/etc/apt/sources.list"
    [ -z "$source" ] || [ -n "${VENDOR:-}" ] || APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -q update --error-on=any ||
      echo "no lists"' '' "$partial/root" "deb [trusted=yes] copy://$partial/repository ./"
  ! grep -qx 'no lists' "$log" || no_lists
}
# no_lists: says why the container has none, and what follows.
no_lists() {
  local words
  if words=$(grep -a -m 1 "$expired" "$log"); then
    note "${words#E: } This machine's apt may be told not to check the dates of indexes; that is not taken over. Locked packages are known by their digests, so the" \
      "container is made all the same, and its apt has no lists. To take such an index: DEBIAN_ACCEPT_EXPIRED=1 $0 --rebuild"
  else
    note "the lists of $mirror could not be fetched ($log), so the container's apt has none"
  fi
}
# What the archive has today.
bootstrap_unlocked() {
  local from=$mirror
  [ -z "$mirror" ] || [ "${DEBIAN_ACCEPT_EXPIRED:-}" != 1 ] || from=$(archive_source)
  bootstrap --include="$(packages_asked "$list" | paste -sd,)" forky "$partial/root" ${from:+"$from"}
}
# missing: says which locked packages are not to be had, and what follows.
missing() {
  local file=$partial/repository/missing
  note "not to be had with the content that ci/container/packages.lock.json names: $(sort "$file" | sed -n 1,8p | paste -sd, | sed 's/,/, /g')$(
    [ "$(wc -l <"$file")" -le 8 ] || echo " and $(($(wc -l <"$file") - 8)) more")"
  if [ -n "${VENDOR:-}" ]; then
    note "the bundle VENDOR=$VENDOR lacks them; make it anew where there is a network"
    give_up 1 failed
  fi
  if [ -n "${CONTAINER_LOCKED:-}" ]; then
    note "CONTAINER_LOCKED is set, so nothing else is taken. Newer packages: $0 --update"
    give_up 1 failed
  fi
  note "the archive ${mirror:-of mmdebstrap} has moved on, or is out of reach. Going on with the packages that it has today: this container is UNLOCKED, and" \
    "what is compiled in it may differ from what others get. To mend it: $0 --update, and commit ci/container/packages.lock.json"
}
