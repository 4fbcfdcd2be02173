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
cd ../system-generators
rm -f systemd-gpt-auto-generator systemd-hibernate-resume-generator systemd-rc-local-generator \
    systemd-ssh-generator systemd-system-update-generator systemd-sysv-generator systemd-tpm2-generator
