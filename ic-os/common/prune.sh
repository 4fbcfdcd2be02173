#!/bin/sh
# Step of the Dockerfiles: remove what a read-only machine has no use for; prune.sh remove|keep: what to do with programs that debug.
set -eu
case ${1:-} in
    remove | keep) ;;
    *) echo "prune.sh: programs that debug: got '${1:-}', want remove or keep" >&2; exit 1 ;;
esac
# What installs packages, and the interpreter that nothing else needs: nothing is ever installed here; what makes an initrd, which kernel packages
# want. Licences stay.
for package in adduser apt cpio debconf debian-archive-keyring dpkg dracut dracut-core dracut-install init-system-helpers libapt-pkg7.0 libtext-charwidth-perl \
    libtext-wrapi18n-perl linux-base perl-base runit-helper sensible-utils sqv ucf; do
    for list in "/var/lib/dpkg/info/$package.list" "/var/lib/dpkg/info/$package:amd64.list"; do
        [ -e "$list" ] || continue
        while read -r path; do
            case $path in */copyright) continue ;; esac
            [ -d "$path" ] || printf '%s\0' "$path"
        done <"$list"
    done
done | xargs -0 rm -f
grep -rlIE '^#! */usr/bin/(env )?perl' /usr/bin /usr/sbin /usr/lib /etc | tr '\n' '\0' | xargs -0 rm -f

# Programs that look into others, and come with packages that are needed for something else (list "absent" of README.md): an editor of
# mounted file systems, one that attaches itself to a process, and those that record terminals.
if [ "$1" = remove ]; then
    (cd /usr/sbin && rm -f debugfs)
    (cd /usr/bin && rm -f pldd script scriptlive scriptreplay)
fi

# Programs run with the rights of who starts them. sudo is what an operator has; nothing else hands out rights.
find / -xdev -type f -perm /6000 ! -path /usr/bin/sudo -exec chmod ug-s {} +

# Documentation (licences stay), translations, editor syntax files, the sources of the hardware database, package caches.
find /usr/share/doc -mindepth 1 ! -type d ! -name copyright -delete
find /usr/share/doc -mindepth 1 -type d -empty -delete
rm -rf /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian /usr/share/bug /usr/share/doc-base \
    /usr/share/bash-completion /usr/share/zsh /usr/share/fish /usr/share/pixmaps /usr/share/menu \
    /usr/lib/udev/hwdb.d /usr/share/vim/*/doc /usr/share/vim/*/lang /usr/lib/dracut

# Converters of character sets, 7 MiB of them. These stay: Unicode's (UTF-8 is in the C library itself), those of FAT's names, Western Europe's.
find /usr/lib/x86_64-linux-gnu/gconv -name '*.so' ! -name 'U[NT]*.so' ! -name 'IBM437.so' ! -name 'IBM850.so' ! -name 'CP1252.so' \
    ! -name 'ISO8859-1.so' ! -name 'ISO8859-15.so' -delete

# /var starts empty on every slot; the package list stays for scanners of the image.
cp /var/lib/dpkg/status /tmp/status
find /var -mindepth 1 -delete
mkdir -p /var/lib/dpkg
mv /tmp/status /var/lib/dpkg/status

# Per machine or per build: made at run time, or not at all. An empty machine-id is filled in from the firmware's.
# Dates of password changes would be the day of the build.
rm -f /etc/ssh/ssh_host_* /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid- \
    /etc/.pwd.lock /etc/.updated /etc/.resolv.conf* /etc/chrony/chrony.keys /etc/ld.so.cache~
: > /etc/machine-id
sed -i -E 's/^([^:]*:[^:]*):[0-9]*:/\1::/' /etc/shadow
mkdir -p /boot/config /boot/efi /boot/grub /opt/ic/bin /opt/ic/share
