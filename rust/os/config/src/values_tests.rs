//! What each value may be, and what is wanted instead.

use super::*;

#[test]
fn drives_by_names_that_stay() {
    for good in [
        "auto",
        "S4EVNX0R123456",
        "0x5002538e4034d87b",
        "wwn-0x5002538e4034d87b",
        "eui.0025388b710116a2",
        "nvme-Samsung_SSD_970_EVO_Plus_1TB_S4EVNX0R123456",
        "WD-WX12 34",
        "1234567890",
        "sdd-serial",
        "nvme-x",
    ] {
        let read = DriveChoice::parse(good).unwrap();
        assert_eq!(read.to_string(), good);
        assert_eq!(read == DriveChoice::Auto, good == "auto");
    }
    for (bad, want) in [
        ("", "at most 128 bytes of printable ASCII"),
        (" x", "at most 128 bytes of printable ASCII"),
        ("é", "at most 128 bytes of printable ASCII"),
        ("/dev/disk/by-id/x", "without its folder"),
        ("500G", "drives of one size are no rarity"),
        ("1.8 TB", "drives of one size are no rarity"),
        ("960gib", "drives of one size are no rarity"),
        ("sda", "may give this name to another drive"),
        ("vdab", "may give this name to another drive"),
        ("nvme0n1", "may give this name to another drive"),
        ("mmcblk0", "may give this name to another drive"),
    ] {
        let error = DriveChoice::parse(bad).unwrap_err();
        let want_start = "auto, or a drive's serial number, WWN or name in /dev/disk/by-id";
        assert!(error.starts_with(want_start), "{bad}: {error}");
        assert!(error.contains(want), "{bad}: {error}");
    }
    assert!(DriveChoice::parse(&"x".repeat(128)).is_ok());
    assert!(DriveChoice::parse(&"x".repeat(129)).is_err());
}

#[test]
fn numbers_have_bounds() {
    assert_eq!(Mtu::parse("1280").unwrap().get(), 1280);
    assert_eq!(MemoryMib::parse("16777216").unwrap().get(), 16_777_216);
    for (text, want) in [
        ("511", "a number from 512 to 16777216"),
        ("16777217", "a number from 512 to 16777216"),
        ("4294967808", "a number from 512 to 16777216"),
        ("+1024", "a number from 512 to 16777216"),
        ("1e4", "a number from 512 to 16777216"),
        ("", "a number from 512 to 16777216"),
    ] {
        assert_eq!(MemoryMib::parse(text), Err(want.to_owned()), "{text}");
    }
    assert_eq!(Cpus::new(0), None);
    assert_eq!(Cpus::new(1024).map(Cpus::get), Some(1024));
    assert_eq!(Cpus::new(1025), None);
}

#[test]
fn names_and_words() {
    for good in ["default", "gen-2", "a", "9"] {
        assert_eq!(&*NodeType::parse(good).unwrap(), good);
    }
    for bad in [
        "",
        "-a",
        "a-",
        "Default",
        "a b",
        "a/b",
        "..",
        &"x".repeat(65),
    ] {
        assert!(NodeType::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(AfterInstall::parse("halt"), Ok(AfterInstall::Halt));
    let want = Err("reboot or poweroff or halt".to_owned());
    assert_eq!(AfterInstall::parse("Reboot"), want);
    assert_eq!(yes_no("yes"), Ok(true));
    for bad in ["true", "1", "YES", ""] {
        assert_eq!(yes_no(bad), Err("yes or no".to_owned()));
    }
}
