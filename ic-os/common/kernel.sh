#!/bin/sh
# Step of the Dockerfiles: the kernel gets a name without a version, since each slot has one. Its initrd is made later, of the modules that lie
# here (`initrd_image`). Device nodes that load a module when somebody opens them are listed for systemd-tmpfiles, which else would be done at each start. So
# this comes after metal.sh, which takes modules away.
set -eu
kernel=$(ls /usr/lib/modules)
mv "/boot/vmlinuz-$kernel" /boot/vmlinuz
rm -f /boot/System.map-* /boot/config-* /boot/initrd.img-* /boot/*.old /vmlinuz* /initrd.img*
rm -f "/usr/lib/modules/$kernel/build" "/usr/lib/modules/$kernel/source"

while read -r module node number; do
    case $module in '#'*) continue ;; esac
    case $number in
        [bc][0-9]*:[0-9]*) ;;
        *) echo "kernel.sh: modules.devname: got '$module $node $number', want MODULE NODE and [bc]MAJOR:MINOR" >&2; exit 1 ;;
    esac
    case $node in */*) echo "d /dev/${node%/*} 0755 - - -" ;; esac
    # As b10:200 or c10:200.
    echo "${number%"${number#?}"}! /dev/$node 0600 - - - ${number#?}"
done <"/usr/lib/modules/$kernel/modules.devname" >/usr/lib/tmpfiles.d/static-nodes.conf
if [ ! -s /usr/lib/tmpfiles.d/static-nodes.conf ]; then
    echo "kernel.sh: modules.devname names no device node: look what depmod says now" >&2
    exit 1
fi
