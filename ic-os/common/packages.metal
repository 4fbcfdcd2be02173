# Packages of the two operating systems that meet real hardware, on top of packages.base.
# The installer must see the disks and cards that the installed system will see, so both take this list.

# The kernel, of whose drivers only some are taken, see below
linux-image-amd64

# Processor fixes, loaded before all else
amd64-microcode
intel-microcode

# Firmware that network cards and disk controllers of servers load at run time
firmware-linux-free
firmware-misc-nonfree
firmware-intel-misc
firmware-bnx2
firmware-bnx2x
firmware-cavium
firmware-myricom
firmware-netxen
firmware-qlogic
firmware-realtek

# The EFI system partition and other FAT, network cards
dosfstools
ethtool

# The kernel has drivers for everything. Not taken are those for what no server has: disks and disk controllers, network cards, USB, EFI,
# virtualisation and hardware monitoring stay.
path-exclude=/usr/lib/modules/*/kernel/sound/*
path-exclude=/usr/lib/modules/*/kernel/net/bluetooth/*
path-exclude=/usr/lib/modules/*/kernel/net/mac80211/*
path-exclude=/usr/lib/modules/*/kernel/net/wireless/*
path-exclude=/usr/lib/modules/*/kernel/net/nfc/*
path-exclude=/usr/lib/modules/*/kernel/net/can/*
path-exclude=/usr/lib/modules/*/kernel/net/batman-adv/*
path-exclude=/usr/lib/modules/*/kernel/net/6lowpan/*
path-exclude=/usr/lib/modules/*/kernel/net/ieee802154/*
path-exclude=/usr/lib/modules/*/kernel/drivers/media/*
path-exclude=/usr/lib/modules/*/kernel/drivers/bluetooth/*
path-exclude=/usr/lib/modules/*/kernel/drivers/nfc/*
path-exclude=/usr/lib/modules/*/kernel/drivers/staging/*
path-exclude=/usr/lib/modules/*/kernel/drivers/iio/*
path-exclude=/usr/lib/modules/*/kernel/drivers/input/joystick/*
path-exclude=/usr/lib/modules/*/kernel/drivers/input/touchscreen/*
path-exclude=/usr/lib/modules/*/kernel/drivers/input/tablet/*
path-exclude=/usr/lib/modules/*/kernel/drivers/hid/intel-ish-hid/*
path-exclude=/usr/lib/modules/*/kernel/drivers/net/wireless/*
path-exclude=/usr/lib/modules/*/kernel/drivers/net/can/*
path-exclude=/usr/lib/modules/*/kernel/drivers/net/hamradio/*
path-exclude=/usr/lib/modules/*/kernel/drivers/net/ieee802154/*
path-exclude=/usr/lib/modules/*/kernel/drivers/net/wwan/*
path-exclude=/usr/lib/modules/*/kernel/drivers/platform/surface/*
path-exclude=/usr/lib/modules/*/kernel/drivers/comedi/*
path-exclude=/usr/lib/modules/*/kernel/drivers/isdn/*
path-exclude=/usr/lib/modules/*/kernel/drivers/parport/*
path-exclude=/usr/lib/modules/*/kernel/drivers/pcmcia/*
path-exclude=/usr/lib/modules/*/kernel/drivers/firewire/*
path-exclude=/usr/lib/modules/*/kernel/drivers/accel/*
path-exclude=/usr/lib/modules/*/kernel/drivers/soundwire/*
path-exclude=/usr/lib/modules/*/kernel/drivers/net/arcnet/*
path-exclude=/usr/lib/modules/*/kernel/drivers/net/fddi/*
path-exclude=/usr/lib/modules/*/kernel/drivers/atm/*
path-exclude=/usr/lib/modules/*/kernel/net/atm/*
path-exclude=/usr/lib/modules/*/kernel/drivers/memstick/*

# Graphics: what servers' management processors and virtual machines show, by their own small drivers.
path-exclude=/usr/lib/modules/*/kernel/drivers/gpu/drm/*/*
path-include=/usr/lib/modules/*/kernel/drivers/gpu/drm/ast/*
path-include=/usr/lib/modules/*/kernel/drivers/gpu/drm/mgag200/*
path-include=/usr/lib/modules/*/kernel/drivers/gpu/drm/tiny/*
path-include=/usr/lib/modules/*/kernel/drivers/gpu/drm/virtio/*
path-include=/usr/lib/modules/*/kernel/drivers/gpu/drm/qxl/*
path-include=/usr/lib/modules/*/kernel/drivers/gpu/drm/ttm/*
path-include=/usr/lib/modules/*/kernel/drivers/gpu/drm/display/*
