//! What single values may be, in `config.ini` and in `config.json` alike: types that hold nothing else.

use std::fmt;
use std::ops::{Deref, RangeInclusive};

use serde::{Serialize, Serializer};
use serde_json::{json, Value};

use crate::error::Problem;
use crate::part::{read_text, Part, Place};

/// Why a text is not a value: what was wanted instead, to follow `want `.
pub(crate) type Parsed<T> = Result<T, String>;

/// A text that is checked.
macro_rules! text {
    ($(#[doc = $about:literal])* $name:ident, $pattern:literal, $check:expr) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub struct $name(String);

        impl $name {
            /// `text`, or what was wanted instead.
            pub fn parse(text: &str) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), String> = $check;
                check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Part for $name {
            fn schema() -> Value {
                json!({ "type": "string", "pattern": $pattern })
            }

            fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
                read_text(value, place, problems, Self::parse)
            }
        }
    };
}

text!(
    /// A machine's name after RFC 1123: one label or several, at most 64 bytes, which is what the kernel takes.
    HostName,
    "^(?=.{1,64}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
    |text| name(text, 64)
);
text!(
    /// A domain after RFC 1123, at most 253 bytes.
    DomainName,
    "^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
    |text| name(text, 253)
);
text!(
    /// Name of a kind of machine: small letters, digits and hyphens, at most 64.
    NodeType,
    "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$",
    node_type
);
text!(
    /// What a drive is called wherever it is plugged in: its serial number, its WWN, or its name in `/dev/disk/by-id`.
    DriveName,
    "^[!-.0-~]([ -.0-~]{0,126}[!-.0-~])?$",
    drive_name
);

impl Default for NodeType {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

fn name(value: &str, longest: usize) -> Parsed<()> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match value.len() <= longest && value.split('.').all(label) {
        true => Ok(()),
        false => Err(format!(
            "a name of letters, digits and hyphens, at most {longest} bytes"
        )),
    }
}

fn node_type(value: &str) -> Parsed<()> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let ends = !value.starts_with('-') && !value.ends_with('-');
    match !value.is_empty() && value.len() <= 64 && ends && value.bytes().all(plain) {
        true => Ok(()),
        false => Err("a name of small letters, digits and hyphens, at most 64 bytes".to_owned()),
    }
}

const DRIVE: &str = "auto, or a drive's serial number, WWN or name in /dev/disk/by-id";

fn drive_name(value: &str) -> Parsed<()> {
    let printable = value.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if value.is_empty() || value.len() > 128 || !printable || value != value.trim() {
        return Err(format!("{DRIVE}, at most 128 bytes of printable ASCII"));
    }
    if value.contains('/') {
        return Err(format!("{DRIVE}, without its folder"));
    }
    if is_size(value) {
        return Err(format!("{DRIVE}; drives of one size are no rarity"));
    }
    if is_kernel_name(value) {
        return Err(format!(
            "{DRIVE}; the kernel may give this name to another drive at the next start"
        ));
    }
    Ok(())
}

/// `500G`, `1.8 TB`, `960 gib`.
fn is_size(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let unit = lower.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ',');
    let has_number = unit.len() < lower.len() && lower.starts_with(|c: char| c.is_ascii_digit());
    let unit = unit.trim_start();
    has_number
        && unit
            .strip_prefix(['k', 'm', 'g', 't', 'p'])
            .is_some_and(|rest| matches!(rest, "" | "b" | "ib"))
}

/// `sda`, `vdb`, `nvme0n1`, `mmcblk0`: letters that count drives.
fn is_kernel_name(value: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let letters =
        |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase());
    ["sd", "vd", "hd", "xvd"]
        .iter()
        .any(|kind| value.strip_prefix(kind).is_some_and(letters))
        || value.strip_prefix("mmcblk").is_some_and(digits)
        || value
            .strip_prefix("nvme")
            .and_then(|rest| rest.split_once('n'))
            .is_some_and(|(controller, space)| digits(controller) && digits(space))
}

/// A whole number with bounds.
macro_rules! number {
    ($(#[doc = $about:literal])* $name:ident, $least:literal, $most:literal) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub struct $name(u32);

        impl $name {
            /// The least and the most that it may be.
            pub const RANGE: RangeInclusive<u32> = $least..=$most;

            /// `number`, if it is in [`Self::RANGE`].
            pub fn new(number: u32) -> Option<Self> {
                Self::RANGE.contains(&number).then_some(Self(number))
            }

            /// The number.
            pub fn get(self) -> u32 {
                self.0
            }

            pub(crate) fn parse(text: &str) -> Parsed<Self> {
                let number = digits(text).and_then(|number| u32::try_from(number).ok());
                number.and_then(Self::new).ok_or_else(Self::want)
            }

            fn want() -> String {
                format!("a number from {} to {}", $least, $most)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Part for $name {
            fn schema() -> Value {
                json!({ "type": "integer", "minimum": $least, "maximum": $most })
            }

            fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
                let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
                let read = number.and_then(Self::new);
                if read.is_none() {
                    problems.push(place.wrong(value, &Self::want()));
                }
                read
            }
        }
    };
}

number!(
    /// Largest packet in bytes. 1280 is the least that IPv6 runs over (RFC 8200 section 5).
    Mtu,
    1280,
    9216
);
number!(
    /// Memory of a virtual machine in MiB, from 512 MiB to 16 TiB.
    MemoryMib,
    512,
    16_777_216
);
number!(
    /// Processors of a virtual machine.
    Cpus,
    1,
    1024
);

/// Digits and nothing else: no sign, no space.
pub(crate) fn digits(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

pub(crate) fn yes_no(text: &str) -> Parsed<bool> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("yes or no".to_owned()),
    }
}

/// One of a few words; the first is what counts when nothing is said.
macro_rules! words {
    (
        $(#[doc = $about:literal])*
        $name:ident { $(#[doc = $first_about:literal])* $first:ident = $first_word:literal, $( $(#[doc = $comment:literal])* $value:ident = $word:literal, )* }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $(#[doc = $first_about])*
            #[default]
            $first,
            $( $(#[doc = $comment])* $value, )*
        }

        impl $name {
            /// The word for it.
            pub fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_word,
                    $( Self::$value => $word, )*
                }
            }

            pub(crate) fn parse(text: &str) -> Parsed<Self> {
                match text {
                    $first_word => Ok(Self::$first),
                    $( $word => Ok(Self::$value), )*
                    _ => Err(concat!($first_word, $( " or ", $word, )*).to_owned()),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl Part for $name {
            fn schema() -> Value {
                json!({ "type": "string", "enum": [$first_word, $( $word ),*] })
            }

            fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
                read_text(value, place, problems, Self::parse)
            }
        }
    };
}

words!(
    /// What the installer does when it is done.
    AfterInstall {
        /// Start the machine again, from its drive.
        Reboot = "reboot",
        /// Switch the machine off.
        Poweroff = "poweroff",
        /// Stop and leave the screen as it is.
        Halt = "halt",
    }
);
words!(
    /// Which media may replace a configuration once the machine is somebody's.
    Media {
        /// Those that an owner signed.
        Signed = "signed",
        /// Any.
        Any = "any",
    }
);
words!(
    /// How the machine's own data are encrypted.
    DataEncryption {
        /// Not at all.
        None = "none",
        /// With `data.key`, which is stored.
        Key = "key",
        /// With `data.key`, which the machine's TPM keeps.
        Tpm2 = "tpm2",
    }
);

/// The drive that is installed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum DriveChoice {
    /// The one that fits, if it is only one.
    #[default]
    Auto,
    /// This one.
    Named(DriveName),
}

impl DriveChoice {
    pub(crate) fn parse(text: &str) -> Parsed<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            name => DriveName::parse(name).map(Self::Named),
        }
    }
}

impl fmt::Display for DriveChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Named(name) => name.fmt(f),
        }
    }
}

impl Serialize for DriveChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Part for DriveChoice {
    fn schema() -> Value {
        DriveName::schema()
    }

    fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
        read_text(value, place, problems, Self::parse)
    }
}

/// The version of the format of `config.json`. A later one that a reader does not know is refused before the rest is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// `1`.
    #[default]
    V1,
}

impl Format {
    /// The number in the file.
    pub fn number(self) -> u64 {
        match self {
            Self::V1 => 1,
        }
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.number())
    }
}

impl Part for Format {
    fn schema() -> Value {
        json!({ "const": Self::V1.number() })
    }

    fn read(value: &Value, place: &Place, problems: &mut Vec<Problem>) -> Option<Self> {
        if value.as_u64() == Some(Self::V1.number()) {
            return Some(Self::V1);
        }
        problems.push(place.wrong(value, "1, the format that this version reads"));
        None
    }
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
