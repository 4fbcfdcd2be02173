//! GuestOS: a replica answers.

use anyhow::{ensure, Context, Result};
use serde_json::Value;
use vm::{Deadline, Shell, Vm};

use super::{nothing, nothing_inside, Os};
use crate::checks::{prints, succeeds, Check, SLOTS};
use crate::http;
use crate::report::Report;
use crate::scenario::port;
use crate::Setting;

/// Port of the orchestrator.
pub(crate) const ORCHESTRATOR: u16 = 7070;
/// Port of the replica.
pub(crate) const REPLICA: u16 = 8080;

pub(super) const OS: Os = Os {
    name: "guestos",
    memory_mib: 2048,
    room_mib: 1024,
    root: "A_root",
    loader: Some("starting slot A"),
    shows: &[],
    ports: &[ORCHESTRATOR, REPLICA],
    takes_keys: true,
    only_looks: false,
    checks: &[SLOTS, CHECKS],
    inside: |shell, setting, report| {
        report.check("the replica answers inside", replica_inside(shell, setting));
    },
    screen: nothing,
    outside,
    change: nothing_inside,
};

const CHECKS: &[Check] = &[
    prints(
        "the replica runs as its own user",
        "stat -c %U $(grep -lsx replica /proc/[0-9]*/comm)",
        "ic-replica",
    ),
    prints(
        "its state is the machine's, and nobody else's",
        "findmnt -rno FSROOT /var/lib/ic; stat -c '%a %U %G' /var/lib/ic /var/lib/ic/data",
        "/var/lib/ic\n755 root root\n750 ic-replica ic-replica",
    ),
    succeeds(
        "partition data took the rest of the disk, and so did its file system",
        "[ \"$(blockdev --getsize64 /dev/disk/by-partlabel/data)\" -gt 1342000000 ] && \
         [ \"$(df --output=size -B1 /data | tail -n 1)\" -gt 1200000000 ] || { lsblk -o NAME,SIZE,PARTLABEL; df /data; exit 1; }",
    ),
];

/// Images need not have an HTTP client: bash can open connections.
fn replica_inside(shell: &Shell<'_>, setting: &Setting) -> Result<()> {
    let command = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080; printf \"GET /api/v2/status HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3'";
    let output = shell.poll(command, setting.within(20), |o| o.text.contains("200 OK"))?;
    let body = output.text.lines().last().context("no answer")?;
    let status: Value =
        serde_json::from_str(body).with_context(|| format!("answer `{}`", output.text))?;
    ensure!(
        status.get("replica_health_status").is_some(),
        "no replica_health_status in {status}"
    );
    Ok(())
}

/// What the services say to the world.
fn outside(vm: &Vm, setting: &Setting, report: &mut Report) -> Result<()> {
    let replica = port(vm, REPLICA)?;
    let orchestrator = port(vm, ORCHESTRATOR)?;
    report.check(
        "the replica answers outside, with the image's version",
        replica_version(vm, replica, setting, setting.within(20)),
    );
    report.check(
        "the orchestrator is healthy",
        http::get_ok(vm, orchestrator, "/health", setting.within(20)).map(drop),
    );
    let metrics = http::get_ok(vm, orchestrator, "/metrics", setting.within(10)).and_then(|text| {
        ensure!(text.contains("# TYPE "), "no metrics but `{text}`");
        Ok(())
    });
    report.check("the orchestrator has metrics", metrics);
    Ok(())
}

/// The replica behind `port` answers, with the version of the image.
pub(crate) fn replica_version(
    vm: &Vm,
    port: u16,
    setting: &Setting,
    within: Deadline,
) -> Result<()> {
    let body = http::get_ok(vm, port, "/api/v2/status", within)?;
    let status: Value = serde_json::from_str(&body).with_context(|| format!("answer `{body}`"))?;
    let version = status.get("version").and_then(Value::as_str);
    ensure!(
        version == Some(&setting.version),
        "the replica says version {version:?}, the build `{}`",
        setting.version
    );
    Ok(())
}
