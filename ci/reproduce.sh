#!/usr/bin/env bash
# The same commit gives the same bytes, whatever the circumstances: ci/reproduce/variations.txt has them as data, and elsewhere.sh has two more.
set -euo pipefail
usage() {
  cat <<'TEXT'
usage: ci/reproduce.sh [--short] [--vary NAME[,NAME…]] [--apart] [TARGET…]

Builds TARGETs (default: all six images; with --short GuestOS dev and prod), then again in another output base under other circumstances: base
images, Dockerfiles, plans and images are made anew, and every file must be the same. On a difference it prints which files differ and how each
does, and builds once more for each circumstance to tell which one it was.

  --short   what the gate has time for: everything but `disk` and `elsewhere`
  --vary    these circumstances alone
  --apart   a build for each circumstance instead of one for all
  --list    print the circumstances
  --help    this text

`elsewhere` is another user's (an ordinary one, where root starts this), with a checkout, a cache and a build container of their own, made anew; the
compilers' work too. It needs the machine: inside the container it is left out, and said so.
Ends with 1 if something differs or does not build.
TEXT
}
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
fail() { echo "FAIL reproduce: $*"; exit 1; }
table() { sed -E '/^(#|$)/d; s/ *\| */|/g; s/ +$//' ci/reproduce/variations.txt; }

short='' apart='' part='' vary='' targets=() all=("$@")
while [ $# -gt 0 ]; do
  case $1 in
    --short) short=1 ;;
    --apart) apart=1 ;;
    --part) part=1 ;; # of a run that was started on the machine
    --vary) vary=${2:?--vary needs names}; shift ;;
    --list) table | cut -d'|' -f1; echo elsewhere; exit 0 ;;
    --help | -h) usage; exit 0 ;;
    -*) usage >&2; echo "reproduce: unknown option $1" >&2; exit 2 ;;
    *) targets+=("$1") ;;
  esac
  shift
done
if [ ${#targets[@]} -eq 0 ]; then
  targets=(//ic-os/guestos/envs/{dev:guestos,prod:guestos})
  [ -n "$short" ] || targets+=(//ic-os/hostos/envs/{dev:hostos,prod:hostos} //ic-os/setupos/envs/{dev:setupos,prod:setupos})
fi
if [ -z "$vary" ]; then
  vary=$(table | cut -d'|' -f1 | paste -sd,),elsewhere
  [ -z "$short" ] || vary=${vary/,disk,elsewhere/}
fi
inside=() elsewhere=''
for name in ${vary//,/ }; do
  if [ "$name" = elsewhere ]; then elsewhere=1
  elif grep -qx -- "$name" <<<"$(table | cut -d'|' -f1)"; then inside+=("$name")
  else echo "reproduce: there is no circumstance $name; --list prints them" >&2; exit 2; fi
done
# What needs the machine is started from it; the rest is one call of this script inside.
if [ ! -e /etc/image-build-container ] && [ -z "$elsewhere" ]; then exec ci/container/container-run.sh ci/reproduce.sh "${all[@]}"; fi
if [ -e /etc/image-build-container ]; then
  run() { "$@"; }
  cache=$IMAGE_BUILD_CACHE
  [ -z "$elsewhere" ] || echo "reproduce: elsewhere is left out: it is started on the machine, and this is the inside of the container"
  elsewhere=''
else
  run() { ci/container/container-run.sh "$@"; }
  cache=$(run sh -c 'echo "$IMAGE_BUILD_CACHE"')
fi

declare -A left=()
built=0
scratch=$(mktemp -d "$cache/reproduce.XXXXXX")
chmod 755 "$scratch"
# remove FOLDER: a build's.
remove() {
  # Bazel's outputs are read-only.
  chmod -R u+w "$1" 2>/dev/null || true
  rm -rf --one-file-system "$1"
}
trap 'remove "$scratch"' EXIT
# build NAMES TARGET…: another build, under these circumstances. Exit status as build.sh's; 77 if this machine can't do one of them.
build() {
  local names=$1 folder row name look put before after got command=() status=0
  shift
  folder=$(mktemp -d "$scratch/build.XXXXXX")
  chmod 755 "$folder"
  if [ "$names" = elsewhere ]; then
    echo "reproduce: elsewhere"
    # Root becomes an ordinary user.
    if [ "$(id -u)" = 0 ]; then unshare --mount --propagation private -- bash ci/reproduce/elsewhere.sh "$folder" "$@" || status=$?; else status=77; fi
    [ "$status" -ne 0 ] || run ci/reproduce/compare.sh "$scratch/reference" "$folder" || status=$?
  else
    for name in ${names//,/ }; do
      row=$(table | grep "^$name|")
      IFS='|' read -r _ look put <<<"$row"
      read -ra put <<<"${put//%/$folder}"
      mkdir -p "$folder/base"
      before=$(OUTPUT_BASE=$folder/base bash -c "$look")
      got=0
      after=$(OUTPUT_BASE=$folder/base "${put[@]}" bash -c "$look") || got=$?
      # One core cannot become fewer; and a circumstance that does nothing must not look as if it did.
      case $got:$name in
        77:*) left[$name]="this machine can't do it"; continue ;;
        0:cores) if [ "$before" = "$after" ]; then left[$name]="there is one only"; continue; fi ;;
        0:*) [ "$before" != "$after" ] || fail "$name does nothing: '$look' says $before either way" ;;
        *) fail "$name: '${put[*]}' ended with $got" ;;
      esac
      echo "reproduce: $name: $after (it was $before)"
      command+=("${put[@]}")
    done
    if [ ${#command[@]} -eq 0 ]; then status=77; else "${command[@]}" bash ci/reproduce/build.sh "$folder" "$scratch/reference" "$@" || status=$?; fi
  fi
  remove "$folder"
  return "$status"
}
# vary NAMES: one build of all targets; on a difference one for each circumstance, to tell which.
vary() {
  local start=$SECONDS status=0 name guilty=()
  build "$1" "${targets[@]}" || status=$?
  case $status in
    0)
      echo "reproduce: ${1//,/, }: the same, after $((SECONDS - start)) s"
      built=$((built + 1))
      ;;
    77) [ "$1" != elsewhere ] || left[elsewhere]="it needs root, who becomes another user" ;;
    3)
      if [[ $1 == *,* ]]; then
        echo "reproduce: which one? Each alone:"
        for name in ${1//,/ }; do
          [ -z "${left[$name]:-}" ] || continue
          status=0
          build "$name" "${targets[@]}" || status=$?
          [ "$status" -ne 3 ] || guilty+=("$name")
        done
        fail "the files above differ; by themselves these make a difference: ${guilty[*]:-none}"
      fi
      fail "$1: the files above differ"
      ;;
    *) fail "$1: the build does not come to its end" ;;
  esac
}

# The rest of this script for what varies inside the container; `elsewhere` is started from the machine.
if [ -e /etc/image-build-container ]; then
  # shellcheck source-path=SCRIPTDIR source=locked.sh
  . ci/locked.sh
  need_locked reproduce container "${targets[@]}"
  mkdir "$scratch/reference"
  echo "reproduce: ${targets[*]}"
  bash ci/reproduce/build.sh "$scratch/reference" '' "${targets[@]}" || fail "the targets do not build"
  joined=$(IFS=,; echo "${inside[*]}")
  for names in $(if [ -n "$apart" ]; then echo "${inside[*]}"; else echo "$joined"; fi); do vary "$names"; done
else
  [ ${#inside[@]} -eq 0 ] || run ci/reproduce.sh --part ${apart:+--apart} --vary "$(IFS=,; echo "${inside[*]}")" "${targets[@]}" || exit
  [ ${#inside[@]} -eq 0 ] || built=1
  # shellcheck disable=SC2016 # the inner shell's variable
  run bash -c '. ci/locked.sh && need_locked reproduce "$@"' _ container "${targets[@]}" || exit
  mkdir "$scratch/reference"
  run ci/reproduce/build.sh "$scratch/reference" '' "${targets[@]}" || fail "the targets do not build"
  vary elsewhere
fi
for name in "${!left[@]}"; do echo "reproduce: $name is left out: ${left[$name]}"; done
[ "$built" -gt 0 ] || fail "nothing was varied"
[ -n "$part" ] || echo "PASS reproduce"
