#!/usr/bin/env bash
# shellcheck disable=SC2317 # the functions are reached through traps
# enter.sh CHECKOUT CACHE BASE COMMAND…: runs COMMAND inside the container and stands for it outside. This process has entered the
# mount namespace but not the process namespace (only its children are in it), so that signals sent to it arrive.
set -uo pipefail
seen='' child=''
pass() {
  seen=1
  [ -z "$child" ] || kill -"$1" "$child" 2>/dev/null || true
}
# A terminal sends these two to COMMAND as well; passing them on again would count as a second one.
interrupt() { if { : </dev/tty; } 2>/dev/null; then seen=1; else pass "$1"; fi; }
trap 'interrupt INT' INT
trap 'interrupt QUIT' QUIT
for signal in TERM HUP USR1 USR2; do
  # shellcheck disable=SC2064 # expands now on purpose
  trap "pass $signal" "$signal"
done

exec 3<&0
# The shell starts a background process with INT and QUIT ignored and no stdin: undo both. Should this shell be killed, COMMAND ends, too.
env --default-signal=INT,QUIT setpriv --pdeathsig TERM -- bash "$(dirname "${BASH_SOURCE[0]}")/setup.sh" "$@" <&3 3<&- &
child=$!
# Nor its remark that COMMAND was killed: the status says it.
exec 3<&- 2>/dev/null
# A signal ends `wait` early, with the signal's status; the next one tells COMMAND's.
status=0
wait "$child" || status=$?
while [ -n "$seen" ]; do
  seen='' status=0
  wait "$child" || status=$?
done
exit "$status"
