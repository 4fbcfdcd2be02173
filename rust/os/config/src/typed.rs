//! What one system hands to the next: SetupOS to HostOS, HostOS to GuestOS. `docs/formats/config.md` has the file's format.
//!
//! ```text
//! config.ini --> SetupConfig --(host)--> HostConfig --(guest)--> GuestConfig
//! ```
//!
//! Each is a whole document with its `kind` and `format`, so that handing over is taking a part out. Keys for logging in are not
//! among them: they are files beside, whatever the document is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::address::{Address, Family};
use crate::error::Problem;
use crate::mac::{DerivedIpv6, Mac};
use crate::part::{record, Place};
use crate::values::{
    AfterInstall, Cpus, DataEncryption, DomainName, DriveChoice, Format, HostName, Media,
    MemoryMib, Mtu, NodeType,
};

record! {
    /// Configuration of an installation: what the installer does, and what it leaves on the machine.
    pub struct SetupConfig as "setup" {
        /// Version of the format.
        pub format: Format,
        /// What the installer does.
        pub install: InstallConfig,
        /// What the machine is told.
        pub host: HostConfig,
    }
}

record! {
    /// What the installer does.
    pub struct InstallConfig {
        /// The drive that is installed to: `auto`, or a serial number, a WWN or a name in /dev/disk/by-id.
        pub drive: DriveChoice,
        /// Whether a drive that holds something may be overwritten.
        pub erase: bool,
        /// Whether the data of a system that is installed already stays.
        pub keep_data: bool,
        /// Whether nobody is asked.
        pub unattended: bool,
        /// What happens at the end.
        pub after_install: AfterInstall,
        /// What kind of machine it is; what that requires the installation medium knows.
        pub node_type: NodeType,
    }
}

record! {
    /// Configuration of a machine and of the virtual machine on it.
    pub struct HostConfig as "host" {
        /// Version of the format.
        pub format: Format,
        /// The machine's name; null: the image's own.
        pub hostname: Option<HostName>,
        /// Of several signed configurations the later one has the larger.
        pub serial: u64,
        /// The media that may replace this configuration, once the machine has a key for admin.
        pub media: Media,
        /// How the machine's own data are encrypted; null: with `data.key` if there is one.
        pub data_encryption: Option<DataEncryption>,
        /// The machine's network.
        pub network: NetworkConfig,
        /// What the virtual machine is given.
        pub vm: VmSettings,
        /// What the system in the virtual machine is told.
        pub guest: GuestConfig,
    }
    checked HostConfig::check
}

record! {
    /// What a virtual machine is given.
    pub struct VmSettings {
        /// Memory in MiB; null: what the machine has to spare.
        pub memory_mib: Option<MemoryMib>,
        /// Processors; null: what the machine has to spare.
        pub cpus: Option<Cpus>,
        /// Whether its memory is in huge pages.
        pub hugepages: bool,
    }
}

record! {
    /// Configuration of the system in a virtual machine.
    pub struct GuestConfig as "guest" {
        /// Version of the format.
        pub format: Format,
        /// The machine's name; null: the image's own.
        pub hostname: Option<HostName>,
        /// Of several signed configurations the later one has the larger.
        pub serial: u64,
        /// The media that may replace this configuration, once the machine has a key for admin.
        pub media: Media,
        /// How the machine's own data are encrypted; null: with `data.key` if there is one.
        pub data_encryption: Option<DataEncryption>,
        /// The machine's network.
        pub network: NetworkConfig,
    }
}

record! {
    /// One machine's network. IPv6: `ipv6`, else `ipv6_derived`, else router advertisements. IPv4: `ipv4`, else DHCP.
    pub struct NetworkConfig {
        /// Hardware address that others are derived from; null: that of the first wired card.
        pub management_mac: Option<Mac>,
        /// Static IPv6 address.
        pub ipv6: Option<Address<Ipv6Addr>>,
        /// An IPv6 address that is derived from the hardware address; null if there is a static one.
        pub ipv6_derived: Option<DerivedIpv6>,
        /// Static IPv4 address.
        pub ipv4: Option<Address<Ipv4Addr>>,
        /// Name servers in the order in which they are asked; none: those that the network offers.
        pub name_servers: Vec<IpAddr>,
        /// Search domain.
        pub domain: Option<DomainName>,
        /// Largest packet in bytes; null: the card's.
        pub mtu: Option<Mtu>,
    }
    checked NetworkConfig::check
}

impl NetworkConfig {
    /// The IPv6 address of the machine whose first wired card is `card`, if it is static or derived; `management_mac` counts before the
    /// card. `None`: by router advertisements, or derived and there is no card.
    pub fn ipv6_of(&self, card: Option<Mac>) -> Option<Address<Ipv6Addr>> {
        let mac = self.management_mac.or(card);
        self.ipv6.or_else(|| Some(self.ipv6_derived?.of(mac?)))
    }

    fn check(&self, place: &Place, problems: &mut Vec<Problem>) {
        if self.ipv6.is_some() && self.ipv6_derived.is_some() {
            let text = "given although ipv6 is an address already, want null in one of them";
            problems.push(place.field("ipv6_derived").problem(text));
        }
    }
}

impl HostConfig {
    /// This configuration on the machine whose first wired card is `card`: every hardware address is said in it, this machine's
    /// and its guest's. A `management_mac` that is given counts before the card.
    pub fn on_machine(&self, card: Mac) -> Self {
        let mut known = self.clone();
        let mac = *known.network.management_mac.get_or_insert(card);
        known
            .guest
            .network
            .management_mac
            .get_or_insert(mac.guest());
        known
    }

    /// The hardware address of the virtual machine's card, where this machine's first wired card is `card`: what the
    /// configuration says, else derived from the management address.
    pub fn guest_mac(&self, card: Option<Mac>) -> Option<Mac> {
        let derived = || Some(self.network.management_mac.or(card)?.guest());
        self.guest.network.management_mac.or_else(derived)
    }

    fn check(&self, place: &Place, problems: &mut Vec<Problem>) {
        let network = place.field("guest").field("network");
        different(
            self.network.ipv6,
            self.guest.network.ipv6,
            &network.field("ipv6"),
            problems,
        );
        different(
            self.network.ipv4,
            self.guest.network.ipv4,
            &network.field("ipv4"),
            problems,
        );
    }
}

/// Two machines on one network can't have one address.
fn different<A: Family>(
    host: Option<Address<A>>,
    guest: Option<Address<A>>,
    place: &Place,
    problems: &mut Vec<Problem>,
) {
    if let Some((host, _)) = host.zip(guest).filter(|(h, g)| h.address == g.address) {
        let text = format!(
            "{}: the same as the host's, want one of its own",
            host.address
        );
        problems.push(place.field("address").problem(text));
    }
}
