//! The configuration: what it says of the virtual machine, and what is handed on to the guest.

use std::path::Path;

use anyhow::Context;
use os_config::{Card, Document, HostConfig, Mac, Store, CONFIG_JSON, SSH_KEYS_DIR};

use crate::host::Host;

/// What is wanted of the virtual machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// None: what the host does not need.
    pub(crate) memory_mib: Option<u64>,
    /// None: as many as the host has.
    pub(crate) cpus: Option<u32>,
    pub(crate) hugepages: bool,
    /// Hardware address of the guest's card.
    pub(crate) mac: String,
    /// Files of the guest's CONFIG medium: path, content.
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

impl Wanted {
    /// Reads the configuration that is kept in `folder`, for the machine `host`.
    pub(crate) fn read(folder: &Path, host: &Host) -> anyhow::Result<Self> {
        let (config, _) = Store::new(folder)
            .load()
            .context("the stored configuration is refused")?;
        // Of a whole machine's, which somebody's medium may have brought, the host's part counts.
        let known = HostConfig::of(&config).with_context(|| folder.display().to_string())?;
        let known = match known.network.management_mac {
            Some(given) => known.on_machine(given),
            None => known.on_machine(first_card(host)?),
        };
        let guest = &known.guest;
        let mac = guest
            .network
            .management_mac
            .context("the guest has no hardware address")?;
        let document = Document::Guest(Box::new(guest.clone()));
        let text = document.to_json();
        let mut files = vec![(CONFIG_JSON.to_owned(), text.into_bytes())];
        for (user, keys) in &config.keys {
            let path = format!("{SSH_KEYS_DIR}/{user}");
            files.push((path, keys.to_text().into_bytes()));
        }
        Ok(Self {
            memory_mib: known.vm.memory_mib.map(|mib| u64::from(mib.get())),
            cpus: known.vm.cpus.map(|cpus| cpus.get()),
            hugepages: known.vm.hugepages,
            mac: mac.to_string(),
            files,
        })
    }
}

/// The hardware address of the machine's first wired card.
fn first_card(host: &Host) -> anyhow::Result<Mac> {
    let net = host.path("/sys/class/net");
    let card = Card::first(&net).with_context(|| format!("cannot read {}", net.display()))?;
    let card = card.context(
        "this machine has no wired card, from whose hardware address the guest's is derived: set management_mac",
    )?;
    Ok(card.mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    /// A machine with a bond of two cards, a wireless one, and a bridge.
    fn machine() -> (tempfile::TempDir, Host) {
        let dir = tempfile::tempdir().unwrap();
        let net = dir.path().join("sys/class/net");
        for (name, kind, files) in [
            ("br0", "1", &["x"][..]),
            ("eno2", "1", &["device"][..]),
            ("eno1", "1", &["device", "bonding_slave"][..]),
            ("aa0", "1", &["device", "phy80211"][..]),
            ("lo", "772", &["x"][..]),
        ] {
            for file in files {
                fs::create_dir_all(net.join(name).join(file)).unwrap();
            }
            fs::write(net.join(name).join("type"), format!("{kind}\n")).unwrap();
            fs::write(net.join(name).join("address"), "02:00:00:00:00:01\n").unwrap();
        }
        let own = net.join("eno1/bonding_slave/perm_hwaddr");
        fs::write(own, "34:56:78:9a:bc:de\n").unwrap();
        let host = Host {
            root: Some(dir.path().to_path_buf()),
        };
        (dir, host)
    }

    fn wanted(ini: &str) -> anyhow::Result<Wanted> {
        let (dir, host) = machine();
        let config = dir.path().join("config");
        fs::create_dir_all(config.join(SSH_KEYS_DIR)).unwrap();
        fs::write(config.join("config.ini"), ini).unwrap();
        fs::write(
            config.join(SSH_KEYS_DIR).join("admin"),
            format!("{KEY} me\n"),
        )
        .unwrap();
        Wanted::read(&config, &host)
    }

    #[test]
    fn the_guests_part_goes_on_the_medium() {
        let ini =
            "guest_hostname=replica-1\nmtu=1400\nvm_memory_mib=2048\nvm_cpus=3\nvm_hugepages=yes\n";
        let wanted = wanted(ini).unwrap();
        assert_eq!(
            (wanted.memory_mib, wanted.cpus, wanted.hugepages),
            (Some(2048), Some(3), true)
        );
        let own = Mac::parse("34:56:78:9a:bc:de").unwrap();
        assert_eq!(wanted.mac, own.guest().to_string());
        let (path, text) = &wanted.files[0];
        assert_eq!(path, CONFIG_JSON);
        let document = Document::parse(Path::new(path), text).unwrap();
        let Document::Guest(guest) = document else {
            panic!("{document:?}");
        };
        assert_eq!(guest.network.management_mac, Some(own.guest()));
        assert_eq!(guest.network.mtu.unwrap().get(), 1400);
        assert!(String::from_utf8_lossy(text).contains("replica-1"));
        let (path, keys) = &wanted.files[1];
        assert_eq!(path, "ssh_authorized_keys/admin");
        assert_eq!(keys, format!("{KEY} me\n").as_bytes());
    }

    #[test]
    fn a_machine_without_configuration_has_a_guest_too() {
        let (dir, host) = machine();
        let wanted = Wanted::read(&dir.path().join("none"), &host).unwrap();
        assert_eq!((wanted.memory_mib, wanted.cpus), (None, None));
        assert_eq!(wanted.files.len(), 1);
        let given = super::tests::wanted("management_mac=00:11:22:33:44:55\n").unwrap();
        let mac = Mac::parse("00:11:22:33:44:55").unwrap().guest();
        assert_eq!(given.mac, mac.to_string());
        let bare = Host {
            root: Some(dir.path().join("none")),
        };
        assert!(Wanted::read(&dir.path().join("none"), &bare).is_err());
    }

    #[test]
    fn a_configuration_of_another_kind_is_refused() {
        let (dir, host) = machine();
        let first = wanted("").unwrap();
        fs::write(dir.path().join(CONFIG_JSON), &first.files[0].1).unwrap();
        let error = format!("{:#}", Wanted::read(dir.path(), &host).unwrap_err());
        let folder = dir.path().display().to_string();
        assert!(
            error.starts_with(&folder) && error.contains("got \"guest\", want setup or host"),
            "{error}"
        );
    }

    #[test]
    fn a_whole_machines_configuration_has_a_host_in_it() {
        let ini = "guest_hostname=replica-1\nvm_memory_mib=2048\n";
        let settings = os_config::Settings::parse(Path::new("config.ini"), ini.as_bytes()).unwrap();
        let (dir, host) = machine();
        for document in [
            Document::Setup(Box::new(os_config::SetupConfig::from(&settings))),
            Document::Host(Box::new(HostConfig::from(&settings))),
        ] {
            fs::write(dir.path().join(CONFIG_JSON), document.to_json()).unwrap();
            let read = Wanted::read(dir.path(), &host).unwrap();
            assert_eq!(read.memory_mib, Some(2048), "{}", document.kind());
            assert_eq!(read.files, wanted_of(ini), "{}", document.kind());
        }
    }

    /// The files of a guest's medium, without keys.
    fn wanted_of(ini: &str) -> Vec<(String, Vec<u8>)> {
        let files = wanted(ini).unwrap().files;
        files.into_iter().take(1).collect()
    }
}
