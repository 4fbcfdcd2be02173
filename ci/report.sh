#!/usr/bin/env bash
# The report of GuestOS in headless Chromium, at the width of a desk and of a phone: what is to be seen, that nothing is wider than the
# screen, and that nothing was fetched. ci/report.sh [--screenshots DIR] also keeps pictures of it.
# Chromium is no part of the build container: CHROMIUM names it, else `chromium` is looked for. Exit status 77: skipped.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
fail() { echo "FAIL report: $*"; exit 1; }
pictures=
case ${1:-} in
  --screenshots) pictures=${2:?"--screenshots: want a folder"} ;;
  '') ;;
  *) fail "got '$1', want nothing or --screenshots DIR" ;;
esac
chromium=${CHROMIUM:-$(command -v chromium || true)}
if [ -z "$chromium" ]; then
  echo "SKIP report: no chromium; install it, or name it by CHROMIUM, and run this outside of the build container"
  exit 77
fi
bazel=(bazel)
[ -e /etc/image-build-container ] || bazel=(ci/container/container-run.sh bazel)
"${bazel[@]}" build //ic-os/guestos/envs/dev:report || fail "the report does not build"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp bazel-bin/ic-os/guestos/envs/dev/report.html "$work/"
cp tests/report/look.html "$work/"

# browse WIDTH HEIGHT FLAG…: headless, with no network and nothing of earlier runs.
browse() {
  local width=$1 height=$2
  shift 2
  timeout 120 "$chromium" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --hide-scrollbars --host-resolver-rules='MAP * ~NOTFOUND' --user-data-dir="$work/profile" \
    --window-size="$width,$height" "$@" 2>"$work/log" || { tail -n 5 "$work/log"; fail "$chromium failed"; }
}

browse 1400 900 --allow-file-access-from-files --virtual-time-budget=20000 --dump-dom "file://$work/look.html" >"$work/seen"
python3 tests/report/seen.py "$work/seen" || fail "the page is not what it should be; see above"
if [ -n "$pictures" ]; then
  mkdir -p "$pictures"
  browse 1280 1500 --screenshot="$(realpath "$pictures")/report.png" "file://$work/report.html"
  # Chromium's window is 500 pixels wide at least: a phone is a frame in it.
  browse 500 2600 --screenshot="$(realpath "$pictures")/report-phone.png" "file://$work/look.html#phone"
fi
echo "PASS report"
