//! A real QEMU without any disk: the firmware's own messages are the guest.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::time::Duration;

use vm::{Accel, AccelChoice, Deadline, Drive, VmConfig, VmError};

fn minute() -> Deadline {
    Deadline::after(Duration::from_secs(120))
}

fn small() -> VmConfig {
    VmConfig::new(vm::firmware::find().unwrap(), Accel::Tcg)
        .memory_mib(128)
        .cpus(1)
        .vsock_cid(None)
}

#[test]
fn firmware_speaks_and_qmp_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("console.log");
    let guest = small().forward(0, 22).console_log(&log).start().unwrap();
    assert_ne!(guest.host_port(22).unwrap(), 0);
    let error = guest.console().expect("login:", minute()).unwrap_err();
    assert!(
        matches!(&error, VmError::Fatal { found, .. } if found == ">>Start PXE over"),
        "{error}"
    );
    let qmp = guest.qmp().unwrap();
    assert_eq!(qmp.status().unwrap(), "running");
    assert!(qmp
        .execute("no-such-command", serde_json::Value::Null)
        .is_err());
    qmp.quit().unwrap();
    let event = qmp.wait_event("SHUTDOWN", minute().remaining()).unwrap();
    assert_eq!(event.data["reason"], "host-qmp-quit");
    assert!(guest.wait_exit(minute()).unwrap().success());
    assert!(std::fs::read_to_string(log).unwrap().contains("Start PXE"));
}

#[test]
fn stopping_qemu_ends_every_wait() {
    let guest = small().without_network().start().unwrap();
    guest.kill();
    let error = guest.console().expect("login:", minute()).unwrap_err();
    assert!(matches!(error, VmError::Stopped { .. }), "{error}");
    assert!(guest.qmp().unwrap().status().is_err());
}

#[test]
fn what_qemu_refuses_is_told_in_its_own_words() {
    let error = small()
        .arg("-device")
        .arg("no-such-device")
        .start()
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("qemu-system-x86_64 failed (exit status: 1)"),
        "{text}"
    );
    assert!(text.contains("no-such-device"), "{text}");
    let error = small().disk("/nonexistent/disk.img").start().unwrap_err();
    assert!(matches!(error, VmError::Image { .. }), "{error}");
}

#[test]
fn a_command_of_ones_own_is_driven_over_its_terminal() {
    let firmware = vm::firmware::find().unwrap();
    let words = [
        "qemu-system-x86_64",
        "-machine",
        "q35",
        "-accel",
        "tcg",
        "-m",
        "128",
        "-nodefaults",
        "-nographic",
        "-serial",
        "mon:stdio",
        "-bios",
    ];
    let mut words: Vec<String> = words.map(str::to_owned).to_vec();
    words.push(firmware.to_str().unwrap().to_owned());
    let dir = tempfile::tempdir().unwrap();
    let guest = vm::Vm::start_command(&words, dir.path(), None, Accel::Tcg).unwrap();
    let error = guest.console().expect("login:", minute()).unwrap_err();
    assert!(matches!(error, VmError::Fatal { .. }), "{error}");
    // QEMU's own way out of a shared terminal.
    guest.console().send(b"\x01x").unwrap();
    assert!(guest.wait_exit(minute()).unwrap().success());
}

#[test]
fn the_choice_of_accelerator_works_or_says_why() {
    let firmware = vm::firmware::find().unwrap();
    let tcg = AccelChoice::Tcg.resolve(&firmware).unwrap();
    assert_eq!((tcg.accel, tcg.note), (Accel::Tcg, None));
    let auto = AccelChoice::Auto.resolve(&firmware).unwrap();
    match AccelChoice::Kvm.resolve(&firmware) {
        Ok(_) => assert_eq!((auto.accel, auto.note), (Accel::Kvm, None)),
        Err(VmError::KvmUnusable { reason }) => {
            assert_eq!(auto.accel, Accel::Tcg);
            assert!(auto.note.unwrap().contains(&reason));
            assert!(!reason.is_empty());
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_served_image_is_a_disk() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mut builder = plan::Builder::new(vec![plan::Input::of_len(4 << 20)]);
    builder.source(0, 0, 4 << 20).unwrap();
    builder.zero(60 << 20).unwrap();
    std::fs::write(at("plan"), builder.finish().unwrap().encode()).unwrap();
    std::fs::write(at("input"), vec![7; 4 << 20]).unwrap();
    let list = format!("{}\n{}\n", at("plan").display(), at("input").display());
    std::fs::write(at("disk.image"), list).unwrap();
    let kept = || Drive::image(at("disk.image")).keep_in(at("changes"));
    for drive in [
        Drive::image(at("disk.image")),
        kept(),
        kept().throw_away(true),
    ] {
        let guest = small().without_network().drive(drive).start().unwrap();
        let qmp = guest.qmp().unwrap();
        let blocks = qmp
            .execute("query-block", serde_json::Value::Null)
            .unwrap()
            .to_string();
        assert!(blocks.contains("nbd+unix"), "{blocks}");
        assert!(blocks.contains("\"virtual-size\":67108864"), "{blocks}");
        // QEMU's own client writes through the drive, as the guest would.
        let write = |what: &str| {
            let line = format!("qemu-io disk0 \"{what}\"");
            let args = serde_json::json!({ "command-line": line });
            qmp.execute("human-monitor-command", args).unwrap();
        };
        write("write -P 9 1M 64k");
        write("flush");
        qmp.quit().unwrap();
        assert!(guest.wait_exit(minute()).unwrap().success());
    }
    let input = std::fs::read(at("input")).unwrap();
    assert!(input == vec![7; 4 << 20]);
    let changes = std::fs::read(at("changes")).unwrap();
    // Digests and times in the file may have a 9, too.
    let runs = changes.split(|byte| *byte != 9).map(<[u8]>::len);
    assert_eq!(runs.max(), Some(64 << 10));
}
