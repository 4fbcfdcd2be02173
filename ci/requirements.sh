#!/usr/bin/env bash
# Which actions leave Bazel's sandbox, its caches or the workers of remote execution: those of this table, for its reasons, and no other. Read from
# Bazel's own list of all actions; nothing is built.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/requirements.sh "$@"
# MkBase, MkRootfs: users and namespaces of their own. WriteImage: costs less to write than to fetch. TestRunner: boots, and what asks for the
# sandbox itself, as SandboxProbe, whose counter-check has none.
wanted='MkBase no-remote-exec no-sandbox
MkRootfs no-remote-exec no-sandbox
SandboxProbe no-cache no-remote-exec no-sandbox
SandboxProbe no-remote-exec
TestRunner no-remote-exec
WriteImage no-cache no-remote-exec'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bazel aquery --noshow_progress --output=text --noinclude_commandline --noinclude_artifacts 'deps(//...)' >"$work/actions" 2>"$work/log" || {
  tail -n 20 "$work/log"
  echo "FAIL requirements: the actions can't be listed"
  exit 1
}
# What no pattern builds, too: one of each kind.
by_hand=(//ic-os/guestos/envs/dev:{oci,disk_qcow2,disk_zst,update_zst,root_file,boot_file} //tests/boot:setupos_chain_test)
bazel aquery --noshow_progress --output=text --noinclude_commandline --noinclude_artifacts "deps(set(${by_hand[*]}))" >>"$work/actions" 2>"$work/log" || {
  tail -n 20 "$work/log"
  echo "FAIL requirements: the actions of manual targets can't be listed"
  exit 1
}
# `  Mnemonic: X`, and behind it `  ExecutionInfo: {key: value, …}` of some.
found=$(sed -nE -e 's/^  Mnemonic: //p' -e 's/^  ExecutionInfo: \{(.*)\}$/=\1/p' "$work/actions" | awk '
  !/^=/ { mnemonic = $0; next }
  {
    line = mnemonic
    count = split(substr($0, 2), pairs, ", ")
    for (i = 1; i <= count; i++) { sub(/:.*/, "", pairs[i]); if (pairs[i] ~ /^(no-|local$)/) line = line " " pairs[i] }
    if (line != mnemonic) print line
  }' | sort -u)
if ! diff <(echo "$wanted") <(echo "$found"); then
  echo "FAIL requirements: actions leave sandbox, caches or workers otherwise than ci/requirements.sh says (<), see above (>)"
  exit 1
fi
echo "PASS requirements"
