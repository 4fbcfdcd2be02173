//! What a command may do: the capabilities that packages and Dockerfiles need, and fewer system calls.
//!
//! Root of a sandbox may own, give away and read everything in its tree, be any of its users, and end its processes. It has no
//! say over the machine: outside the sandbox's user namespace no capability counts, and those not kept here don't count in it.
//! The calls below are refused because they reach what no namespace divides, or more of the kernel than a build has use for.
//! Lists of the same purpose, to compare: those of Docker, Podman and systemd-nspawn.

use nix::libc::{self, c_long};
use rustix::io::Errno;
use rustix::thread::{
    remove_capability_from_bounding_set, set_capabilities, CapabilitySet, CapabilitySets,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use crate::error::Error;

/// What stays: owners, modes and contents of any file; any user; `chroot` and file capabilities, as dpkg uses them.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SYS_CHROOT);

/// Refused whatever the arguments.
const REFUSED: &[c_long] = &[
    // Mounts, and namespaces in which one could mount again.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_unshare,
    // The machine's kernel, clock, names, disks and log.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_clock_settime,
    libc::SYS_settimeofday,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_nfsservctl,
    libc::SYS_lookup_dcookie,
    // Keys, which belong to a user of the machine.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Other processes' memory and files.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_open_by_handle_at,
    // Much kernel behind one call.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_fanotify_init,
];

/// The same, where only this kind of machine has the call.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[c_long] = &[
    libc::SYS_kexec_file_load,
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
    libc::SYS__sysctl,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[c_long] = &[libc::SYS_kexec_file_load];

/// Not there, as on an older kernel: `clone3` hides from a filter what it is to do, and the C library then uses `clone`.
const ABSENT: &[c_long] = &[libc::SYS_clone3];

/// Calls that came after this list are absent, too, until someone has read what they do. (467 is `open_tree_attr`.)
const NEWER: std::ops::Range<c_long> = 467..640;

/// Of `clone`'s flags, those that make namespaces.
const NAMESPACES: [u64; 7] = [
    0x0002_0000, // CLONE_NEWNS
    0x0200_0000, // CLONE_NEWCGROUP
    0x0400_0000, // CLONE_NEWUTS
    0x0800_0000, // CLONE_NEWIPC
    0x1000_0000, // CLONE_NEWUSER
    0x2000_0000, // CLONE_NEWPID
    0x4000_0000, // CLONE_NEWNET
];

/// Numbers of the kernel's interface that are signed in crate libc.
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541c;
const AF_VSOCK: u64 = 40;

#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;

type Rules = std::collections::BTreeMap<c_long, Vec<SeccompRule>>;

/// Added to a call's number it is the same call with shorter pointers, to a filter another one: x86-64's x32.
const X32: c_long = 0x4000_0000;
/// Calls above that have numbers of their own there: ioctl, ptrace, kexec_load, process_vm_readv and process_vm_writev.
const X32_OWN: [c_long; 5] = [514, 521, 528, 539, 540];

/// Leaves this thread, and what it starts from here on, the rights described above.
pub(crate) fn reduce() -> Result<(), Error> {
    let failed = |e: Errno| Error::setup("give up capabilities", e);
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        if KEPT.contains(capability) {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The kernel's last one was the one before.
            Err(Errno::INVAL) => break,
            Err(e) => return Err(failed(e)),
        }
    }
    let sets = CapabilitySets {
        effective: KEPT,
        permitted: KEPT,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(failed)?;
    let programs = filters().map_err(|e| Error::setup("make the filter of system calls", e))?;
    for program in programs {
        // Sets `no_new_privs`, too: nothing that the command starts gets rights by its set-uid bit.
        seccompiler::apply_filter(&program)
            .map_err(|e| Error::setup("filter system calls", std::io::Error::other(e)))?;
    }
    Ok(())
}

/// A rule: `argument & mask == value`.
fn when(argument: u8, mask: u64, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    let condition = SeccompCondition::new(argument, Len::Dword, Op::MaskedEq(mask), value)?;
    SeccompRule::new(vec![condition])
}

/// One program for each answer.
fn filters() -> Result<Vec<BpfProgram>, std::io::Error> {
    filters_of_crate().map_err(std::io::Error::other)
}

fn filters_of_crate() -> Result<Vec<BpfProgram>, seccompiler::BackendError> {
    let whole = |call: &c_long| (*call, Vec::new());
    let mut refused: Rules = REFUSED.iter().chain(REFUSED_HERE).map(whole).collect();
    let number = |n: libc::mode_t| u64::from(n);
    let device = |argument| -> Result<_, _> {
        let kind = number(libc::S_IFMT);
        Ok(vec![
            when(argument, kind, number(libc::S_IFBLK))?,
            when(argument, kind, number(libc::S_IFCHR))?,
        ])
    };
    refused.insert(libc::SYS_mknodat, device(2)?);
    #[cfg(target_arch = "x86_64")]
    refused.insert(libc::SYS_mknod, device(1)?);
    let mut namespaces = Vec::new();
    for flag in NAMESPACES {
        namespaces.push(when(0, flag, flag)?);
    }
    refused.insert(libc::SYS_clone, namespaces);
    // Typing on a terminal, and what a virtual machine's host listens on, which no network namespace hides.
    let typing = [TIOCSTI, TIOCLINUX];
    let all = u64::from(u32::MAX);
    refused.insert(
        libc::SYS_ioctl,
        typing
            .map(|c| when(1, all, c))
            .into_iter()
            .collect::<Result<_, _>>()?,
    );
    refused.insert(libc::SYS_socket, vec![when(0, all, AF_VSOCK)?]);
    let mut absent: Rules = ABSENT.iter().map(whole).collect();
    absent.extend(NEWER.map(|call| whole(&call)));
    if cfg!(target_arch = "x86_64") {
        let short = refused.keys().chain(ABSENT).chain(&X32_OWN);
        let short: Vec<c_long> = short.map(|call| call | X32).collect();
        absent.extend(short.iter().map(whole));
    }
    [(refused, libc::EPERM), (absent, libc::ENOSYS)]
        .into_iter()
        .map(|(rules, errno)| {
            let answer = SeccompAction::Errno(errno.unsigned_abs());
            SeccompFilter::new(rules, SeccompAction::Allow, answer, ARCH)?.try_into()
        })
        .collect()
}
