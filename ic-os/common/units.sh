#!/bin/sh
# Step of the Dockerfiles: no service but those that the preset file among the components enables.
set -eu
# What packages enabled, and init scripts.
rm -rf /etc/systemd/system/* /etc/init.d /etc/rc?.d /etc/cron.* /etc/runit /etc/sv /etc/ufw /etc/network

# What packages pull in at every boot and these images have no use for: first-boot set-up and updates of a writable /etc
# and /usr, hibernation, foreign binaries, passwords typed at the console, and ssh on sockets that the firewall doesn't see.
cd /usr/lib/systemd/system
rm -f getty.target.wants/getty-static.service \
    multi-user.target.wants/systemd-ask-password-wall.path \
    sockets.target.wants/systemd-creds.socket \
    sockets.target.wants/systemd-hostnamed.socket \
    sockets.target.wants/systemd-initctl.socket \
    sockets.target.wants/systemd-pcrextend.socket \
    sockets.target.wants/systemd-pcrlock.socket \
    sockets.target.wants/systemd-sysext.socket \
    sysinit.target.wants/dracut-shutdown.service dracut-*.service initrd.target.wants/dracut-*.service \
    sysinit.target.wants/ldconfig.service \
    sysinit.target.wants/proc-sys-fs-binfmt_misc.automount \
    sysinit.target.wants/sys-fs-fuse-connections.mount \
    sysinit.target.wants/systemd-ask-password-console.path \
    sysinit.target.wants/systemd-binfmt.service \
    sysinit.target.wants/systemd-firstboot.service \
    sysinit.target.wants/systemd-hibernate-clear.service \
    sysinit.target.wants/systemd-hwdb-update.service \
    sysinit.target.wants/systemd-journal-catalog-update.service \
    sysinit.target.wants/systemd-machine-id-commit.service \
    sysinit.target.wants/systemd-pcrmachine.service \
    sysinit.target.wants/systemd-pcrphase-sysinit.service \
    sysinit.target.wants/systemd-pcrphase.service \
    sysinit.target.wants/systemd-sysusers.service \
    sysinit.target.wants/systemd-tpm2-setup-early.service \
    sysinit.target.wants/systemd-tpm2-setup.service \
    sysinit.target.wants/systemd-update-done.service

# Without it no boot argument can ask for a root shell on a terminal.
rm -f debug-shell.service

# Kernel file systems and modules that nobody here asks for (who debugs mounts tracefs by hand), a second mount of a root that stays read-only, rules
# for udev that whoever starts a virtual machine may hand in, what a DHCP server would keep: each costs a program or two at every start.
rm -f sysinit.target.wants/dev-hugepages.mount sysinit.target.wants/dev-mqueue.mount sysinit.target.wants/sys-kernel-config.mount \
    sysinit.target.wants/sys-kernel-debug.mount sysinit.target.wants/sys-kernel-tracing.mount \
    systemd-remount-fs.service local-fs.target.wants/systemd-remount-fs.service \
    systemd-udev-load-credentials.service sysinit.target.wants/systemd-udev-load-credentials.service \
    systemd-networkd-persistent-storage.service
for module in dm_mod drm loop; do
    ln -s /dev/null "modprobe@$module.service"
done

# Device nodes are made once: kernel.sh made the list of those that are known before any device, and all users are there at the first try.
rm -f kmod-static-nodes.service sysinit.target.wants/kmod-static-nodes.service \
    systemd-tmpfiles-setup-dev-early.service sysinit.target.wants/systemd-tmpfiles-setup-dev-early.service

# What other units name, and systemd would read at every start to no end: systemd in an initrd, and what is left of the above.
rm -rf initrd*.target.wants
rm -f initrd*.service initrd*.target systemd-battery-check.service systemd-bsod.service systemd-hibernate-resume.service systemd-hwdb-update.service \
    systemd-pcrphase-initrd.service systemd-quotacheck-root.service systemd-sysext.service systemd-sysusers.service systemd-tpm2-setup-early.service \
    systemd-update-done.service systemd-volatile-root.service

# Who logs in on a console may want to see why there is no network: the prompt does not wait for it. (Sessions still end before the network does.)
for unit in getty@.service serial-getty@.service; do
    sed -i '/^After=/s/systemd-user-sessions\.service *//' "$unit"
    if ! grep -q '^After=' "$unit" || grep -q 'systemd-user-sessions\.service' "$unit"; then
        echo "units.sh: $unit still waits for systemd-user-sessions.service: look what it says now" >&2
        exit 1
    fi
done

# Names are looked up by what runs when the system is there, not by what brings it up.
sed -i -e '/^Before=/s/sysinit\.target *//' -e '/^WantedBy=/s/sysinit\.target/multi-user.target/' systemd-resolved.service
if grep -q 'sysinit\.target' systemd-resolved.service; then
    echo "units.sh: systemd-resolved.service still comes before sysinit.target: look what it says now" >&2
    exit 1
fi

cd ../system-generators
rm -f systemd-gpt-auto-generator systemd-hibernate-resume-generator systemd-rc-local-generator \
    systemd-ssh-generator systemd-system-update-generator systemd-sysv-generator systemd-tpm2-generator

# The root is open before systemd starts (rust/os/initrd_init), and no volume comes from a table in /etc. Words on the kernel's command line start, mask and run
# nothing (systemd.wants=, systemd.mask=, systemd.run=): whoever runs a virtual machine can add some.
rm -f systemd-cryptsetup-generator systemd-debug-generator systemd-integritysetup-generator systemd-run-generator systemd-veritysetup-generator
