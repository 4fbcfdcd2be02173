#!/usr/bin/env bash
# usage: ci/base-images.sh [--no-push] REGISTRY/FOLDER
# What happens to base images once a week: newer packages are locked (all systems), the images built and tested, published as
# REGISTRY/FOLDER/OS-base, and pinned by what they are pulled by; then a commit, whose message is the summary. Nothing newer: no commit. If anything
# fails, locks and pins are as they were.
#
# By the environment: REFRESH, the command that locks and prints a summary; TESTS, the command that tests; SYSTEMS, those to publish.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh env ${REFRESH:+"REFRESH=$REFRESH"} ${TESTS:+"TESTS=$TESTS"} \
  ${SYSTEMS:+"SYSTEMS=$SYSTEMS"} ci/base-images.sh "$@"
fail() { echo "FAIL base-images: $*"; exit 1; }
push=yes
if [ "${1:-}" = --no-push ]; then push=''; shift; fi
[ $# -eq 1 ] || { sed -n '2p' "$0" | cut -c3-; exit 2; }
registry=${1%/}
refresh=${REFRESH:-bazel run //ic-os:lock -- --upgrade --markdown}
tests=${TESTS:-ci/test.sh}
read -ra systems <<<"${SYSTEMS:-guestos hostos setupos}"
[ -z "$push" ] || command -v skopeo >/dev/null || fail "skopeo, which speaks to the registry, is not in PATH"

# Hours before the commit.
git var GIT_COMMITTER_IDENT >/dev/null || fail "git knows no name to commit as: git config user.name and user.email in this repository"
# All that this changes.
files=(':(glob)ic-os/*/context/packages*.lock.json' ':(glob)ic-os/*/context/docker-base*')
changes=$(git status --porcelain -- "${files[@]}") || fail "git can't say whether locks or pins have changes"
[ -z "$changes" ] || fail "locks or pins have changes that are not committed: git status -- ic-os"
work=$(mktemp -d)
done=''
# shellcheck disable=SC2317 # reached through the trap
clean() {
  [ -n "$done" ] || git checkout --quiet HEAD -- "${files[@]}"
  rm -rf "$work"
}
trap clean EXIT

echo "== packages"
bash -c "$refresh" >"$work/summary" || fail "newer packages could not be locked: $refresh"
echo "== base images"
# From packages, whatever is published.
for os in "${systems[@]}"; do
  bazel run --repo_env=BASE_IMAGES=build "//ic-os/$os/context:pin" || fail "$os: the base images are not built"
done
if git diff --quiet -- "${files[@]}"; then
  done=yes
  # Published as they are pinned already?
  unpublished=0
  for os in "${systems[@]}"; do
    ! grep -qv "^$registry/" <<<"$(head -qn 1 "ic-os/$os"/context/docker-base.*)" || unpublished=1
  done
  if [ -z "$push" ] || [ "$unpublished" -eq 0 ]; then
    echo "PASS base-images: nothing is newer"
    exit
  fi
  done=''
  echo "The same packages, published." >"$work/summary"
fi
echo "== tests: $tests"
bash -c "$tests" || fail "tests: $tests"
if [ -n "$push" ]; then
  for os in "${systems[@]}"; do
    echo "== $os to $registry/$os-base"
    bazel run --repo_env=BASE_IMAGES=build "//ic-os/$os/context:push" -- --pin "$registry/$os-base" || fail "$os: not published"
  done
fi
{
  echo "base images: packages of $(date --utc +%Y-%m-%d)"
  echo
  cat "$work/summary"
} >"$work/message"
git add -- "${files[@]}"
git commit --quiet --file "$work/message" -- "${files[@]}"
done=yes
echo "PASS base-images: $(git log -1 --format='%h %s')"
