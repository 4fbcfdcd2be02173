#!/usr/bin/env bash
# debs.sh LOCK CACHE REPOSITORY [ARCHIVE]: gets the packages of LOCK by the SHA-256 in it, and makes a repository of them for apt. A package is
# looked for in CACHE/debs, among Bazel's downloads in CACHE, in the bundle VENDOR, and, where no bundle is named, in ARCHIVE and then in the
# snapshots of DEBIAN_SNAPSHOT. REPOSITORY/missing names those that are not to be had.
set -euo pipefail
umask 022
lock=$1 cache=$2 repository=$3 archive=${4:-}
debs=$cache/debs
# shellcheck source-path=SCRIPTDIR source=lock.sh
. "$(dirname "${BASH_SOURCE[0]}")/lock.sh"
mkdir -p "$debs" "$repository"
rm -f "$debs"/*.part*
ln -s "$debs" "$repository/debs"
methods=''
eval "$(apt-config shell methods Dir::Bin::methods/d)"
helper=${methods%/}/../apt-helper

# Addresses with {path} in them, in the order in which they are asked.
places=()
if [ -z "${VENDOR:-}" ]; then
  [ -z "$archive" ] || places+=("${archive%/}/{path}")
  date=$(lock_date "$lock")
  if [ -n "${DEBIAN_SNAPSHOT:-}" ] && [ -n "$date" ]; then
    # A state is taken some hours after the date of its release file: see snapshot_times in bzl/private/debian_archive.bzl.
    for time in "$date" "$date 1 day"; do
      time=$(date --utc --date="$time" +%Y%m%dT%H%M%SZ)
      place=${DEBIAN_SNAPSHOT//'{root}'/debian}
      places+=("${place//'{timestamp}'/$time}")
    done
  fi
fi

# keep SUM: takes what was got for a package, if it is that.
keep() {
  if sha256sum --check --status <<<"$1  $debs/$1.part" 2>/dev/null; then
    chmod 644 "$debs/$1.part"
    mv -T "$debs/$1.part" "$debs/$1"
  else
    rm -f "$debs/$1.part"
    return 1
  fi
}
# here SUM: whether a package is on this machine.
here() {
  local file
  ! sha256sum --check --status <<<"$1  $debs/$1" 2>/dev/null || return 0
  rm -f "$debs/$1"
  for file in "$cache/repositories/content_addressable/sha256/$1/file" ${VENDOR:+"$VENDOR/files/$1"}; do
    if [ -f "$file" ] && cp -- "$file" "$debs/$1.part" && keep "$1"; then return 0; fi
  done
  return 1
}
# share N: gets the packages of a part of the lock and writes their part of the index.
share() {
  local name version sum path place fetch
  local -A have=()
  while read -r name version _ sum path; do
    ! here "$sum" || have[$sum]=1
  done <"$repository/rows.$1"
  for place in ${places[@]+"${places[@]}"}; do
    fetch=()
    while read -r name version _ sum path; do
      path=${path//+/%2B}
      [ -n "${have[$sum]:-}" ] || fetch+=("${place//'{path}'/${path//'~'/%7E}}" "$debs/$sum.part" "SHA256:$sum")
    done <"$repository/rows.$1"
    [ "${#fetch[@]}" -gt 0 ] || break
    # An archive that hangs is given up. Which packages came is seen next.
    timeout 600 "$helper" -qq -o APT::Sandbox::User=root download-file "${fetch[@]}" || true
    while read -r name version _ sum path; do
      if [ -z "${have[$sum]:-}" ] && keep "$sum"; then have[$sum]=1; fi
    done <"$repository/rows.$1"
  done
  while read -r name version _ sum path; do
    if [ -n "${have[$sum]:-}" ]; then
      dpkg-deb --field "$debs/$sum"
      printf 'Filename: debs/%s\nSize: %s\nSHA256: %s\n\n' "$sum" "$(stat --format=%s "$debs/$sum")" "$sum"
    else
      echo "$name $version" >>"$repository/missing.$1"
    fi
  done <"$repository/rows.$1" >"$repository/index.$1"
}

lock_rows "$lock" >"$repository/rows"
shares=8
echo "I: getting $(wc -l <"$repository/rows") packages"
# By runs of lines, so that the index has the lock's order.
split --number="l/$shares" --numeric-suffixes=1 --suffix-length=1 "$repository/rows" "$repository/rows."
jobs=()
for n in $(seq "$shares"); do
  share "$n" &
  jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job"; done
rm -f "$debs"/*.part*
cat "$repository"/index.* >"$repository/Packages"
touch "$repository/missing.0"
cat "$repository"/missing.* >"$repository/missing"
