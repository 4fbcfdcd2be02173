#!/bin/sh
# Step of the Dockerfiles: the kernel and its initrd get names without a version, since each slot has one of both.
# What dracut puts in is said in /etc/dracut.conf.d, which the Dockerfile fills and this removes.
set -eu
kernel=$(ls /usr/lib/modules)
mv "/boot/vmlinuz-$kernel" /boot/vmlinuz
rm -f /boot/System.map-* /boot/config-* /boot/initrd.img-* /boot/*.old /vmlinuz* /initrd.img*
rm -f "/usr/lib/modules/$kernel/build" "/usr/lib/modules/$kernel/source"
# Without debug-shell.service no boot argument can ask for a root shell on a terminal, here or in the initrd.
rm -f /usr/lib/systemd/system/debug-shell.service
TMPDIR=/tmp dracut --force --kver "$kernel" /boot/initrd.img
chmod 0644 /boot/initrd.img
rm -r /usr/lib/systemd/system/emergency.service.d
rm /etc/dracut.conf.d/*-image.conf
