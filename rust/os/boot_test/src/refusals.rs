//! Bundles that a node must not take: each is refused before the first write to a slot, or to what chooses one.

use std::path::PathBuf;

use anyhow::{ensure, Context, Result};
use update::{Manifest, SigningKey};
use vm::{Drive, Shell};

use crate::bundle::Bundle;
use crate::feed::{Feed, Way};
use crate::forge::{forge, Signer};
use crate::node::Node;
use crate::report::Report;
use crate::Setting;

/// What a refusal leaves alone.
const LEFT_ALONE: [&str; 6] = ["esp", "grub", "A_boot", "A_root", "B_boot", "B_root"];

/// What is changed in a manifest before it is signed with the right key: name, change, and what it is refused with.
type Forged = (&'static str, fn(&mut Manifest) -> Result<()>, &'static str);

const FORGED: [Forged; 4] = [
    (
        "a bundle of another system",
        |manifest| {
            manifest.os = "hostos".to_owned();
            Ok(())
        },
        "os hostos",
    ),
    (
        "a bundle of another env",
        |manifest| {
            manifest.env = "prod".to_owned();
            Ok(())
        },
        "env prod",
    ),
    (
        "an older version",
        |manifest| {
            manifest.version = "0.0.1".parse()?;
            Ok(())
        },
        "is older than",
    ),
    (
        "an expired bundle",
        |manifest| {
            manifest.expires = Some("2020-01-01".parse()?);
            Ok(())
        },
        "expired at",
    ),
];

/// Ways in which a network hands out a bundle that is not right any more.
const WAYS: &[Way] = &[Way::Short, Way::Longer];

/// What is no bundle, or not the one that was meant: arguments of upgrade-install, and what they are refused with.
const JUNK: [(&str, &str, &str); 2] = [
    ("junk", "/opt/ic/bin/manageboot", ""),
    (
        "a bundle of another digest",
        "/dev/vdb --sha256 0000000000000000000000000000000000000000000000000000000000000000",
        "SHA-256",
    ),
];

/// The first drive behind the machine's own and the bundle.
const FIRST: u8 = b'c';

/// What is refused: name, arguments of upgrade-install, and a part of what it says.
#[derive(Debug)]
pub(crate) struct Refusals {
    drives: Vec<PathBuf>,
    refused: Vec<(&'static str, String, &'static str)>,
    _feed: Option<Feed>,
}

impl Refusals {
    /// What can be made of the bundle, with the key if there is one.
    pub(crate) fn new(
        bundle: &Bundle,
        key: Option<&SigningKey>,
        setting: &Setting,
    ) -> Result<Self> {
        let refused = JUNK.map(|(name, arguments, want)| (name, arguments.to_owned(), want));
        let mut all = Self {
            drives: Vec::new(),
            refused: refused.to_vec(),
            _feed: None,
        };
        let Some(key) = key else { return Ok(all) };
        let folder = setting.scratch.path();
        let mut add = |name: &'static str, list: PathBuf, want| {
            let letter = u8::try_from(all.drives.len()).ok();
            let letter = letter.and_then(|number| FIRST.checked_add(number));
            let letter = letter.context("there are few bundles")?;
            all.refused
                .push((name, format!("/dev/vd{}", char::from(letter)), want));
            all.drives.push(list);
            Ok::<_, anyhow::Error>(())
        };
        let unsigned = forge(bundle, "unsigned", Signer::Nobody, &|_| Ok(()), folder)?;
        add("an unsigned bundle", unsigned, "signed by")?;
        let other = forge(bundle, "impostor", Signer::Impostor, &|_| Ok(()), folder)?;
        add(
            "a bundle signed with another key",
            other,
            "the signature of key",
        )?;
        for (number, (name, change, want)) in FORGED.into_iter().enumerate() {
            let list = format!("forged{number}");
            let list = forge(bundle, &list, Signer::Key(key), &change, folder)?;
            add(name, list, want)?;
        }
        let feed = Feed::start(&bundle.path, WAYS)?;
        for (number, (name, want)) in [
            ("a bundle cut short", "cut short"),
            ("a bundle with one byte more", "longer than it was made"),
        ]
        .into_iter()
        .enumerate()
        {
            all.refused.push((name, feed.url(number), want));
        }
        all._feed = Some(feed);
        Ok(all)
    }

    /// The bundles that are drives of the guest.
    pub(crate) fn drives(&self) -> impl Iterator<Item = Drive> + '_ {
        let drives = self.drives.iter();
        drives.map(|list| Drive::image(list).throw_away(true))
    }

    /// Tries them all. What was written before goes to the disk first: it is nobody's who is refused.
    pub(crate) fn check(
        &self,
        shell: &Shell<'_>,
        node: &Node<'_>,
        setting: &Setting,
        report: &mut Report,
    ) {
        let synced = shell.run("sync", setting.within(60)).map(drop);
        report.check("all is on the disk before the first bundle", synced);
        for (name, arguments, want) in &self.refused {
            let moment = node.moment();
            let outcome = refuses(shell, arguments, want, setting)
                .and_then(|()| node.untouched_since(moment, &LEFT_ALONE));
            report.check(&format!("{name} is refused, and nothing written"), outcome);
        }
    }
}

/// upgrade-install with these arguments fails with `want`; what was to be written is on the disk then.
fn refuses(shell: &Shell<'_>, arguments: &str, want: &str, setting: &Setting) -> Result<()> {
    let command = format!("manageboot upgrade-install {arguments}; s=$?; sync; exit $s");
    let output = shell.run(&command, setting.within(120))?;
    ensure!(
        output.status == 1 && output.text.contains(want),
        "`{command}` gave status {} and `{}`, want 1 and `{want}`",
        output.status,
        output.text
    );
    Ok(())
}
