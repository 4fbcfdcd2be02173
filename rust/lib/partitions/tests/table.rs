//! Tables that are refused, with their words, and layouts of tables that are not.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use partitions::{Table, COLUMNS, MIB, SECTOR};
use proptest::prelude::*;

const ESP: &str = "b1a0a1c2-0000-4000-8000-000000000001";

/// A table of `lines`, each short of its uuid and description.
fn parse(lines: &[&str]) -> Result<Table, String> {
    let mut csv = format!("{COLUMNS}\n");
    for (index, line) in lines.iter().enumerate() {
        csv.push_str(&format!("{line},b1a0a1c2-0000-4000-8000-{index:012x},\n"));
    }
    // uuid 0 of the first line is not nil: its other digits are not 0.
    Table::parse(&csv).map_err(|error| error.to_string())
}

fn refused(csv: &str) -> String {
    Table::parse(csv).unwrap_err().to_string()
}

fn starts(lines: &[&str]) -> Vec<u64> {
    let layout = parse(lines).unwrap().layout(None).unwrap();
    layout.partitions.iter().map(|p| p.start).collect()
}

#[test]
fn computed_starts() {
    assert_eq!(starts(&["a,,64M,esp", "b,,1G,linux"]), [MIB, 65 * MIB]);
    // A size off the MiB moves the next start up to one.
    assert_eq!(
        starts(&["a,,513K,esp", "b,,1s,esp", "c,,1M,esp"]),
        [MIB, 2 * MIB, 3 * MIB]
    );
    // A stated start moves what follows; sectors need no alignment.
    assert_eq!(
        starts(&["a,34s,2014s,bios", "b,,1M,esp", "c,1G,1M,esp", "d,,1M,esp"]),
        [34 * SECTOR, MIB, 1024 * MIB, 1025 * MIB]
    );
    // Stated starts may go back.
    assert_eq!(starts(&["a,10M,1M,esp", "b,1M,9M,esp"]), [10 * MIB, MIB]);
}

#[test]
fn by_name() {
    let table = parse(&["a,,1M,esp", "b,,2M,linux"]).unwrap();
    for (name, size) in [("a", MIB), ("b", 2 * MIB)] {
        assert_eq!(table.get(name).unwrap().size, size);
    }
    assert!(table.get("c").is_none() && table.get("").is_none());
}

#[test]
fn disk_sizes() {
    let table = parse(&["a,,64M,esp"]).unwrap();
    assert_eq!(table.layout(None).unwrap().disk_size, 66 * MIB);
    let exact = 65 * MIB + 33 * SECTOR;
    assert_eq!(table.layout(Some(exact)).unwrap().disk_size, exact);
    assert_eq!(
        table.layout(Some(exact - SECTOR)).unwrap_err().to_string(),
        format!("line 2: partition \"a\" ends at 68157440, 512 bytes after the last usable byte of a disk of {} bytes", exact - SECTOR)
    );
    let error = table.layout(Some(0)).unwrap_err();
    assert_eq!(error.line, 2);
    assert_eq!(
        table.layout(Some(MIB + 1)).unwrap_err().to_string(),
        "line 2: disk size 1048577 is not a multiple of 512"
    );
    // Offsets of files are signed.
    for large in [1 << 63, u64::MAX - 511] {
        assert_eq!(
            table.layout(Some(large)).unwrap_err().to_string(),
            format!("line 2: disk size {large} is 2^63 bytes or more, which no file has")
        );
    }
    let largest = (1 << 63) - SECTOR;
    assert_eq!(table.layout(Some(largest)).unwrap().disk_size, largest);
    // The last partition leaves room for the backup table and for rounding up to a MiB.
    let last = ((1_u64 << 63) - 2 * MIB) / SECTOR - 1;
    let at = |end: u64| parse(&[&format!("a,1M,{}s,esp", end - MIB / SECTOR)]);
    let layout = at(last).unwrap().layout(None).unwrap();
    assert_eq!(layout.disk_size, (1 << 63) - MIB);
    assert_eq!(
        at(last + 1).unwrap_err(),
        "line 2: partition \"a\" would end after 2^63 bytes"
    );
    // With less than 33 sectors after the last partition, the disk grows by a MiB.
    let tight = parse(&["a,,2031s,esp"]).unwrap().layout(None).unwrap();
    assert_eq!(tight.disk_size, 3 * MIB);
    let fits = parse(&["a,,2015s,esp"]).unwrap().layout(None).unwrap();
    assert_eq!(fits.disk_size, 2 * MIB);
}

#[test]
fn lines_are_refused() {
    let long = "n".repeat(37);
    let cases = [
        ("a,,64,esp", "size \"64\" is no size, want a number with K, M, G, T or s (512-byte sectors), such as 64M"),
        ("a,,+1M,esp", "size \"+1M\" is no size"),
        ("a,,M,esp", "size \"M\" is no size"),
        ("a,,,esp", "size \"\" is no size"),
        ("a,,64m,esp", "size \"64m\" is no size"),
        ("a,,1.5G,esp", "size \"1.5G\" is no size"),
        ("a,,99999999999999999999M,esp", "is no size"),
        ("a,,17179869184G,esp", "is no size"),
        ("a,,8388608T,esp", "partition \"a\" would end after 2^63 bytes"),
        ("a,,0M,esp", "size is 0"),
        ("a,ä,1M,esp", "start \"ä\" is no size"),
        ("a,1ä,1M,esp", "start \"1ä\" is no size"),
        ("a,1536K,1M,esp", "start 1572864 is not a multiple of 1 MiB (1048576), the next one is 2M; to mean it, write sectors: 3072s"),
        ("a,0M,1M,esp", "start 0 lies inside the partition table, the first usable byte is 17408"),
        ("a,33s,1M,esp", "start 16896 lies inside"),
        ("a,,1M,exp", "unknown type \"exp\", want a GUID or one of esp, xbootldr, root-x86-64,"),
        (",,1M,esp", "name is empty"),
        ("a/b,,1M,esp", "name \"a/b\" contains '/'"),
        ("a=b,,1M,esp", "name \"a=b\" contains '='"),
        ("a,,1M", "5 fields, want 6 (name,start,size,type,uuid,description)"),
        ("a,,1M,esp,x", "7 fields"),
        ("\"a,,1M,esp", "bad quoting in field 1"),
        ("\"a\"b,,1M,esp", "bad quoting in field 1"),
        ("a,,\"1M\"x,esp", "bad quoting in field 3"),
        ("a\tb,,1M,esp", "control character U+0009"),
        (&format!("{long},,1M,esp"), "has 37 UTF-16 units, a partition name holds 36"),
    ];
    for (line, want) in cases {
        let error = parse(&["ok,,1M,esp", line]).unwrap_err();
        assert!(error.starts_with("line 3: "), "{line}: {error}");
        assert!(error.contains(want), "{line}: {error}");
    }
    // An emoji is two units.
    assert!(parse(&[&format!("{},,1M,esp", "😀".repeat(18))]).is_ok());
    assert!(parse(&[&format!("{},,1M,esp", "😀".repeat(19))]).is_err());
}

#[test]
fn tables_are_refused() {
    assert_eq!(refused("# only\n\n"), "line 3: the table has no partition");
    assert_eq!(refused(""), "line 1: the table has no partition");
    assert_eq!(
        refused("name,start,size,type,uuid\n"),
        "line 1: header is \"name,start,size,type,uuid\", want \"name,start,size,type,uuid,description\""
    );
    assert!(refused(&format!("\u{feff}{COLUMNS}\n")).starts_with("line 1: header"));
    assert_eq!(
        refused(&format!("{COLUMNS}\r\n")),
        "line 1: control character U+000D"
    );
    assert_eq!(
        parse(&["a,,1M,esp", "b,,1M,esp", "a,,1M,esp"]).unwrap_err(),
        "line 4: name \"a\" was given on line 2 already"
    );
    let twice = format!(
        "{COLUMNS}\n#\na,,1M,esp,{ESP},\nb,,1M,esp,{},\n",
        ESP.to_uppercase()
    );
    assert_eq!(
        refused(&twice),
        format!("line 4: uuid {ESP} was given on line 3 already")
    );
    for bad in ["", "b1a0a1c2", "00000000-0000-0000-0000-000000000000"] {
        let error = refused(&format!("{COLUMNS}\na,,1M,esp,{bad},\n"));
        assert!(
            error.starts_with(&format!("line 2: uuid {bad:?} is no GUID")),
            "{error}"
        );
    }
    assert_eq!(
        parse(&["a,,4M,esp", "b,2M,1M,esp"]).unwrap_err(),
        "line 3: partition \"b\" (2097152 to 3145728) overlaps \"a\" of line 2 (1048576 to 5242880) by 1048576 bytes"
    );
    let lines: Vec<String> = (0..129).map(|n| format!("p{n},,1M,esp")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert!(parse(&lines[..128]).is_ok());
    assert_eq!(
        parse(&lines).unwrap_err(),
        "line 130: more than 128 partitions"
    );
}

#[test]
fn fields_as_people_write_them() {
    let table = Table::parse(&format!(
        "# c\n  # c\n{}\n \n a , , 1M , ESP , {ESP} , \"x, \"\"y\"\"\"  \nb,,1M,0FC63DAF-8483-4772-8E79-3D69D8477DE4,{ESP}\n",
        COLUMNS.replace(',', ", ")
    ));
    assert_eq!(table.unwrap_err().to_string(), "line 6: 5 fields, want 6 (name,start,size,type,uuid,description); a description with a comma goes into double quotes");
    let table = Table::parse(&format!(
        "{COLUMNS}\n a , , 1M , ESP , {ESP} , \"x, \"\"y\"\"\"  "
    ));
    let entry = table.unwrap().entries.remove(0);
    assert_eq!(
        (entry.name.as_str(), entry.description.as_str()),
        ("a", "x, \"y\"")
    );
    assert_eq!(entry.line, 2);
}

proptest! {
    #[test]
    fn no_text_panics(text in prop::collection::vec(prop_oneof![
        Just("name,start,size,type,uuid,description\n".to_owned()), Just(",".to_owned()), Just("\"".to_owned()),
        Just("\n".to_owned()), Just(format!("a,,1M,esp,{ESP},")), Just("9223372036854775807s".to_owned()), any::<String>()], 0..12)) {
        let _ = Table::parse(&text.concat());
    }

    #[test]
    fn layouts_hold(sizes in prop::collection::vec((1_u64..9000, prop::option::of(1_u64..40)), 1..20)) {
        let lines: Vec<String> = sizes.iter().enumerate().map(|(n, (sectors, start))| {
            let start = start.map_or_else(String::new, |mib| format!("{mib}M"));
            format!("p{n},{start},{sectors}s,linux")
        }).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        if let Ok(table) = parse(&lines) {
            let layout = table.layout(None).unwrap();
            let mut spans: Vec<(u64, u64)> = layout.partitions.iter().map(|p| (p.start, p.end())).collect();
            spans.sort_unstable();
            prop_assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0));
            prop_assert!(spans.iter().all(|(start, _)| start % MIB == 0 && *start >= MIB));
            let last = spans[spans.len() - 1].1;
            prop_assert!(last + 33 * SECTOR <= layout.disk_size);
            prop_assert_eq!(layout.disk_size % MIB, 0);
            prop_assert!(layout.disk_size - last < MIB + 33 * SECTOR);
            prop_assert_eq!(table.layout(Some(layout.disk_size)).unwrap(), layout);
        } else {
            // Only a stated start can collide.
            prop_assert!(sizes.iter().any(|(_, start)| start.is_some()));
        }
    }
}
