#!/bin/sh
# Step of the Dockerfiles: the kernel gets a name without a version, since each slot has one. Its initrd is made later, of the modules that lie
# here (`initrd_image`).
set -eu
kernel=$(ls /usr/lib/modules)
mv "/boot/vmlinuz-$kernel" /boot/vmlinuz
rm -f /boot/System.map-* /boot/config-* /boot/initrd.img-* /boot/*.old /vmlinuz* /initrd.img*
rm -f "/usr/lib/modules/$kernel/build" "/usr/lib/modules/$kernel/source"
