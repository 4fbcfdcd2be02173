#!/bin/sh
# Step of the Dockerfiles of the systems for real hardware: remove drivers and firmware for what no server has.
# Disks and disk controllers, network cards, USB, EFI, virtualisation and hardware monitoring stay.
set -eu
cd /usr/lib/modules/*/kernel
rm -rf sound net/bluetooth net/mac80211 net/wireless net/nfc net/can net/batman-adv net/6lowpan net/ieee802154 \
    drivers/media drivers/bluetooth drivers/nfc drivers/staging drivers/iio drivers/input/joystick \
    drivers/input/touchscreen drivers/input/tablet drivers/hid/intel-ish-hid drivers/net/wireless drivers/net/can \
    drivers/net/hamradio drivers/net/ieee802154 drivers/net/wwan drivers/platform/surface drivers/comedi \
    drivers/isdn drivers/parport drivers/pcmcia drivers/firewire drivers/accel drivers/soundwire \
    drivers/net/arcnet drivers/net/fddi drivers/atm net/atm drivers/memstick
# Graphics: what servers' management processors and virtual machines show, by their own small drivers.
find drivers/gpu/drm -mindepth 1 -maxdepth 1 -type d \
    ! -name ast ! -name mgag200 ! -name tiny ! -name virtio ! -name qxl ! -name ttm ! -name display -exec rm -r {} +
depmod "$(basename "$(dirname "$PWD")")"

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
