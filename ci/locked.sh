# shellcheck shell=bash
# Sourced, in the build container, by jobs that say something about locked packages only. A package that the archive no longer has stops no build at a
# desk: it goes on with another version (docs/guides/archive.md, docs/container.md), and then these jobs have nothing to look at.
#
# need_locked JOB WHAT…: ends the job unless all packages of WHAT are the locked ones, with a list of those that are not and the command that mends it. WHAT:
# `container`; labels of Bazel, for all packages that these are made of; flags of Bazel (-…) for reading them. Exit status: 1; but 77, skipped, where UNLOCKED is
# `skip`: ci/test.sh sets it, for whom an archive that has moved on is no fault of the commit. Who starts the job by its name wants an answer.

# not_locked JOB LIST MEND: says so, with a text of several lines, and ends the job.
not_locked() {
  local word=FAIL status=1
  if [ "${UNLOCKED:-}" = skip ]; then word=SKIP status=77; fi
  printf '%s\n' "$word $1: it takes locked packages only, and the archive no longer has all of these:" "$2" "mend it with: $3"
  exit "$status"
}
# unlocked_container: a line for each package of this container that is not as its lock has it; at least one if the container was not made of the lock.
unlocked_container() {
  local kind='' lock lines
  lock=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/container/packages.lock.json
  read -r kind _ </etc/image-build-container || true
  [ "$kind" != locked ] || return 0
  # shellcheck source-path=SCRIPTDIR source=container/lock.sh
  . "${lock%/*}/lock.sh"
  # shellcheck disable=SC2016 # dpkg's and awk's variables
  lines=$(awk 'NR == FNR { want[$1] = $2; next }
    !($1 in want) { print $1, $2 ", which is not locked"; next }
    want[$1] != $2 { print $1, $2, "in place of", want[$1] }
    { delete want[$1] }
    END { for (name in want) print "no", name, want[name] }' <(lock_rows "$lock") <(dpkg-query --show --showformat='${Package} ${Version}\n') | LC_ALL=C sort)
  sed 's#.*#unlocked: & (ci/container/packages.lock.json)#' <<<"${lines:-the build container, which was not made of its lock}"
}
# unlocked_packages ARGUMENT…: the same of what labels are made of, as bzl/private/debian_debs.bzl noted it. Takes a second where it was built already.
unlocked_packages() {
  local base notes note
  notes=$(bazel query --noshow_progress --ui_event_filters=-info "${@:1:$#-1}" "filter('//:unlocked\.txt\$', deps(${*: -1}))") || return
  [ -n "$notes" ] || return 0
  base=$(bazel info output_base 2>/dev/null)
  for note in $notes; do
    note=${note#@@}
    cat "$base/external/${note%%//*}/unlocked.txt"
  done
}
need_locked() {
  local job=$1 arguments=() labels=() container='' each list mend=''
  shift
  for each; do
    case $each in
      container) container=1 ;;
      -*) arguments+=("$each") ;;
      *) labels+=("$each") ;;
    esac
  done
  list=''
  if [ -n "$container" ]; then
    list=$(unlocked_container)
    [ -z "$list" ] || mend="ci/container/container-run.sh --update, outside of the container"
  fi
  if [ ${#labels[@]} -gt 0 ]; then
    each=$(unlocked_packages ${arguments[@]+"${arguments[@]}"} "set(${labels[*]})") || { echo "FAIL $job: the packages of ${labels[*]} can't be had; see above"; exit 1; }
    if [ -n "$each" ]; then
      list+=${list:+$'\n'}$each
      # The lock itself says which target makes it.
      each=$(sed -nE 's/^unlocked: .* \((.*)\)$/\1/p' <<<"$each" | sort -u | xargs sed -nE 's/^ *"update": "(.*)",$/bazel run \1/p' | sort -u | paste -sd';' | sed 's/;/; /g')
      mend+=${mend:+"; "}$each
    fi
  fi
  [ -z "$list" ] || not_locked "$job" "$(sed 's/^/  /' <<<"$list")" "$mend; then commit the locks that it changed"
}
