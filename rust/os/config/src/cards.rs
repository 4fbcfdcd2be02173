//! The machine's network cards, as `/sys/class/net` shows them.
//!
//! The first wired card is the first by name among those that are hardware (`device` is there), speak Ethernet (`type` is 1) and are
//! not wireless. Numbers in names count as numbers, so that `enp2s0` comes before `enp10s0`. Its address is the one that it came with:
//! a card in a bond shows the bond's, and its own in `bonding_slave/perm_hwaddr`.

use std::fs;
use std::io;
use std::path::Path;

use walkdir::WalkDir;

use crate::mac::Mac;

/// Ethernet, in `type` (ARPHRD_ETHER of linux/if_arp.h).
const ETHERNET: &str = "1";

/// A network card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The interface's name.
    pub name: String,
    /// The hardware address that it came with.
    pub mac: Mac,
}

impl Card {
    /// The first wired card below `net`, which is `/sys/class/net` of the machine that is meant; `None` if there is none.
    pub fn first(net: &Path) -> io::Result<Option<Self>> {
        let mut names = Vec::new();
        for entry in WalkDir::new(net)
            .min_depth(1)
            .max_depth(1)
            .sort_by_file_name()
        {
            let entry = entry?;
            // The kernel's own names are ASCII; what is not can't be a card of ours.
            names.extend(entry.file_name().to_str().map(str::to_owned));
        }
        names.sort_by_key(|name| natural(name));
        for name in names {
            if let Some(mac) = wired(&net.join(&name))? {
                return Ok(Some(Self { name, mac }));
            }
        }
        Ok(None)
    }
}

/// The hardware address of the interface in `dir`, if it is a wired card.
fn wired(dir: &Path) -> io::Result<Option<Mac>> {
    let is_card = dir.join("device").exists()
        && read(&dir.join("type"))?.as_deref() == Some(ETHERNET)
        && !dir.join("wireless").exists()
        && !dir.join("phy80211").exists();
    if !is_card {
        return Ok(None);
    }
    let own = match read(&dir.join("bonding_slave/perm_hwaddr"))? {
        Some(own) => Some(own),
        None => read(&dir.join("address"))?,
    };
    // A card without an address (zeros) has none to derive from.
    Ok(own.and_then(|text| Mac::parse(&text).ok()))
}

/// The text of a file in sysfs; `None` if it is not there.
fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // A file below something that is no folder, such as the attributes of `bonding_masters`.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
        Err(error) => Err(error),
    }
}

/// A piece of a name: text before digits, how many digits of what they are without zeros in front, the digits.
type Piece = (String, usize, String);

/// `name` in pieces that compare as people count.
fn natural(name: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (text, tail) = rest.split_at(digits);
        let end = tail
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (number, tail) = tail.split_at(end);
        let number = number.trim_start_matches('0');
        pieces.push((text.to_owned(), number.len(), number.to_owned()));
        rest = tail;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cards: name, type, own address, files that are there.
    fn net(cards: &[(&str, &str, &str, &[&str])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, kind, address, others) in cards {
            let card = dir.path().join(name);
            fs::create_dir(&card).unwrap();
            fs::write(card.join("type"), format!("{kind}\n")).unwrap();
            fs::write(card.join("address"), format!("{address}\n")).unwrap();
            for other in *others {
                let (name, text) = other.split_once('=').unwrap_or((other, ""));
                fs::create_dir_all(card.join(name).parent().unwrap()).unwrap();
                fs::write(card.join(name), text).unwrap();
            }
        }
        fs::write(dir.path().join("bonding_masters"), "bond0\n").unwrap();
        dir
    }

    fn first(cards: &[(&str, &str, &str, &[&str])]) -> Option<(String, String)> {
        let dir = net(cards);
        let card = Card::first(dir.path()).unwrap();
        card.map(|card| (card.name, card.mac.to_string()))
    }

    #[test]
    fn the_first_by_number_that_is_hardware_and_wired() {
        let pair = |name: &str, mac: &str| Some((name.to_owned(), mac.to_owned()));
        let (a, b) = ("00:11:22:33:44:55", "00:11:22:33:44:66");
        assert_eq!(first(&[]), None);
        assert_eq!(
            first(&[
                ("br0", "1", a, &[]),
                ("eib0", "32", a, &["device"]),
                ("elan0", "1", a, &["device", "wireless"]),
                ("elan1", "1", a, &["device", "phy80211"]),
                ("em1", "1", "00:00:00:00:00:00", &["device"]),
                ("enp10s0", "1", a, &["device"]),
                ("enp2s0", "1", b, &["device"]),
                ("lo", "772", "00:00:00:00:00:00", &[]),
            ]),
            pair("enp2s0", b)
        );
        let own = format!("bonding_slave/perm_hwaddr={b}\n");
        assert_eq!(
            first(&[("eno1", "1", a, &["device", &own])]),
            pair("eno1", b)
        );
    }

    #[test]
    fn a_folder_that_is_absent_is_an_error() {
        assert!(Card::first(Path::new("/no/such/folder")).is_err());
    }

    proptest::proptest! {
        #[test]
        fn names_sort(mut names: Vec<String>) {
            names.sort_by_key(|name| natural(name));
        }
    }
}
