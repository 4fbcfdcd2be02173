#!/usr/bin/env bash
# update.sh ARGUMENT…: runs inside the container, for `container-run.sh --update` and `--lock`: makes packages.lock.json anew and says what follows.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
cd "$here/../.."
# shellcheck source-path=SCRIPTDIR source=lock.sh
. "$here/lock.sh"
lockfile=$here/packages.lock.json
before=$(lock_digest "$lockfile" 2>/dev/null || true)
bazel run --noshow_progress --ui_event_filters=-info //ci/container:lock -- "$@"
if [ "$before" = "$(lock_digest "$lockfile")" ]; then
  echo "container: the lock names the same packages as before; nothing is to be done"
else
  echo "container: commit ci/container/packages.lock.json. The next start makes the container of it and everything that is compiled is compiled anew;"
  echo "container: ci/test.sh says whether it still works, ci/container/container-run.sh --prune removes the old one"
fi
