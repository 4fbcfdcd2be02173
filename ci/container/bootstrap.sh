# shellcheck shell=bash
# Sourced by root.sh: the root's packages, those of the lock or, where they are not to be had, what the archive has today.
# Uses what container-run.sh and root.sh set:
: "${here:?}" "${cache:?}"

# The archive and apt settings of this machine; nothing about them stands in the checkout.
apt_settings() {
  mirror=${DEBIAN_MIRROR:-} apt_options=()
  local valid='' proxy=''
  if command -v apt-get >/dev/null; then
    # shellcheck disable=SC2016 # apt's own variables
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
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg source='' names
  # Only --update and --lock come here without one.
  if [ -z "$(lock_rows "$lockfile" 2>/dev/null | head -n 1)" ]; then
    mkdir -p "$partial/repository"
    echo "any package: the lock is not there" >"$partial/repository/missing"
    return 1
  fi
  # mmdebstrap's own, where this machine knows no archive of Debian's.
  [ -n "$mirror" ] || mirror=$(sed -nE "s/^ *my \\\$mirror *= *'([^']+)';/\1/p" "$(command -v mmdebstrap)" | head -n 1)
  step "$log" bash "$here/debs.sh" "$lockfile" "$cache" "$partial/repository" "$mirror" || failed "the packages could not be got"
  [ ! -s "$partial/repository/missing" ] || return 1
  names=$(lock_rows "$lockfile" | cut -d' ' -f1 | paste -sd,)
  # Inside, apt and who asks it for an archive take the one that this machine has. Its lists are no part of the lock; without a network there are none.
  [ -z "$mirror" ] || source="deb $([ ! -f "$keyring" ] || echo "[signed-by=$keyring] ")$mirror forky main"
  # shellcheck disable=SC2016 # the hook's variables
  source=$source bootstrap --include="$names" --customize-hook='echo "$source" >"$1/etc/apt/sources.list"
    [ -z "$source" ] || [ -n "${VENDOR:-}" ] || APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -q update --error-on=any ||
      echo "no lists"' '' "$partial/root" "deb [trusted=yes] copy://$partial/repository ./"
  ! grep -qx 'no lists' "$log" || note "the lists of $mirror could not be fetched ($log); inside, DEBIAN_MIRROR has to say where Debian's archive is"
}
# What the archive has today.
bootstrap_unlocked() {
  bootstrap --include="$(packages_asked "$list" | paste -sd,)" forky "$partial/root" ${mirror:+"$mirror"}
}
# missing: says which locked packages are not to be had, and what follows.
missing() {
  local file=$partial/repository/missing
  note "not to be had with the content that ci/container/packages.lock.json names: $(sort "$file" | head -n 8 | paste -sd, | sed 's/,/, /g')$(
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
