//! The real program below a folder: golden files, modes, running again.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me";
const NETWORK: &str = "run/systemd/network/20-config.network";

struct Setup {
    dir: tempfile::TempDir,
}

impl Setup {
    fn new(ini: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("boot/config");
        std::fs::create_dir_all(config.join("ssh_authorized_keys")).unwrap();
        match ini {
            Some(ini) => std::fs::write(config.join("config.ini"), ini).unwrap(),
            None => std::fs::remove_dir(config.join("ssh_authorized_keys")).unwrap(),
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// (status, stdout, stderr) with the folder written as `D`.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let program = std::fs::canonicalize(env!("CARGO_BIN_EXE_node_tool")).unwrap();
        let output = Command::new(program)
            .args(args)
            .arg("--root")
            .arg(self.dir.path())
            .output()
            .unwrap();
        let text = |bytes| {
            String::from_utf8(bytes)
                .unwrap()
                .replace(self.dir.path().to_str().unwrap(), "D")
        };
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    fn ok(&self, command: &str) -> String {
        let (status, out, error) = self.run(&[command]);
        assert_eq!((status, error.as_str()), (0, ""), "{out}");
        out
    }
}

/// Compares with `tests/data/NAME`; `UPDATE_GOLDEN=1 cargo test` writes it.
fn golden(name: &str, got: &str) {
    let path = Path::new("tests/data").join(name);
    let path = match path.exists() || std::env::var_os("UPDATE_GOLDEN").is_some() {
        true => path,
        // Under Bazel the working folder is the root of the sources.
        false => Path::new("rust/os/node_tool").join(path),
    };
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, got).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(got, want, "{}", path.display());
}

#[test]
fn network_files() {
    let table: [(&str, Option<&str>); 5] = [
        ("default.network", None),
        (
            "static.network",
            Some(
                "hostname=node-1\ndomain=example.com\nipv6_address=2001:db8::2/64\nipv6_gateway=2001:db8::1\n\
                 ipv4_address=192.0.2.2/24\nipv4_gateway=192.0.2.1\nname_servers=2001:db8::53 192.0.2.53\nmtu=1400\n",
            ),
        ),
        (
            "ipv6-static.network",
            Some("ipv6_address=2001:db8::2/64\nipv6_gateway=fe80::1\nname_servers=2001:db8::53\n"),
        ),
        ("ipv6-route.network", Some("ipv6_address=2001:db8::2/64\n")),
        ("ipv4-static.network", Some("hostname=a\nipv4_address=192.0.2.2/24\n")),
    ];
    for (name, ini) in table {
        let setup = Setup::new(ini);
        setup.ok("setup-network");
        golden(name, &setup.read(NETWORK));
    }
}

/// An address of `ipv6_prefix`: from the hardware address that is said, else from that of the first card.
#[test]
fn network_with_a_derived_address() {
    let setup = Setup::new(Some("ipv6_prefix=2001:db8::/64\nipv6_gateway=fe80::1\n"));
    let (status, _, error) = setup.run(&["setup-network"]);
    assert_eq!(status, 2);
    assert!(error.contains("cannot read "), "{error}");
    let net = setup.path("sys/class/net");
    std::fs::create_dir_all(&net).unwrap();
    let (status, _, error) = setup.run(&["setup-network"]);
    assert_eq!(status, 1);
    assert!(
        error.contains("no wired card in ") && error.ends_with("set management_mac\n"),
        "{error}"
    );
    assert!(!setup.path(NETWORK).exists());
    for (file, text) in [
        ("device", ""),
        ("type", "1\n"),
        ("address", "34:56:78:9a:bc:de\n"),
    ] {
        std::fs::create_dir_all(net.join("eno1")).unwrap();
        std::fs::write(net.join("eno1").join(file), text).unwrap();
    }
    assert_eq!(
        setup.ok("setup-network"),
        "network: IPv6 2001:db8::3656:78ff:fe9a:bcde/64, IPv4 DHCP\n"
    );
    golden("ipv6-derived.network", &setup.read(NETWORK));
    let said = "ipv6_prefix=2001:db8::/64\nmanagement_mac=02:00:5e:10:00:01\n";
    std::fs::write(setup.path("boot/config/config.ini"), said).unwrap();
    assert_eq!(
        setup.ok("setup-network"),
        "network: IPv6 2001:db8::5eff:fe10:1/64, IPv4 DHCP\n"
    );
}

/// What one system handed to the next is read by the same commands.
#[test]
fn typed_configuration() {
    let setup = Setup::new(None);
    let json = r#"{
        "kind": "guest", "format": 1, "hostname": "guest-1", "serial": 0, "media": "any", "data_encryption": null,
        "network": {
            "management_mac": null,
            "ipv6": {"address": "2001:db8::2", "prefix_length": 64, "gateway": "fe80::1"},
            "ipv6_derived": null, "ipv4": null, "name_servers": ["2001:db8::53"], "domain": null, "mtu": null
        }
    }"#;
    std::fs::create_dir_all(setup.path("boot/config")).unwrap();
    std::fs::write(setup.path("boot/config/config.json"), json).unwrap();
    assert_eq!(setup.ok("setup-hostname"), "hostname: guest-1\n");
    setup.ok("setup-network");
    golden("ipv6-static.network", &setup.read(NETWORK));
}

#[test]
fn network_of_one_interface() {
    let setup = Setup::new(Some("ipv4_address=192.0.2.2/24\nmtu=9000\n"));
    let (status, _, error) = setup.run(&["setup-network", "--interface", "br0"]);
    assert_eq!((status, error.as_str()), (0, ""));
    golden("bridge.network", &setup.read(NETWORK));
    let uplinks = [
        "setup-network",
        "--interface=br0",
        "--uplink=bond0",
        "--uplink=guest0",
    ];
    let (status, _, _) = setup.run(&uplinks);
    assert_eq!(status, 0);
    let files = ["bond0", "guest0"]
        .map(|name| format!("run/systemd/network/{name}.network.d/20-config.conf"));
    for uplink in &files {
        assert!(setup.read(uplink).ends_with("\n[Link]\nMTUBytes=9000\n"));
    }
    std::fs::write(setup.path("boot/config/config.ini"), "").unwrap();
    let (status, _, _) = setup.run(&uplinks);
    assert_eq!(status, 0);
    for uplink in &files {
        assert!(!setup.path(uplink).exists());
    }
    for name in ["", "a b", "*", "sixteen-letters-", "../x"] {
        let (status, _, error) = setup.run(&["setup-network", "--interface", name]);
        assert_eq!(status, 1, "{name}");
        assert!(error.contains("want at most 15 letters"), "{error}");
    }
}

#[test]
fn network_is_written_once() {
    let setup = Setup::new(Some("ipv4_address=192.0.2.2/24\n"));
    assert_eq!(
        setup.ok("setup-network"),
        "network: IPv6 router advertisements, IPv4 192.0.2.2/24\n"
    );
    let inode = std::fs::metadata(setup.path(NETWORK)).unwrap().ino();
    assert_eq!(
        setup.ok("setup-network"),
        "network: IPv6 router advertisements, IPv4 192.0.2.2/24 (unchanged)\n"
    );
    let meta = std::fs::metadata(setup.path(NETWORK)).unwrap();
    assert_eq!((meta.ino(), meta.mode() & 0o7777), (inode, 0o644));
}

#[test]
fn ssh_keys_come_and_go() {
    let setup = Setup::new(Some("hostname=a\n"));
    let config = setup.path("boot/config/ssh_authorized_keys");
    std::fs::write(
        config.join("admin"),
        format!("# me\r\n{KEY}\r\n{KEY} two\n"),
    )
    .unwrap();
    std::fs::write(config.join("backup"), "").unwrap();
    assert_eq!(
        setup.ok("setup-ssh"),
        "ssh keys: admin 2, readonly none, backup 0\n"
    );
    let dir = setup.path("run/ic/ssh_authorized_keys");
    assert_eq!(
        setup.read("run/ic/ssh_authorized_keys/admin"),
        format!("{KEY}\n{KEY} two\n")
    );
    assert_eq!(setup.read("run/ic/ssh_authorized_keys/backup"), "");
    assert!(!dir.join("readonly").exists());
    let me = nix::unistd::geteuid().as_raw();
    for (path, mode) in [(dir.clone(), 0o755), (dir.join("admin"), 0o644)] {
        let meta = std::fs::metadata(&path).unwrap();
        assert_eq!(
            (meta.mode() & 0o7777, meta.uid()),
            (mode, me),
            "{}",
            path.display()
        );
    }

    // Modes that sshd would refuse are mended, and a key taken away is gone.
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o777)).unwrap();
    std::fs::set_permissions(dir.join("admin"), PermissionsExt::from_mode(0o666)).unwrap();
    std::fs::remove_file(config.join("backup")).unwrap();
    assert_eq!(
        setup.ok("setup-ssh"),
        "ssh keys: admin 2, readonly none, backup none\n"
    );
    assert_eq!(std::fs::metadata(&dir).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(
        std::fs::metadata(dir.join("admin")).unwrap().mode() & 0o7777,
        0o644
    );
    assert!(!dir.join("backup").exists());
}

#[test]
fn hostname() {
    let setup = Setup::new(Some("hostname=node-1\n"));
    assert_eq!(setup.ok("setup-hostname"), "hostname: node-1\n");
    assert_eq!(setup.read("run/ic/hostname"), "node-1\n");
    std::fs::write(setup.path("boot/config/config.ini"), "mtu=1500\n").unwrap();
    assert_eq!(
        setup.ok("setup-hostname"),
        "hostname: not configured, the image's name stays\n"
    );
    assert!(!setup.path("run/ic/hostname").exists());
}

#[test]
fn all_at_once() {
    let setup = Setup::new(None);
    assert_eq!(
        setup.ok("setup-all"),
        "no configuration in D/boot/config: defaults\n\
         hostname: not configured, the image's name stays\n\
         network: IPv6 router advertisements, IPv4 DHCP\n\
         ssh keys: admin none, readonly none, backup none\n"
    );
    // One that fails does not keep the others from being done.
    let setup = Setup::new(Some("hostname=node-1\n"));
    std::fs::create_dir_all(setup.path("run/systemd")).unwrap();
    std::fs::write(setup.path("run/systemd/network"), "").unwrap();
    let (status, out, error) = setup.run(&["setup-all"]);
    assert_eq!(
        (status, out.as_str()),
        (
            2,
            "hostname: node-1\nssh keys: admin none, readonly none, backup none\n"
        )
    );
    assert!(
        error.starts_with("node_tool: error: cannot create D/run/systemd/network: "),
        "{error}"
    );
}

#[test]
fn a_bad_configuration_changes_nothing() {
    let setup = Setup::new(Some("hostname=a_b\n"));
    for command in ["setup-network", "setup-hostname", "setup-ssh", "setup-all"] {
        assert_eq!(
            setup.run(&[command]),
            (
                1,
                String::new(),
                "node_tool: error: the stored configuration is refused: D/boot/config/config.ini:1: hostname: got \"a_b\", \
                 want a name of letters, digits and hyphens, at most 64 bytes\n"
                    .to_owned()
            )
        );
    }
    assert!(!setup.path("run").exists());
    assert_eq!(setup.run(&[]).0, 1);
    assert_eq!(setup.run(&["setup-nothing"]).0, 1);
}

#[test]
fn another_config_folder() {
    let setup = Setup::new(Some("hostname=a\n"));
    std::fs::rename(setup.path("boot/config"), setup.path("elsewhere")).unwrap();
    let (status, out, _) = setup.run(&["setup-hostname", "--config", "/elsewhere"]);
    assert_eq!((status, out.as_str()), (0, "hostname: a\n"));
}
