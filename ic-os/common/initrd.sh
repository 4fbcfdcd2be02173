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

# dracut 106 looks up the libraries of every program but those with ".ko" in their *path*, in which its work folder has a random name: one
# initrd in 3844, made in /tmp/dracut.koXXXX, had none. Meant are modules, by their names.
meant="-not -name '*.ko*' -print0"
sed "s/-not -path '\*\.ko\*' -print0/$meant/" /usr/bin/dracut >/tmp/dracut
grep -qF -- "$meant" /tmp/dracut || { echo "initrd.sh: this dracut looks for programs in another way: look whether it is still to be mended" >&2; exit 1; }
TMPDIR=/tmp bash /tmp/dracut --force --kver "$kernel" /boot/initrd.img
rm /tmp/dracut
lsinitrd /boot/initrd.img | grep -q ' usr/lib64/ld-linux-x86-64.so.2' || { echo "initrd.sh: the initrd has no loader for its programs" >&2; exit 1; }
chmod 0644 /boot/initrd.img
rm -r /usr/lib/systemd/system/emergency.service.d
rm /etc/dracut.conf.d/*-image.conf
