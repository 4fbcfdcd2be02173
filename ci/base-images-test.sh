#!/usr/bin/env bash
# Published base images, with a real registry on this machine's loopback: pushed, pulled by digest instead of built, to the same bytes; a registry
# that is down, and one whose bytes are others; and the weekly job, ci/base-images.sh. Works on a scratch copy of the checkout.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/base-images-test.sh "$@"
fail() { echo "FAIL base-images-test: $*"; exit 1; }
# shellcheck source-path=SCRIPTDIR source=locked.sh
. ci/locked.sh
need_locked base-images-test //ic-os/guestos/context:pin
scratch=$(mktemp -d "$IMAGE_BUILD_CACHE/scratch.XXXXXX")
registry=''
stop() { [ -z "$registry" ] || { kill "$registry" 2>/dev/null; wait "$registry" || true; registry=''; }; }
clean() {
  stop
  (cd "$scratch/tree" && bazel clean --expunge >/dev/null 2>&1) || true
  rm -rf "$scratch"
}
trap clean EXIT
mkdir "$scratch/tree"
git ls-files -z | xargs -0 cp --parents -t "$scratch/tree" 2>/dev/null || true # a file deleted but not yet committed is none
cp .bazelrc.container "$scratch/tree/"
cd "$scratch/tree"
git init --quiet
git config user.name test
git config user.email test@example.org
git add --all
git commit --quiet --message "as it was"

port=$((20000 + RANDOM % 20000))
cat >"$scratch/registry.yml" <<YAML
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $scratch/store}}
http: {addr: "127.0.0.1:$port"}
YAML
start() {
  docker-registry serve "$scratch/registry.yml" >"$scratch/registry.log" 2>&1 &
  registry=$!
  for _ in $(seq 100); do
    ! curl --silent --fail --output /dev/null "http://127.0.0.1:$port/v2/" || return 0
    sleep 0.1
  done
  fail "the registry does not start: $(cat "$scratch/registry.log")"
}
context=//ic-os/guestos/context image=guestos-base-dev pin=ic-os/guestos/context/docker-base.dev
folder=bazel-bin/ic-os/guestos/context repository=127.0.0.1:$port/test/guestos-base
# build FLAG…: the base image; what ran, and what was said.
build() { bazel build --execution_log_json_file="$scratch/execution.json" "$@" "$context:$image" >"$scratch/log" 2>&1; }
said() { grep -q -- "$1" "$scratch/log" || { tail -n 30 "$scratch/log"; fail "$2: nothing was said of: $1"; }; }
ran() { grep -q "\"mnemonic\": \"$1\"" "$scratch/execution.json"; }
same() { [ "$(sha256sum <"$folder/$image.tar")" = "$built" ] || fail "$1: other bytes than those that were built"; }
# Another value of what decides about fetching makes Bazel fetch again.
again() { if [ "$asked" = pull ]; then asked='' flags=(); else asked=pull flags=(--repo_env=BASE_IMAGES=pull); fi; }
asked='' flags=() warning='^WARNING: .* names a published base image'

start
build || { tail -n 30 "$scratch/log"; fail "the image is not built"; }
built=$(sha256sum <"$folder/$image.tar") digest=$(cat "$folder/$image.digest")
! ran CheckBase || fail "an image that is not published was fetched"
bazel run "$context:push" -- --only "$image" --pin "$repository" >"$scratch/pushed" 2>"$scratch/log" || { cat "$scratch/log"; fail "push"; }
[ "$(cat "$scratch/pushed")" = "$repository@$digest" ] || fail "push printed: $(cat "$scratch/pushed"), want $repository@$digest"
[ "$(git diff --numstat)" = "1	1	$pin" ] || fail "push --pin changed: $(git diff --numstat), want the first line of $pin"
[ "$(head -n 1 "$pin")" = "$repository@$digest" ] || fail "the pin is $(head -n 1 "$pin")"
echo "base-images-test: pushed"

build || { tail -n 30 "$scratch/log"; fail "the published image is not taken"; }
ran CheckBase || fail "the published image is not taken: it was built"
! ran MkBase || fail "the published image was built, too"
! grep "$warning" "$scratch/log" || fail "a warning, and all is well"
same "pulled"
bazel build "$context:rootfs-dev" >"$scratch/log" 2>&1 || { tail -n 30 "$scratch/log"; fail "the Dockerfile is not executed on it"; }
bazel run "$context:pin" >"$scratch/log" 2>&1 || { tail -n 30 "$scratch/log"; fail "pin"; }
[ "$(head -n 1 "$pin")" = "$repository@$digest" ] || fail "pin took the registry from an image that is the same: $(head -n 1 "$pin")"
echo "base-images-test: pulled"

stop
again
build "${flags[@]}" || { tail -n 30 "$scratch/log"; fail "with the registry down, the image is not built"; }
said "$warning, which is not used: .*refused" "registry down"
[ "$(grep -c "$warning" "$scratch/log")" -eq 1 ] || fail "registry down: $(grep -c "$warning" "$scratch/log") warnings, want one"
! ran CheckBase || fail "with the registry down, an image was taken from it"
same "registry down"
echo "base-images-test: built with the registry down"

start
layer=$(sha256sum <"$folder/$image.tar" | cut -d' ' -f1)
blob=$(find "$scratch/store" -path "*/$layer/data")
cp "$blob" "$scratch/blob"
printf X | dd of="$blob" bs=1 seek=100000 conv=notrunc status=none
again
! build "${flags[@]}" || fail "a layer of other bytes was taken"
said "the registry gave other bytes than those of" "tampered layer"
cp "$scratch/blob" "$blob"
again
build "${flags[@]}" || { tail -n 30 "$scratch/log"; fail "after that, the image is not taken"; }
ran CheckBase || fail "after that, the image was built"
same "after a tampered layer"
[ "$(git diff --numstat)" = "1	1	$pin" ] || fail "something in the tree has changed: $(git diff --numstat)"
echo "base-images-test: a tampered layer is refused"

# A digest that the registry does not have, and packages that the lock does not have.
sed -i '1s/@.*/@sha256:'"$(sha256sum </dev/null | cut -d' ' -f1)/" "$pin"
build "${flags[@]}" || { tail -n 30 "$scratch/log"; fail "with another digest, the base image is not built"; }
said "which is not used: .*manifest unknown" "another digest"
! bazel build "$context:rootfs-dev" >"$scratch/log" 2>&1 || fail "an image of another digest than the pin's was built upon"
said "the base image built here is $digest" "another digest"
sed -i "1s/@.*/@$digest/; 3d" "$pin"
build "${flags[@]}" || { tail -n 30 "$scratch/log"; fail "with other packages, the base image is not built"; }
said "which is not used: its packages are not those of .*(1 differ: " "other packages"
git checkout --quiet "$pin"
echo "base-images-test: another digest and other packages are not taken"

# The weekly job: nothing newer, but not published yet; then nothing to do; then a newer package, and tests that fail at first; then a refresh that fails.
job() { env REFRESH="$1" TESTS="$2" SYSTEMS=guestos ci/base-images.sh "127.0.0.1:$port/weekly" >"$scratch/log" 2>&1; }
job true true || { tail -n 30 "$scratch/log"; fail "the weekly job"; }
grep -q '^The same packages, published\.$' <<<"$(git log -1 --format=%B)" || fail "the weekly job's commit says: $(git log -1 --format=%B)"
[ "$(head -qn 1 ic-os/guestos/context/docker-base.* | cut -d@ -f1 | sort -u)" = "127.0.0.1:$port/weekly/guestos-base" ] || fail "the weekly job's pins: $(head -qn 1 ic-os/guestos/context/docker-base.*)"
[ -z "$(git status --porcelain)" ] || fail "the weekly job left: $(git status --porcelain)"
commit=$(git rev-parse HEAD)
job true false || { tail -n 30 "$scratch/log"; fail "the weekly job, a week later"; }
said "PASS base-images: nothing is newer" "a week later"
# renew: makes a newer package of a locked one, on an archive of its own, and the command that locks it and has $summary to say. Its bytes are the same each
# time, so that the base image with it is made once and then cached.
package=sensible-utils lock=ic-os/guestos/context/packages.dev.lock.json
renew() {
  local deb path was=$scratch/newer/was size sum
  old=$(sed -nE "s/.*\"name\": \"$package\", \"version\": \"([^\"]*)\".*/\1/p" "$lock")
  new=$old+newer path=pool/main/s/$package/${package}_${new#*:}_all.deb
  mkdir -p "$scratch/newer/${path%/*}"
  # Where all came from caches, nobody has fetched it.
  bazel build --noshow_progress @debs//:guestos_dev >"$scratch/log" 2>&1 || { tail -n 30 "$scratch/log"; fail "the packages can't be fetched"; }
  deb=$(compgen -G "$(bazel info output_base 2>/dev/null)/external/*/debs/${package}_*.deb" | sed -n 1p) || fail "$package is not among the packages that were fetched"
  dpkg-deb --raw-extract "$deb" "$was"
  sed -i "s/^Version: .*/Version: $new/" "$was/DEBIAN/control"
  SOURCE_DATE_EPOCH=1 dpkg-deb --build --root-owner-group -Znone "$was" "$scratch/newer/$path" >/dev/null
  size=$(stat -c %s "$scratch/newer/$path") sum=$(sha256sum <"$scratch/newer/$path" | cut -d' ' -f1)
  export DEBIAN_MIRROR=file://$scratch/newer
  summary=$(printf '%s\n' '## guestos' '' "- $package $old → $new")
  cat >"$scratch/refresh" <<SED
sed -i -E '/"name": "$package"/ { s/"version": "[^"]*"/"version": "$new"/; s/"size": [0-9]*/"size": $size/; s/"sha256": "[^"]*"/"sha256": "$sum"/; s#"path": "[^"]*"#"path": "$path"# }' $lock
cat <<'TEXT'
$summary
TEXT
SED
}
# unchanged WHAT: the tree is that of $commit.
unchanged() {
  [ -z "$(git status --porcelain)" ] && [ "$(git rev-parse HEAD)" = "$commit" ] || fail "$1 left: $(git status --porcelain)"
}
renew
! job "bash $scratch/refresh" "cp $pin $scratch/tested; false" || fail "newer packages were taken, though tests failed"
said "FAIL base-images: tests: cp " "tests that fail"
unchanged "tests that failed"
grep -q "^$package $new " "$scratch/tested" || fail "tests did not see the newer package: $(grep "^$package " "$scratch/tested")"
job "bash $scratch/refresh" "cp $pin $scratch/tested" || { tail -n 30 "$scratch/log"; fail "the weekly job, with a newer package"; }
grep -qxE 'base images: packages of [0-9]{4}-[0-9]{2}-[0-9]{2}' <<<"$(git log -1 --format=%s)" && [ "$(git log -1 --format=%b)" = "$summary" ] ||
  fail "with a newer package, the commit says: $(git log -1 --format=%B)"
[ "$(git rev-parse HEAD^)" = "$commit" ] || fail "with a newer package, there is not one commit: $(git log --oneline)"
commit=$(git rev-parse HEAD)
unchanged "a newer package"
[ "$(git diff --name-only HEAD^ HEAD)" = "$pin"$'\n'"$lock" ] || fail "with a newer package, these changed: $(git diff --name-only HEAD^ HEAD)"
diff <(tail -n +2 "$scratch/tested") <(tail -n +2 "$pin") || fail "what is committed is not what was tested"
published=$(head -n 1 "$pin")
[ "${published%@*}" = "127.0.0.1:$port/weekly/guestos-base" ] && [ "${published#*@}" != "$digest" ] || fail "with a newer package, the pin is $published"
curl --silent --fail --output /dev/null --header 'Accept: application/vnd.oci.image.manifest.v1+json' "http://127.0.0.1:$port/v2/weekly/guestos-base/manifests/${published#*@}" ||
  fail "the registry does not have $published"
! job "sed -i s/x/y/ $lock; false" true || fail "a refresh that failed was taken"
unchanged "a refresh that failed"
echo "base-images-test: the weekly job publishes, pins and commits"
echo "PASS base-images-test"
