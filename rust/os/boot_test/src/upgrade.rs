//! An upgrade from one slot to the other, on a machine whose disk stays over its boots.

use std::path::PathBuf;

use anyhow::{bail, ensure, Context, Result};
use base::Sha256Digest;
use grubenv::{BootState, Slot};
use update::SigningKey;
use vm::{Deadline, Output, Shell, Vm};

use crate::bundle::Bundle;
use crate::checks;
use crate::cuts::{self, Expected};
use crate::esp;
use crate::feed::{Feed, Way};
use crate::kept::Kept;
use crate::node::Node;
use crate::refusals::Refusals;
use crate::report::Report;
use crate::scenario::{console_login, shut_down};
use crate::sealed::Sealed;
use crate::secure_boot;
use crate::state::Left;
use crate::verity::INIT;
use crate::{Setting, BOOT};

/// Where the guest has the bundle: its second drive.
const DRIVE: &str = "/dev/vdb";

/// Systems confirm themselves once their checks have held; one that has none is confirmed by whoever installed it.
const BY_HAND: &str = "systemctl cat confirm-boot.service >/dev/null 2>&1 || manageboot confirm";
const SETTLED: &str = "systemctl cat confirm-boot.service >/dev/null 2>&1 && systemctl show -P SubState confirm-boot.service || echo exited";
pub(crate) const CYCLE: &str = "grep -a ^boot_cycle= /boot/grub/grubenv";

/// A service that has to run before a system on trial is confirmed fails.
const SICKEN: &str = "systemctl stop ssh.service";
/// Whoever confirms a system on trial gives up soon.
const GIVES_UP_SOON: &str = r#"grep -aq boot_cycle=failsafe_check /boot/grub/grubenv && mkdir -p /run/systemd/system/confirm-boot.service.d &&
sed 's/"deadline": "[^"]*"/"deadline": "30s"/; s/"held_for": "[^"]*"/"held_for": "10s"/' /opt/ic/share/confirm-boot.json >/run/soon.json &&
printf '[Service]\nExecStart=\nExecStart=/opt/ic/bin/node_tool confirm-boot --settings /run/soon.json\n' >/run/systemd/system/confirm-boot.service.d/soon.conf &&
systemctl daemon-reload && systemctl restart --no-block confirm-boot.service"#;
/// What is said then.
pub(crate) const NOT_CONFIRMED: &str = "THIS BOOT IS NOT CONFIRMED";

/// What a kernel says before it starts the machine again.
const PANIC: &str = "Kernel panic - not syncing";

/// More restarts than any system tries a slot.
const MANY: usize = 10;

/// A network that breaks: a connection ends each time after so many bytes.
const BREAKS: &[Way] = &[Way::Drops(48 << 20)];

/// A machine that is being upgraded.
struct Upgrade<'a> {
    node: Node<'a>,
    bundle: Bundle,
    /// Digests of slot A's boot and root partition at the beginning.
    old: [Sha256Digest; 2],
    /// Digests of the boot loader that is in place at the beginning, and of the bundle's, which is another one.
    loaders: [Sha256Digest; 2],
    setting: &'a Setting,
    log: PathBuf,
}

/// A to B, confirmed; B stays; the power cuts of all that. Then from B to A in the same way.
pub(crate) fn confirmed(setting: &Setting) -> Result<()> {
    let mut report = Report::new();
    let bundle = Bundle::open(setting)?;
    let feed = Feed::start(&bundle.path, BREAKS)?;
    let upgrade = Upgrade::new(bundle, setting)?;
    let node = &upgrade.node;
    let sealed = Sealed::wanted(setting)?;
    let medium = sealed.as_ref().map(Sealed::drive);
    let vm = node.start(medium, sealed.as_ref().map(Sealed::tpm))?;
    let shell = upgrade.arrive(&vm, Slot::A, &setting.version, &mut report)?;
    if let Some(sealed) = &sealed {
        sealed.made(&shell, setting, &mut report)?;
    }
    let kept = Kept::read(&shell, setting)?;
    upgrade.install(&shell, &feed.url(0), &mut report)?;
    report.check(
        "the bundle came over several connections",
        came_in_parts(&feed),
    );
    restart(&shell)?;
    let version = upgrade.bundle.version.clone();
    let shell = upgrade.arrive(&vm, Slot::B, &version, &mut report)?;
    upgrade.confirm(&shell, &mut report)?;
    Kept::read(&shell, setting)?.check(&kept, &mut report);
    if let Some(sealed) = &sealed {
        sealed.opened(&shell, setting, &mut report);
    }
    restart(&shell)?;
    let slot = node.slot(&vm)?;
    report.check("a confirmed upgrade stays", is(slot, Slot::B));
    report.check("slot A is as it was", upgrade.slot_a_is_old());
    report.check("slot B holds the bundle", upgrade.is_new(Slot::B));
    vm.kill();
    drop(vm);
    let Upgrade {
        node, bundle, log, ..
    } = &upgrade;
    cuts::run(
        log,
        bundle,
        &node.base,
        setting.cuts.unwrap_or(cuts::SOME),
        setting,
        &mut report,
    )?;
    upgrade.back(sealed, &feed.url(0), &mut report)?;
    report.finish()
}

/// A to B, which is not healthy at its first try and whose root has a bad block at the others: back to A, which has what it had. Then its file
/// systems are broken.
pub(crate) fn fallback(setting: &Setting) -> Result<()> {
    let mut report = Report::new();
    let bundle = Bundle::open(setting)?;
    let refusals = Refusals::new(&bundle, key(setting)?.as_ref(), setting)?;
    let upgrade = Upgrade::new(bundle, setting)?;
    let node = &upgrade.node;
    let vm = node.start(
        [upgrade.bundle.drive()]
            .into_iter()
            .chain(refusals.drives()),
        None,
    )?;
    let shell = upgrade.arrive(&vm, Slot::A, &setting.version, &mut report)?;
    if let Some(next) = &setting.next_signer {
        let signed = secure_boot::signed_by(&upgrade.bundle.loader, next);
        report.check(
            "the bundle's boot loader is signed by the next signer",
            signed,
        );
    }
    upgrade.settle(&shell, &mut report)?;
    let left = Left::leave(&shell, setting)?;
    refusals.check(&shell, node, setting, &mut report);
    let delta = setting.delta.as_deref();
    let delta = delta.map(|path| Feed::start(path, BREAKS)).transpose()?;
    let url = delta.as_ref().map(|feed| feed.url(0));
    upgrade.install(&shell, url.as_deref().unwrap_or(DRIVE), &mut report)?;
    upgrade.take_back(&shell, &mut report)?;
    let Some((block, _)) = node.partition("B_root")?.first_block_of(INIT)?.pop() else {
        bail!("slot B has no {INIT}");
    };
    let at = base::bounded::product(block, 4096);
    restart(&shell)?;
    let tries = upgrade.try_in_vain(&vm, at, &mut report)?;
    let state = esp::state(node.partition("grub")?)?;
    let limit = upgrade.bundle.identity()?.boot_limit;
    report.check(
        &format!("slot B was tried {limit} times, as its own boot loader has it"),
        gave_up(&tries, limit, state),
    );
    let shell = upgrade.log_in(&vm, Slot::A, &setting.version, &mut report)?;
    report.check("slot A is as it was", upgrade.slot_a_is_old());
    node.flip("B_root", at)?;
    report.check(
        "nothing else of slot B was written",
        upgrade.is_new(Slot::B),
    );
    left.is_there(&shell, setting, &mut report);
    upgrade.settle(&shell, &mut report)?;
    let shell = left.break_all(&vm, &shell, setting, &mut report)?;
    shell.send("systemctl poweroff")?;
    report.check("it shuts down cleanly", shut_down(&vm, setting));
    report.finish()
}

impl<'a> Upgrade<'a> {
    /// Starts slot B until the boot loader leaves it: at first it is not healthy, then the byte `at` of its root is bad. What the boot loader counted, at
    /// each start.
    fn try_in_vain(&self, vm: &Vm, at: u64, report: &mut Report) -> Result<Vec<u8>> {
        let node = &self.node;
        let mut tries = Vec::new();
        while node.slot(vm)? == Slot::B {
            tries.push(esp::state(node.partition("grub")?)?.tries.get());
            report.stage(&format!("slot B is tried, {tries:?}"));
            ensure!(tries.len() < MANY, "slot B is tried {tries:?}");
            if tries.len() == 1 {
                self.sicken(vm, report)?;
                continue;
            }
            if tries.len() == 2 {
                // The kernel has just begun: it has read nothing of its root.
                node.flip("B_root", at)?;
            }
            vm.console().expect(PANIC, self.setting.within(BOOT))?;
        }
        Ok(tries)
    }

    fn new(bundle: Bundle, setting: &'a Setting) -> Result<Self> {
        let log = setting.writes.clone();
        let log = log.unwrap_or_else(|| setting.scratch.path().join("writes.log"));
        let node = Node::new(setting, &log)?;
        node.mark(Expected::A.mark())?;
        let old = slot_digests(&node, Slot::A, None)?;
        let loaders = [
            esp::digest(node.partition("esp")?, esp::IN_PLACE)?,
            Sha256Digest::of_reader(bundle.loader.clone())?,
        ];
        let [before, after] = loaders;
        ensure!(
            before != after,
            "the bundle's boot loader is the one in place: its upgrade can't be seen"
        );
        Ok(Self {
            node,
            bundle,
            old,
            loaders,
            setting,
            log,
        })
    }

    /// The guest starts in `slot`, of this version, and somebody logs in.
    fn arrive<'v>(
        &self,
        vm: &'v Vm,
        slot: Slot,
        version: &str,
        report: &mut Report,
    ) -> Result<Shell<'v>> {
        let started = self.node.slot(vm)?;
        report.stage(&format!("a kernel started in slot {started}"));
        is(started, slot)?;
        self.log_in(vm, slot, version, report)
    }

    /// The kernel runs: what it starts is in `slot`, of this version, and works.
    fn log_in<'v>(
        &self,
        vm: &'v Vm,
        slot: Slot,
        version: &str,
        report: &mut Report,
    ) -> Result<Shell<'v>> {
        let shell = console_login(vm, self.setting, report)?;
        report.check(
            &format!("the system in slot {slot} is up"),
            checks::is_up(&shell, self.setting),
        );
        report.check(
            &format!("slot {slot} runs"),
            self.says(&shell, "manageboot current", slot.as_str()),
        );
        report.check(
            &format!("slot {slot} has version {version}"),
            self.says(&shell, "cat /opt/ic/share/version.txt", version),
        );
        Ok(shell)
    }

    /// Installs and commits the bundle from slot A.
    fn install(&self, shell: &Shell<'_>, from: &str, report: &mut Report) -> Result<()> {
        let moment = self.node.moment();
        self.must(shell, &format!("manageboot upgrade-install {from}"))?;
        report.stage("installed");
        report.check("slot B holds the bundle", self.is_new(Slot::B));
        let untouched = self.node.untouched_since(moment, &["A_boot", "A_root"]);
        report.check("nothing was written to slot A", untouched);
        let [before, after] = self.loaders;
        report.check(
            "the boot loader is the old one, and the bundle's is ready",
            self.esp_holds([(esp::IN_PLACE, before), (esp::NEXT, after)]),
        );
        self.node.mark(Expected::Either.mark())?;
        self.must(shell, "manageboot upgrade-commit")?;
        // From here on the power may go, and slot B must start all the same.
        self.node.mark(Expected::B.mark())?;
        self.node.mark(Expected::Either.mark())?;
        report.stage("committed");
        report.check(
            "the boot loader is the bundle's, and the old one is kept",
            self.esp_holds([(esp::IN_PLACE, after), (esp::PREVIOUS, before)]),
        );
        Ok(())
    }

    /// Takes the commit back, and commits again.
    fn take_back(&self, shell: &Shell<'_>, report: &mut Report) -> Result<()> {
        for (verb, next) in [("upgrade-cancel", "A"), ("upgrade-commit", "B")] {
            self.must(shell, &format!("manageboot {verb}"))?;
            let outcome = self.says(shell, "manageboot next", next);
            report.check(&format!("after {verb} slot {next} is next"), outcome);
        }
        Ok(())
    }

    /// These files are on the EFI system partition.
    fn esp_holds(&self, files: [(&str, Sha256Digest); 2]) -> Result<()> {
        for (path, want) in files {
            esp::holds(self.node.partition("esp")?, path, want)?;
        }
        Ok(())
    }

    /// The machine was off, and is in slot B for good. The bundle goes to slot A from there, and that is confirmed in its turn. Of data that the TPM keeps
    /// closed: it opens them in both slots, and another one does not.
    fn back(&self, sealed: Option<Sealed>, from: &str, report: &mut Report) -> Result<()> {
        let (node, setting) = (&self.node, self.setting);
        let sealed = sealed.map(Sealed::off).transpose()?;
        let medium = sealed.as_ref().map(Sealed::drive);
        let vm = node.start(medium, sealed.as_ref().map(Sealed::tpm))?;
        let version = &self.bundle.version;
        let shell = self.arrive(&vm, Slot::B, version, report)?;
        let kept = Kept::read(&shell, setting)?;
        let moment = node.moment();
        self.must(&shell, &format!("manageboot upgrade-install {from}"))?;
        report.check("slot A holds the bundle", self.is_new(Slot::A));
        let untouched = node.untouched_since(moment, &["B_boot", "B_root"]);
        report.check("nothing was written to slot B", untouched);
        self.must(&shell, "manageboot upgrade-commit")?;
        restart(&shell)?;
        let shell = self.arrive(&vm, Slot::A, version, report)?;
        self.must(&shell, BY_HAND)?;
        becomes_stable(&shell, setting.within(60))?;
        report.stage("slot A is confirmed");
        Kept::read(&shell, setting)?.check(&kept, report);
        if let Some(sealed) = &sealed {
            sealed.opened(&shell, setting, report);
        }
        // What was written is on the disk before the power goes.
        self.must(&shell, "sync")?;
        vm.kill();
        drop(vm);
        // Two starts without a confirmation are as many as the bundle's boot loader grants.
        if let Some(sealed) = &sealed {
            is(sealed.closed_elsewhere(node, setting, report)?, Slot::A)?;
            is(sealed.moved(node, setting, report)?, Slot::A)?;
        }
        Ok(())
    }

    /// Waits until the system has confirmed its own boot: nothing is written to grubenv by itself after that.
    fn settle(&self, shell: &Shell<'_>, report: &mut Report) -> Result<()> {
        let done = |output: &Output| output.text == "exited";
        let output = shell.poll(SETTLED, self.setting.within(60), done)?;
        ensure!(done(&output), "confirm-boot.service is `{}`", output.text);
        report.stage("the boot is confirmed, if anything does that");
        Ok(())
    }

    /// Confirms the running slot, B.
    fn confirm(&self, shell: &Shell<'_>, report: &mut Report) -> Result<()> {
        self.must(shell, BY_HAND)?;
        becomes_stable(shell, self.setting.within(60))?;
        self.node.mark(Expected::B.mark())?;
        report.stage("confirmed");
        Ok(())
    }

    /// Slot B comes up, one of its checks fails, and it restarts by itself.
    fn sicken(&self, vm: &Vm, report: &mut Report) -> Result<()> {
        let shell = console_login(vm, self.setting, report)?;
        self.must(&shell, SICKEN)?;
        give_up_soon(&shell, self.setting)?;
        vm.console()
            .expect(NOT_CONFIRMED, self.setting.within(120))?;
        report.stage("a check failed, and nobody confirmed slot B");
        Ok(())
    }

    fn slot_a_is_old(&self) -> Result<()> {
        let now = slot_digests(&self.node, Slot::A, None)?;
        ensure!(
            now == self.old,
            "boot and root were {:?} and are {now:?}",
            self.old
        );
        Ok(())
    }

    /// Whether a slot holds the bundle.
    fn is_new(&self, slot: Slot) -> Result<()> {
        let want = [&self.bundle.boot, &self.bundle.root];
        let lens = want.map(|window| window.len());
        let now = slot_digests(&self.node, slot, Some(lens))?;
        for ((name, want), now) in ["boot", "root"].into_iter().zip(want).zip(now) {
            let want = Sha256Digest::of_reader(want.clone())?;
            ensure!(want == now, "{name} is {now}, want {want}");
        }
        Ok(())
    }

    fn must(&self, shell: &Shell<'_>, command: &str) -> Result<()> {
        checks::answer(shell, command, self.setting.within(120)).map(drop)
    }

    fn says(&self, shell: &Shell<'_>, command: &str, want: &str) -> Result<()> {
        checks::says(shell, command, want, self.setting.within(30))
    }
}

/// The boot loader counted up to the limit, and then left for slot A, whose first start since this is.
fn gave_up(tries: &[u8], limit: u8, left: BootState) -> Result<()> {
    let all: Vec<u8> = (1..=limit).collect();
    ensure!(tries == all, "it counted {tries:?}, want {all:?}");
    let want = BootState::trial(Slot::B).fallen();
    ensure!(left == want, "it left {left:?}, want {want:?}");
    Ok(())
}

/// Digests of a slot's boot and root partition, or of so much of them.
fn slot_digests(node: &Node<'_>, slot: Slot, lens: Option<[u64; 2]>) -> Result<[Sha256Digest; 2]> {
    let digest = |at: usize, what: &str| {
        let name = format!("{slot}_{what}");
        let len = lens.and_then(|lens| lens.get(at).copied());
        let len = match len {
            Some(len) => len,
            None => node.partition(&name)?.len(),
        };
        node.digest(&name, len)
    };
    Ok([digest(0, "boot")?, digest(1, "root")?])
}

/// The key that signs bundles, if one was given.
fn key(setting: &Setting) -> Result<Option<SigningKey>> {
    let Some(path) = &setting.update_key else {
        return Ok(None);
    };
    let pem =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let key = SigningKey::from_pem(&pem);
    Ok(Some(key.with_context(|| format!("{}", path.display()))?))
}

fn came_in_parts(feed: &Feed) -> Result<()> {
    let connections = feed.connections();
    ensure!(connections > 1, "{connections} connections");
    Ok(())
}

fn is(slot: Slot, want: Slot) -> Result<()> {
    ensure!(slot == want, "slot {slot} starts, want {want}");
    Ok(())
}

/// The system confirms its boot once its checks have held.
pub(crate) fn becomes_stable(shell: &Shell<'_>, within: Deadline) -> Result<()> {
    let stable = |output: &Output| output.text == "boot_cycle=stable";
    let output = shell.poll(CYCLE, within, stable)?;
    ensure!(
        stable(&output),
        "after its checks held grubenv says `{}`",
        output.text
    );
    Ok(())
}

/// The system on trial is given half a minute to show that it is well.
pub(crate) fn give_up_soon(shell: &Shell<'_>, setting: &Setting) -> Result<()> {
    let command = GIVES_UP_SOON.replace('\n', " ");
    checks::answer(shell, &command, setting.within(60)).map(drop)
}

/// The guest starts again.
pub(crate) fn restart(shell: &Shell<'_>) -> Result<()> {
    Ok(shell.send("systemctl reboot")?)
}
