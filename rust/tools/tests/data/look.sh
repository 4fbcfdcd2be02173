#!/bin/sh
# Looks out of a sandbox: from a RUN step or from a package's script. Writes `name: what was seen` to /looks. /outside names what to
# look for: the checkout's folder, and a file of the caller's, which one of the caller's descriptors has open.
exec >/looks
{
  read -r checkout
  read -r caller
} </outside
tell() { echo "$1: $2"; }
try() { # NAME COMMAND: how a shell fares that runs it
  if said=$(sh -c "$2" 2>&1); then tell "$1" "done $said"; else tell "$1" refused; fi
}
there() { if [ -e "$1" ]; then echo there; else echo absent; fi; }

tell users "$(while read -r a _ c; do echo "$a $c"; done </proc/self/uid_map)"
tell groups "$(while read -r a _ c; do echo "$a $c"; done </proc/self/gid_map)"
while read -r name value; do
  case $name in CapBnd: | CapEff: | CapInh: | CapAmb: | NoNewPrivs: | Seccomp:) tell "${name%:}" "$value" ;; esac
done </proc/self/status
for name in cgroup ipc mnt net pid time user uts; do tell "namespace $name" "$(readlink /proc/self/ns/$name)"; done

tell checkout "$(there "$checkout")"
tell 'checkout through process 1' "$(there "/proc/1/root$checkout")"
tell 'file of the caller' "$(there "$caller")"
tell 'file of the caller through process 1' "$(there "/proc/1/root$caller")"
try 'write to the programs of process 1' 'echo x >/proc/1/root/usr/looked'
try 'write to the program of process 1' 'echo x >/proc/1/exe'
tell 'program of process 1' "$(readlink /proc/1/exe)"
found=none
for link in /proc/1/fd/* /proc/self/fd/*; do
  if [ "$(readlink "$link")" = "$caller" ]; then found=$link; fi
done
tell 'descriptor of the caller' "$found"

tell devices "$(cd /dev && echo *)"
try 'make a block device' 'mknod /tmp/b b 7 0'
try 'make a character device' 'mknod /tmp/c c 1 1'
try 'make a pipe' 'mknod /tmp/p p'
try 'open the terminal' ': </dev/tty'
try 'mount' 'mount -t tmpfs none /tmp'
try 'unmount /proc/sys' 'umount /proc/sys'
try 'another mount namespace' 'unshare --mount true'
try 'another user namespace' 'unshare --user true'
try 'set the time' 'date --set=@0'
try 'set the host name' 'hostname other'
tell 'host name' "$(hostname)"
try 'where core dumps go' 'echo x >/proc/sys/kernel/core_pattern'
try 'a setting of a network' 'echo 1 >/proc/sys/net/ipv4/ip_forward'
try 'sysrq' 'echo h >/proc/sysrq-trigger'
try 'own the null device' 'chown 5:5 /dev/null'
tell '/sys' "$(ls /sys)"
tell 'kernel log' "$(there /dev/kmsg), $(cat /proc/kmsg 2>/dev/null)"
tell 'memory of the kernel' "$(cat /proc/kcore 2>/dev/null)"
read -r up _ </proc/uptime
if [ "${up%.*}" -lt 300 ]; then tell uptime 'since the sandbox began'; else tell uptime "$up"; fi
tell 'network devices' "$(while read -r name _; do case $name in *:) echo "$name" ;; esac; done </proc/net/dev)"
try 'own a file as another user' 'echo >/owned && chown 65535:65535 /owned'
try 'become another user' 'setpriv --reuid=1234 --regid=1234 --clear-groups id -u'
