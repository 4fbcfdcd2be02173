# Packages of the two operating systems that meet real hardware, on top of packages.base.
# The installer must see the disks and cards that the installed system will see, so both take this list.

# The kernel with drivers for everything; the Dockerfiles remove those for what no server has.
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
