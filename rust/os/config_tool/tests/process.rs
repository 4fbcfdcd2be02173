//! The real program: commands, exact messages, exit status.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::FileExt;
use std::process::Command;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me\n";

/// A machine that takes its addresses from the network.
const DYNAMIC: &str = "the first wired card, IPv6 by router advertisements, IPv4 by DHCP";
const DYNAMIC_GUEST: &str =
    "card derived from the host's, IPv6 by router advertisements, IPv4 by DHCP";

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
    assert_eq!(json.pointer("/configuration/kind").unwrap(), "host");
    let (_, guest, _) = setup.run("show --json --for guestos --config D/config");
    let guest: serde_json::Value = serde_json::from_str(&guest).unwrap();
    assert_eq!(guest.pointer("/configuration/kind").unwrap(), "guest");
    assert_eq!(
        guest
            .pointer("/configuration/network/ipv6/prefix_length")
            .unwrap(),
        64
    );
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
            4,
            String::new(),
            "config_tool: error: the medium D/medium is refused: \
             D/medium/config.ini:1: hostname: got \"bad_name\", want a name of letters, digits and hyphens, at most 64 bytes\n\
             D/medium/config.ini:2: mtu: got \"1\", want a number from 1280 to 9216\n\
             D/medium/ssh_authorized_keys/admin:1: a private key, want the public one (the .pub file)\n"
                .to_owned()
        )
    );
    assert_eq!(setup.run("get hostname --config D/config"), ok("good"));
}

#[test]
fn unread_files_are_refused() {
    let setup = Setup::new("hostname=a\n", KEY);
    let keys = setup.path("medium/ssh_authorized_keys");
    // What an editor on Windows makes.
    std::fs::rename(keys.join("admin"), keys.join("admin.txt")).unwrap();
    let want =
        "D/medium/ssh_authorized_keys/admin.txt: not the name of a user, want admin, readonly, \
                backup; did you mean admin?\n";
    for (command, status, what) in [
        ("check D/medium", 1, ""),
        (
            "ingest --medium D/medium --config D/config",
            4,
            "the medium D/medium is refused: ",
        ),
    ] {
        let error = format!("config_tool: error: {what}{want}");
        assert_eq!(setup.run(command), (status, String::new(), error));
    }
    std::fs::remove_file(keys.join("admin.txt")).unwrap();
    let remark = "remark: no key in ssh_authorized_keys/admin: nobody can log in to a production system, and any later medium counts";
    assert_eq!(
        setup.run("check D/medium"),
        ok(&format!(
            "{remark}\nhost: a, {DYNAMIC}\nguest: the image's name, {DYNAMIC_GUEST}\nD/medium: ok"
        ))
    );
}

/// Makes a key pair `D/NAME`; gives back the public key's line.
fn key_pair(setup: &Setup, name: &str, kind: &str) -> String {
    let key = setup.path(name);
    run(Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", "", "-C", name, "-f"])
        .arg(&key));
    std::fs::read_to_string(key.with_extension("pub")).unwrap()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// Writes a medium and signs it with the key `D/KEY`, as a person would.
fn signed(setup: &Setup, ini: &str, admin: &str, key: &str, namespace: &str) {
    let medium = setup.path("medium");
    for old in ["config.sha256", "config.sha256.sig"] {
        let _ = std::fs::remove_file(medium.join(old));
    }
    std::fs::write(medium.join("config.ini"), ini).unwrap();
    std::fs::write(medium.join("ssh_authorized_keys/admin"), admin).unwrap();
    run(Command::new("sh")
        .args([
            "-c",
            "sha256sum config.ini ssh_authorized_keys/* >config.sha256",
        ])
        .current_dir(&medium));
    run(Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", namespace, "-f"])
        .arg(setup.path(key))
        .arg("config.sha256")
        .current_dir(&medium));
}

#[test]
fn a_machine_with_an_owner_listens_to_nobody_else() {
    let setup = Setup::new("", "");
    let (mine, other) = (
        key_pair(&setup, "mine", "ed25519"),
        key_pair(&setup, "other", "ecdsa"),
    );
    let ingest = "ingest --medium D/medium --config D/config";
    let taken = ok("configuration taken over from D/medium");
    let hostname = || setup.run("get hostname --config D/config").1;
    let refused = |why: &str| {
        let (status, out, error) = setup.run(ingest);
        assert_eq!((status, out.as_str()), (4, ""), "{error}");
        let want = format!("config_tool: error: the medium D/medium is refused: {why}");
        assert!(error.starts_with(&want), "{error}");
    };
    let unsigned = |ini: &str, admin: &str| {
        for old in ["config.sha256", "config.sha256.sig"] {
            let _ = std::fs::remove_file(setup.path("medium").join(old));
        }
        std::fs::write(setup.path("medium/config.ini"), ini).unwrap();
        std::fs::write(setup.path("medium/ssh_authorized_keys/admin"), admin).unwrap();
    };
    // Nobody's: anybody may take it, and its owner has it from then on.
    unsigned("hostname=first\n", &mine);
    assert_eq!(setup.run(ingest), taken);
    let evil = |serial: u64| format!("hostname=evil\nserial={serial}\n");
    unsigned(&evil(1), &other);
    refused(
        "it is not signed, and this machine listens to holders of the stored keys of admin only",
    );
    signed(&setup, &evil(1), &other, "other", "config-medium");
    refused("its signature is not one of a stored key of admin: ssh-keygen says ");
    // A signature by the right key of something else is none of this.
    signed(&setup, &evil(1), &other, "mine", "file");
    refused("its signature is not one of a stored key of admin: ssh-keygen says ");
    // One for another medium.
    signed(&setup, "hostname=a\n", &mine, "mine", "config-medium");
    std::fs::write(setup.path("medium/config.ini"), evil(9)).unwrap();
    let (status, _, error) = setup.run(ingest);
    assert_eq!(status, 4);
    assert!(
        error.contains("D/medium/config.sha256:1: config.ini: the file's sum is "),
        "{error}"
    );
    std::fs::write(setup.path("medium/config.sha256.sig"), "rubbish").unwrap();
    assert_eq!(setup.run(ingest).0, 4);
    assert_eq!(hostname(), "first\n");

    // The owner's own, each with a larger serial than the last; the stored one again is no news.
    signed(&setup, "hostname=second\n", &mine, "mine", "config-medium");
    refused("its serial is 0, want more than the stored 0: an older medium does not count");
    signed(
        &setup,
        "hostname=second\nserial=2\n",
        &mine,
        "mine",
        "config-medium",
    );
    assert_eq!(setup.run(ingest), taken);
    assert_eq!(
        setup.run(ingest),
        ok("configuration of D/medium is the stored one already")
    );
    signed(
        &setup,
        "hostname=third\nserial=1\n",
        &mine,
        "mine",
        "config-medium",
    );
    refused("its serial is 1, want more than the stored 2");
    // A key that was taken away signs no more.
    signed(
        &setup,
        "hostname=third\nserial=3\n",
        &other,
        "mine",
        "config-medium",
    );
    assert_eq!(setup.run(ingest), taken);
    signed(
        &setup,
        "hostname=fourth\nserial=4\n",
        &mine,
        "mine",
        "config-medium",
    );
    refused("its signature is not one of a stored key of admin");
    signed(
        &setup,
        "hostname=fourth\nserial=4\nmedia=any\n",
        &mine,
        "other",
        "config-medium",
    );
    assert_eq!(setup.run(ingest), taken);
    // The owner lets in anybody.
    unsigned("hostname=fifth\n", &mine);
    assert_eq!(setup.run(ingest), taken);
    unsigned("hostname=sixth\n", &other);
    refused("it is not signed");
    // Who is root here has said so.
    assert_eq!(
        setup.run("ingest --unsigned --medium D/medium --config D/config"),
        taken
    );
    // Damage is no way in.
    std::fs::write(setup.path("config/config.ini"), "media=any\nx\n").unwrap();
    unsigned("hostname=evil\n", &mine);
    refused("it is not signed");
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
        ok(&format!(
            "host: a, {DYNAMIC}\nguest: the image's name, {DYNAMIC_GUEST}\nD/medium/config.ini: ok"
        ))
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
fn check_says_addresses_and_what_may_not_be_meant() {
    let ini = "hostname=node-1\nipv6_prefix=2001:db8::/64\nmanagement_mac=34:56:78:9a:bc:de\nipv4_address=192.0.2.2/24\n\
               guest_hostname=guest-1\nerase=yes\nunattended=yes\n";
    let setup = Setup::new(ini, KEY);
    let machines = "host: node-1, card 34:56:78:9a:bc:de, IPv6 2001:db8::3656:78ff:fe9a:bcde/64 (derived), IPv4 192.0.2.2/24\n\
                    guest: guest-1, card 66:13:66:f4:22:8d, IPv6 2001:db8::6413:66ff:fef4:228d/64 (derived), IPv4 by DHCP\n\
                    D/medium: ok";
    let remark = "remark: erase=yes and unattended=yes: a machine that starts from this medium overwrites the drive that it chooses, and \
                  nobody is asked";
    assert_eq!(
        setup.run("check D/medium"),
        ok(&format!("{remark}\n{machines}"))
    );
    let installed =
        "remark: erase, unattended: only an installer reads that; this system is installed already";
    assert_eq!(
        setup.run("check --for hostos D/medium"),
        ok(&format!("{installed}\n{machines}"))
    );
    let (status, json, error) = setup.run("check D/medium --json");
    assert_eq!((status, error.as_str()), (0, ""));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let guest = serde_json::json!({
        "machine": "guest", "hostname": "guest-1", "mac": "66:13:66:f4:22:8d",
        "ipv6": "2001:db8::6413:66ff:fef4:228d/64", "ipv6_by": "derived", "ipv4": null, "ipv4_by": "DHCP",
    });
    assert_eq!(json["machines"][1], guest);
    assert_eq!(json["problems"], serde_json::json!([]));
    assert_eq!(json["for"], "setupos");
    assert_eq!(json["configuration"]["install"]["erase"], true);
    assert_eq!(json["remarks"].as_array().unwrap().len(), 1);
    let (status, _, error) = setup.run("check --for windows D/medium");
    assert_eq!(status, 1);
    assert!(error.contains("want setupos, hostos, guestos"), "{error}");
}

#[test]
fn check_tells_all_problems_to_scripts_too() {
    let setup = Setup::new("mtu=1\ndrive=sda\n", "x\n");
    let (status, json, error) = setup.run("check --json D/medium");
    assert_eq!((status, error.as_str()), (1, ""));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let problems = json["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 3);
    assert_eq!(problems[0]["file"], "D/medium/config.ini");
    assert_eq!(problems[0]["line"], 1);
    assert_eq!(problems[1]["line"], 2);
    assert!(problems[1]["text"]
        .as_str()
        .unwrap()
        .starts_with("drive: got \"sda\", want auto, or "));
    assert_eq!(problems[2]["file"], "D/medium/ssh_authorized_keys/admin");
    assert_eq!(json.get("configuration"), None);
}

/// A stick's settings are a host's; a guest that took them would answer in the host's place.
#[test]
fn a_guest_takes_no_media_of_hosts() {
    let setup = Setup::new("hostname=node-1\nguest_hostname=g\n", KEY);
    std::fs::write(setup.path("os.json"), "{\"os\": \"guestos\"}").unwrap();
    let want = "D/medium/config.ini:2: guest_hostname: got \"g\", and only a host reads that: this is a guest, whose own keys have \
                no prefix; take the line out\n";
    let refused = "the medium D/medium is refused: ";
    for (command, status, what) in [
        (
            "ingest --medium D/medium --config D/config --identity D/os.json",
            4,
            refused,
        ),
        (
            "ingest --medium D/medium --config D/config --for guestos",
            4,
            refused,
        ),
        ("check --for guestos D/medium", 1, ""),
    ] {
        let error = format!("config_tool: error: {what}{want}");
        assert_eq!(
            setup.run(command),
            (status, String::new(), error),
            "{command}"
        );
    }
    assert_eq!(
        setup.run("ingest --medium D/medium --config D/config --for hostos"),
        ok("configuration taken over from D/medium")
    );
    // The typed form of it, as the host hands it on, is what a guest takes.
    let (_, json, _) = setup.run("show --json --for hostos --config D/config");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    std::fs::remove_file(setup.path("medium/config.ini")).unwrap();
    let write = |document: &serde_json::Value| {
        std::fs::write(setup.path("medium/config.json"), document.to_string()).unwrap();
    };
    let ingest = "ingest --medium D/medium --config D/guest --for guestos";
    std::fs::create_dir(setup.path("guest")).unwrap();
    write(&json["configuration"]);
    assert_eq!(
        setup.run(ingest).2,
        "config_tool: error: the medium D/medium is refused: D/medium/config.json: kind: got \"host\", want guest: it was made for another system\n"
    );
    write(&json["configuration"]["guest"]);
    assert_eq!(
        setup.run(ingest),
        ok("configuration taken over from D/medium")
    );
    assert_eq!(setup.run("get hostname --config D/guest"), ok("g"));
    assert_eq!(
        setup.run("check D/medium/config.json"),
        ok(&format!(
            "guest: g, {DYNAMIC_GUEST}\nD/medium/config.json: ok"
        ))
    );
}

/// A key that comes to a file system would close it up for good: prepare-data gives up nothing for a key's sake.
#[test]
fn a_key_comes_before_data_or_not_at_all() {
    const DIGITS: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let setup = Setup::new("hostname=a\n", KEY);
    let ingest = "ingest --unsigned --medium D/medium --config D/config --data D/part";
    let taken = ok("configuration taken over from D/medium");
    let write = |at: u64, bytes: &[u8]| {
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(false);
        let file = file.open(setup.path("part")).unwrap();
        file.set_len(64 << 20).unwrap();
        file.write_all_at(bytes, at).unwrap();
    };
    // Without a key nobody asks what is there, not even whether it is.
    assert_eq!(setup.run(ingest), taken);
    std::fs::write(setup.path("medium/data.key"), DIGITS).unwrap();
    let (status, _, error) = setup.run(ingest);
    let cannot = "config_tool: error: cannot read D/part, which a new data.key is for: No such file or directory";
    assert_eq!(status, 2);
    assert!(error.starts_with(cannot), "{error}");
    // A file system; one whose first superblock is gone; something.
    for (at, bytes) in [
        (1080, b"\x53\xef"),
        (8193 * 1024 + 56, b"\x53\xef"),
        (0, b"xx"),
    ] {
        write(at, bytes);
        let (status, out, error) = setup.run(ingest);
        assert_eq!((status, out.as_str()), (4, ""), "{error}");
        let want = "config_tool: error: the medium D/medium is refused: D/part: it has a data.key, and what it would be for \
                    holds something that is not encrypted";
        assert!(error.starts_with(want), "{error}");
        assert!(!setup.path("config/data.key").exists());
        write(at, &[0; 2]);
    }
    // Nothing yet, or a header of LUKS: that is what a key is for.
    write(0, &[0; 6]);
    assert_eq!(setup.run(ingest), taken);
    std::fs::remove_file(setup.path("config/data.key")).unwrap();
    write(0, b"LUKS\xba\xbe");
    assert_eq!(setup.run(ingest), taken);
    // A key that is kept is not asked about again.
    write(0, b"\0\0\0\0xx");
    std::fs::write(setup.path("medium/config.ini"), "hostname=b\n").unwrap();
    assert_eq!(setup.run(ingest), taken);
    // And no other one comes in its place: refused, too, and nothing that failed.
    std::fs::remove_file(setup.path("medium/data.key")).unwrap();
    let (status, _, error) = setup.run(ingest);
    assert_eq!(status, 4, "{error}");
    assert!(
        error.contains("data.key: it is not the stored one"),
        "{error}"
    );
}

/// Of a key that the TPM is to keep there is a sum in the store, and the key itself in memory, whatever else comes of the medium.
#[test]
fn a_key_for_the_tpm_is_handed_over() {
    const DIGITS: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let setup = Setup::new("data_encryption=tpm2\n", KEY);
    let ingest = "ingest --medium D/medium --config D/config --hand-key D/handed";
    let write = |name: &str, text: &str| std::fs::write(setup.path(name), text).unwrap();
    let handed = || {
        let text = std::fs::read_to_string(setup.path("handed")).ok();
        let _ = std::fs::remove_file(setup.path("handed"));
        text
    };
    let (status, _, error) = setup.run(ingest);
    assert_eq!(status, 4, "{error}");
    assert!(
        error.contains("data.key: no such file, and data_encryption is tpm2"),
        "{error}"
    );
    write("medium/data.key", DIGITS);
    let over = "data.key of D/medium is handed over, to open or to seal the data in this start; it is not stored";
    let taken = format!("configuration taken over from D/medium\n{over}");
    assert_eq!(setup.run(ingest), ok(&taken));
    let mode = std::fs::metadata(setup.path("handed")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&mode) & 0o777, 0o600);
    assert_eq!(handed(), Some(format!("{DIGITS}\n")));
    assert!(!setup.path("config/data.key").exists());
    let (_, shown, _) = setup.run("show --config D/config");
    assert!(shown.contains("the TPM keeps the key"), "{shown}");
    // The same medium again; one that counts no more, for nobody signed it.
    let same = format!("configuration of D/medium is the stored one already\n{over}");
    assert_eq!(setup.run(ingest), ok(&same));
    assert!(handed().is_some());
    write("medium/config.ini", "hostname=other\n");
    let (status, out, error) = setup.run(ingest);
    assert_eq!((status, out.trim_end()), (4, over), "{error}");
    assert!(handed().is_some());
    // Another key; and none to hand.
    write("medium/data.key", &DIGITS.replace('0', "f"));
    assert_eq!(setup.run(ingest).0, 4);
    std::fs::remove_file(setup.path("medium/data.key")).unwrap();
    assert_eq!(setup.run(ingest).0, 4);
    assert_eq!(handed(), None);
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
            4,
            "the medium D/config is refused: D/config/config.ini: no such file",
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
