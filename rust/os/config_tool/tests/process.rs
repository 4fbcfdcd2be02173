//! The real program: commands, exact messages, exit status.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::process::Command;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me\n";

struct Setup {
    dir: tempfile::TempDir,
}

impl Setup {
    fn new(ini: &str, admin: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("medium/ssh_authorized_keys")).unwrap();
        std::fs::create_dir(dir.path().join("config")).unwrap();
        std::fs::write(dir.path().join("medium/config.ini"), ini).unwrap();
        std::fs::write(dir.path().join("medium/ssh_authorized_keys/admin"), admin).unwrap();
        Self { dir }
    }

    /// Runs with the temporary folder written as `D` in arguments and output: (status, stdout, stderr).
    fn run(&self, args: &str) -> (i32, String, String) {
        let dir = self.dir.path().to_str().unwrap();
        let program = std::fs::canonicalize(env!("CARGO_BIN_EXE_config_tool")).unwrap();
        let output = Command::new(program)
            .args(args.split(' ').map(|arg| match arg.strip_prefix("D/") {
                Some(rest) => format!("{dir}/{rest}"),
                None => arg.to_owned(),
            }))
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(dir, "D");
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }
}

fn ok(text: &str) -> (i32, String, String) {
    (0, format!("{text}\n"), String::new())
}

#[test]
fn ingest_get_and_show() {
    let setup = Setup::new("hostname=node-1\nipv6_address=2001:db8::1/64\n", KEY);
    let ingest = "ingest --medium D/medium --config D/config";
    assert_eq!(
        setup.run(ingest),
        ok("configuration taken over from D/medium")
    );
    assert_eq!(
        setup.run(ingest),
        ok("configuration of D/medium is the stored one already")
    );
    assert_eq!(setup.run("get hostname --config D/config"), ok("node-1"));
    assert_eq!(
        setup.run("get mtu --config D/config"),
        (3, String::new(), String::new())
    );
    let (status, _, error) = setup.run("get colour --config D/config");
    assert_eq!(status, 1);
    assert!(
        error.starts_with("config_tool: error: unknown key \"colour\", want one of hostname, "),
        "{error}"
    );
    assert_eq!(
        setup.run("show --config D/config"),
        ok("hostname=node-1\nipv6_address=2001:db8::1/64\n# ssh keys of admin: 1")
    );
    let (status, json, _) = setup.run("show --json --config D/config");
    assert_eq!(status, 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json.pointer("/settings/hostname").unwrap(), "node-1");
    assert_eq!(
        json.pointer("/ssh_authorized_keys/admin/0").unwrap(),
        KEY.trim_end()
    );
}

#[test]
fn a_refused_medium_changes_nothing() {
    let setup = Setup::new("hostname=good\n", KEY);
    setup.run("ingest --medium D/medium --config D/config");
    std::fs::write(
        setup.path("medium/config.ini"),
        "hostname=bad_name\nmtu=1\n",
    )
    .unwrap();
    std::fs::write(
        setup.path("medium/ssh_authorized_keys/admin"),
        "-----BEGIN OPENSSH PRIVATE KEY-----\n",
    )
    .unwrap();
    assert_eq!(
        setup.run("ingest --medium D/medium --config D/config"),
        (
            1,
            String::new(),
            "config_tool: error: \
             D/medium/config.ini:1: hostname: got \"bad_name\", want a name of letters, digits and hyphens, at most 64 bytes\n\
             D/medium/config.ini:2: mtu: got \"1\", want a number from 1280 to 9216\n\
             D/medium/ssh_authorized_keys/admin:1: a private key, want the public one (the .pub file)\n"
                .to_owned()
        )
    );
    assert_eq!(setup.run("get hostname --config D/config"), ok("good"));
}

#[test]
fn no_medium_is_fine() {
    let setup = Setup::new("hostname=good\n", KEY);
    let ingest = "ingest --label NO-SUCH-LABEL-HERE --config D/config --mount-dir D/mount";
    assert_eq!(
        setup.run(ingest),
        ok("no medium labelled NO-SUCH-LABEL-HERE, nothing stored: defaults")
    );
    assert_eq!(
        setup.run("show --config D/config"),
        ok("# nothing stored: defaults")
    );
    setup.run("ingest --medium D/medium --config D/config");
    assert_eq!(
        setup.run(ingest),
        ok("no medium labelled NO-SUCH-LABEL-HERE, keeping the stored configuration")
    );
    assert!(!setup.path("mount").exists());
}

#[test]
fn check_takes_files_and_folders() {
    let setup = Setup::new("hostname=a\n", "x\n");
    assert_eq!(
        setup.run("check D/medium/config.ini"),
        ok("D/medium/config.ini: ok")
    );
    let (status, _, error) = setup.run("check D/medium");
    assert_eq!(status, 1);
    assert!(
        error.starts_with(
            "config_tool: error: D/medium/ssh_authorized_keys/admin:1: got \"x\", want a key type"
        ),
        "{error}"
    );
    assert_eq!(
        setup.run("check D/absent"),
        (
            2,
            String::new(),
            "config_tool: error: cannot read D/absent: No such file or directory (os error 2)\n"
                .to_owned()
        )
    );
}

#[test]
fn refusals_have_reasons() {
    let setup = Setup::new("", "");
    let table = [
        (
            "ingest --medium D/absent --config D/config",
            1,
            "D/absent is not a folder",
        ),
        (
            "ingest --medium D/config --config D/config",
            1,
            "D/config/config.ini: no such file",
        ),
        (
            "ingest --medium D/medium --config D/absent",
            2,
            "cannot create D/absent/.incoming.new: No such file or directory (os error 2)",
        ),
    ];
    for (args, status, text) in table {
        assert_eq!(
            setup.run(args),
            (
                status,
                String::new(),
                format!("config_tool: error: {text}\n")
            ),
            "{args}"
        );
    }
    for args in [
        "ingest",
        "ingest --medium a --label b",
        "ingest --label ../x",
        "frob",
        "get",
    ] {
        let (status, out, error) = setup.run(args);
        assert_eq!((status, out.as_str()), (1, ""), "{args}");
        assert!(error.starts_with("error: "), "{error}");
    }
}
