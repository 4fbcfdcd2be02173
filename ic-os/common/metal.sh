#!/bin/sh
# Step of the Dockerfiles of the systems for real hardware: remove firmware for what no server has. Drivers for that were not taken (packages.metal);
# folders in which they would be are empty.
set -eu
cd /usr/lib/modules/*/kernel
find . -mindepth 1 -type d -empty -delete

# Firmware that no driver left here, in a file or in the kernel, names; links keep what they point to.
cd /usr/lib/firmware
{
    find /usr/lib/modules -name '*.ko*' -exec modinfo --field=firmware {} +
    tr '\0' '\n' <"$(echo /usr/lib/modules/*/modules.builtin.modinfo)" | sed -n 's/^[^.]*\.firmware=//p'
} | sort -u >/tmp/named
while read -r name; do
    # Some names are patterns.
    for file in $name; do
        [ ! -e "$file" ] || printf '%s\0' "$file"
    done
done </tmp/named >/tmp/found
{
    find amd-ucode intel-ucode -type f
    tr '\0' '\n' </tmp/found
    xargs -0 -r realpath --relative-to=. </tmp/found
} >/tmp/kept
sort -u /tmp/kept >/tmp/named
find . ! -type d -printf '%P\n' | sort | comm -23 - /tmp/named | tr '\n' '\0' | xargs -0 rm -f
find . -mindepth 1 -type d -empty -delete
rm /tmp/found /tmp/kept /tmp/named
