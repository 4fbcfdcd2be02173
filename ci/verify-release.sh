#!/usr/bin/env bash
# What a stranger runs: builds a release's files from this checkout and says whether they are those of its SHA256SUMS. See docs/guides/verify.md.
set -euo pipefail
usage() {
  cat <<'TEXT'
usage: ci/verify-release.sh [--target //ic-os/OS/envs/ENV] [--version VERSION] SHA256SUMS [FLAG…]

Builds what SHA256SUMS is of, in this checkout and by itself (no shared cache, no remote execution), and compares. Release files that lie beside
SHA256SUMS are checked against it first; if the build gives others, it says how they differ.

  --target    which image; else the system is `name` in manifest.json beside SHA256SUMS, of which prod is tried, then dev
  --version   the release's; else what version.txt beside SHA256SUMS says, else the checkout's own
  --help      this text
  FLAG…       for Bazel: the certificate and signatures of who signed the release (docs/guides/verify.md)

The checkout must be the release's commit, without changes. Exit status: 0, identical; 1, not, or it does not build; 2, wrong use.
TEXT
}
top=$(readlink -f "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/..")
wrong() { echo "verify-release: $*" >&2; exit 2; }
fail() { echo "FAIL verify-release: $*"; exit 1; }

target='' version='' sums='' inside='' flags=()
while [ $# -gt 0 ]; do
  case $1 in
    --target) target=${2:-}; shift ;;
    --version) version=${2:-}; shift ;;
    --inside) inside=1 ;;
    --help | -h) usage; exit 0 ;;
    -*) [ -n "$sums" ] || { usage >&2; wrong "unknown option $1"; }; flags+=("$1") ;;
    *) [ -z "$sums" ] || wrong "got $sums and $1, want one SHA256SUMS"; sums=$1 ;;
  esac
  shift
done
[ -n "$sums" ] || { usage >&2; wrong "which SHA256SUMS?"; }
[ -r "$sums" ] || wrong "can't read $sums"
[ -s "$sums" ] && ! grep -qvE '^[0-9a-f]{64}  [A-Za-z0-9_][A-Za-z0-9._-]*$' "$sums" ||
  wrong "$sums is not what sha256sum writes: want lines of 64 hexadecimal digits, two blanks, a name without a folder"
folder=$(readlink -f "$(dirname "$sums")")
case $target in '' | //ic-os/*/envs/*) ;; *) wrong "--target: got $target, want //ic-os/OS/envs/ENV" ;; esac

# At first outside the container, where the download is: the container sees this checkout and the cache folder alone.
if [ -z "$inside" ]; then
  # Files that git does not know may be there: certificate and signatures of a release.
  changes=$(git -C "$top" status --porcelain --untracked-files=no) || wrong "git can't say whether this checkout has changes"
  [ -z "$changes" ] || fail "this checkout has changes, so what it builds is of no commit: git status"
  # Status 1 also if none of them is there.
  said=$(cd "$folder" && LC_ALL=C sha256sum --check --ignore-missing "$(basename "$sums")" 2>/dev/null) || true
  case $said in
    *FAILED*)
      echo "$said"
      fail "a file beside $sums is not the one that it names: a broken or another download" ;;
    '') echo "verify-release: beside $sums lies none of its files; the sums alone are compared" ;;
    *) echo "verify-release: the files beside $sums are those that it names: $(grep -c ': OK$' <<<"$said") of $(wc -l <"$sums")" ;;
  esac
  [ -n "$version" ] || [ ! -r "$folder/version.txt" ] || read -r version <"$folder/version.txt"
  if [ -e /etc/image-build-container ]; then cache=$IMAGE_BUILD_CACHE; else cache=$("$top/ci/container/container-run.sh" sh -c 'echo "$IMAGE_BUILD_CACHE"'); fi
  work=$(mktemp -d "$cache/verify.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  cp "$sums" "$work/SHA256SUMS"
  awk '{ print $2 }' "$sums" | while IFS= read -r name; do
    # A link costs nothing; from another disk large files are copied with their holes.
    [ ! -f "$folder/$name" ] || ln "$folder/$name" "$work/$name" 2>/dev/null || cp --sparse=always --reflink=auto "$folder/$name" "$work/$name"
  done
  start=$SECONDS status=0
  cd "$top"
  ci/container/container-run.sh ci/verify-release.sh --inside ${target:+--target "$target"} ${version:+--version "$version"} "$work/SHA256SUMS" "${flags[@]}" || status=$?
  echo "verify-release: $((SECONDS - start)) s"
  exit "$status"
fi

cd "$top"
# shellcheck source-path=SCRIPTDIR source=locked.sh
. ci/locked.sh
need_locked verify-release container
commit=$(git rev-parse HEAD)
# Nothing that a shared cache gave to builds before: caches of its own, too, which stay for the next time.
own=$IMAGE_BUILD_CACHE/verify
mkdir -p "$own"
flags=(--config=release "--disk_cache=$own/disk" --remote_cache= --remote_executor= ${version:+"--//ic-os:release=$version"} "${flags[@]}")
bazel=(bazel "--output_base=$own/base")
# Its server must not outlive it.
trap '"${bazel[@]}" shutdown >/dev/null 2>&1 || true' EXIT
targets=("$target")
if [ -z "$target" ]; then
  [ -e "$folder/manifest.json" ] || wrong "there is no manifest.json beside the sums that would say what they are of; name it: --target //ic-os/OS/envs/ENV"
  os=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["name"])' "$folder/manifest.json" 2>/dev/null) || wrong "manifest.json beside the sums has no \"name\""
  [ -d "ic-os/$os/envs" ] || wrong "manifest.json beside the sums is of $os, which is no system of this checkout"
  targets=("//ic-os/$os/envs/prod" "//ic-os/$os/envs/dev")
fi

# same TARGET: builds its sums, which needs no image written, and says whether they are those.
# No release has a file of such a name.
log=$folder/.log
same() {
  echo "verify-release: building $1:sums${version:+ as $version} at $commit"
  "${bazel[@]}" build "${flags[@]}" "$1:sums" >"$log" 2>&1 || { tail -n 30 "$log"; return 2; }
  bin=$("${bazel[@]}" info "${flags[@]}" bazel-bin 2>/dev/null)/${1#//}
  cmp --silent "$bin/SHA256SUMS" "$folder/SHA256SUMS"
}
likely='' most=-1
for target in "${targets[@]}"; do
  status=0
  same "$target" || status=$?
  if [ "$status" -eq 2 ]; then
    echo "verify-release: $target does not build here"
    continue
  fi
  if [ "$status" -eq 0 ]; then
    sed 's/^/  /' "$folder/SHA256SUMS"
    echo "PASS verify-release: identical: these $(wc -l <"$folder/SHA256SUMS") files are what $target gives at $commit"
    exit 0
  fi
  # The same packages, at least?
  equal=$(grep -cFxf "$bin/SHA256SUMS" "$folder/SHA256SUMS") || true
  if [ "$equal" -gt "$most" ]; then likely=$target most=$equal; fi
done

[ -n "$likely" ] || fail "nothing that the sums may be of builds here"
echo "verify-release: compared with $likely, these differ:"
same "$likely" || true
diff <(sort -k 2 "$folder/SHA256SUMS") <(sort -k 2 "$bin/SHA256SUMS") | sed -nE 's/^< /  released: /p; s/^> /  built:    /p' || true
system=$(echo "$likely" | cut -d/ -f4)
"${bazel[@]}" build "${flags[@]}" --experimental_convenience_symlinks=ignore "$likely:$system" //rust/tools:imgdiff >"$log" 2>&1 || { tail -n 30 "$log"; fail "$likely does not build here"; }
differ=$("${bazel[@]}" info "${flags[@]}" bazel-bin 2>/dev/null)/rust/tools/imgdiff
comm -13 <(sort "$bin/SHA256SUMS") <(sort "$folder/SHA256SUMS") | cut -c67- | while IFS= read -r name; do
  [ -e "$folder/$name" ] && [ -e "$bin/$name" ] || continue
  echo "verify-release: $name, released against built:"
  bash ci/reproduce/difference.sh "$differ" "$folder/$name" "$bin/$name" | sed 's/^/  /'
done
fail "not identical; what to think of it: docs/guides/verify.md"
