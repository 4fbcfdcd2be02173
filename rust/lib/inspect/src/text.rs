//! The dump as text: one fact a line, the place first. `docs/formats/imgdump.md` describes it.

use std::io::{self, Write};

use crate::model::{
    BytesDigest, Content, Dump, Entry, Gap, Gpt, Node, Parameter, Partition, Verity,
};
use crate::names::Name;

/// Writes `dump`.
pub fn write(dump: &Dump, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "imgdump {}", dump.imgdump)?;
    writeln!(out, "length {}", dump.length)?;
    if let Some(gpt) = &dump.gpt {
        table(gpt, out)?;
    }
    if let Some(bare) = &dump.content {
        content(bare, "", "", out)?;
    }
    Ok(())
}

fn table(gpt: &Gpt, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "gpt {}", gpt.guid)?;
    writeln!(out, "gpt sector-size {}", gpt.sector_size)?;
    writeln!(out, "gpt usable {} to {}", gpt.first_usable, gpt.end_usable)?;
    writeln!(out, "gpt entries {}", gpt.entries)?;
    for problem in &gpt.problems {
        writeln!(out, "gpt damaged: {problem}")?;
    }
    if gpt.mbr.signature != 0 {
        writeln!(out, "mbr signature {:08x}", gpt.mbr.signature)?;
    }
    if let Some(digest) = gpt.mbr.code {
        writeln!(out, "mbr code sha256:{digest}")?;
    }
    for entry in &gpt.mbr.entries {
        writeln!(
            out,
            "mbr {} type {:02x} status {:02x} start {} sectors {}",
            entry.number, entry.kind, entry.status, entry.start, entry.sectors
        )?;
    }
    gaps(&gpt.gaps, "", out)?;
    for partition in &gpt.partitions {
        header(partition, out)?;
        if let Some(inside) = &partition.content {
            let slot = &partition.slot;
            content(inside, &format!("{slot}: "), &format!("{slot}:"), out)?;
        }
    }
    Ok(())
}

fn header(partition: &Partition, out: &mut dyn Write) -> io::Result<()> {
    let slot = &partition.slot;
    writeln!(
        out,
        "{slot}: partition {} {}",
        partition.number, partition.name
    )?;
    write!(out, "{slot}: type {}", partition.type_guid)?;
    match partition.type_name {
        Some(name) => writeln!(out, " {name}")?,
        None => writeln!(out)?,
    }
    writeln!(out, "{slot}: partuuid {}", partition.uuid)?;
    writeln!(out, "{slot}: start {}", partition.start())?;
    writeln!(out, "{slot}: size {}", partition.size())?;
    if partition.flags != 0 {
        writeln!(out, "{slot}: flags {:#x}", partition.flags)?;
    }
    Ok(())
}

/// `fact` stands in front of facts, `place` in front of paths.
fn content(content: &Content, fact: &str, place: &str, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{fact}content {}", content.kind.as_str())?;
    digest(content.digest, out)?;
    if let Some(format) = content.looks_like {
        write!(out, " {format}?")?;
    }
    writeln!(out)?;
    for (name, value) in &content.parameters {
        writeln!(out, "{fact}{name} {}", parameter(value))?;
    }
    if let Some(digest) = content.rest {
        writeln!(out, "{fact}rest sha256:{digest}")?;
    }
    variables(content.grubenv.as_deref(), fact, out)?;
    if let Some(tree) = &content.verity {
        verity(tree, fact, out)?;
    }
    gaps(&content.gaps, fact, out)?;
    for problem in &content.problems {
        writeln!(out, "{fact}damaged {problem}")?;
    }
    for what in &content.unread {
        writeln!(out, "{fact}not-read {what}")?;
    }
    for entry in &content.entries {
        line(entry, place, out)?;
        if let Node::File(file) = &entry.node {
            let before = format!("{place}{} ", entry.path);
            variables(file.grubenv.as_deref(), &before, out)?;
        }
    }
    Ok(())
}

fn digest(digest: Option<BytesDigest>, out: &mut dyn Write) -> io::Result<()> {
    match digest {
        Some(BytesDigest::Whole(digest)) => write!(out, " sha256:{digest}"),
        Some(BytesDigest::Sparse(digest)) => write!(out, " sparse-sha256:{digest}"),
        None => Ok(()),
    }
}

fn parameter(value: &Parameter) -> String {
    match value {
        Parameter::Number(number) => number.to_string(),
        Parameter::Text(text) => text.clone(),
        Parameter::Name(name) => name.word(),
        Parameter::Time(Some(time)) => time.to_string(),
        Parameter::Time(None) => "never".to_owned(),
        Parameter::Words(words) => words.join(" "),
    }
}

fn variables(
    variables: Option<&[(Name, Name)]>,
    before: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (name, value) in variables.into_iter().flatten() {
        writeln!(out, "{before}grubenv {name}={value}")?;
    }
    Ok(())
}

fn verity(tree: &Verity, fact: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{fact}verity root-hash {}", tree.root_hash)?;
    let salt = if tree.salt.is_empty() {
        "-"
    } else {
        &tree.salt
    };
    writeln!(out, "{fact}verity salt {salt}")?;
    writeln!(out, "{fact}verity uuid {}", tree.uuid)?;
    writeln!(
        out,
        "{fact}verity blocks {} of {}, hashes in blocks of {}",
        tree.data_blocks, tree.data_block_size, tree.hash_block_size
    )?;
    write!(
        out,
        "{fact}verity tree at {} size {}",
        tree.start, tree.size
    )?;
    digest(tree.digest, out)?;
    writeln!(out)?;
    if tree.verified {
        writeln!(out, "{fact}verity verified")?;
    }
    Ok(())
}

fn gaps(gaps: &[Gap], fact: &str, out: &mut dyn Write) -> io::Result<()> {
    for gap in gaps {
        write!(out, "{fact}gap at {} size {}", gap.start, gap.size)?;
        digest(gap.digest, out)?;
        writeln!(out)?;
    }
    Ok(())
}

/// One file.
fn line(entry: &Entry, place: &str, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{place}{} {}", entry.path, entry.node.as_str())?;
    if let Some(attributes) = &entry.attributes {
        if let Some(mode) = attributes.mode {
            write!(out, " {mode:04o}")?;
        }
        if let (Some(uid), Some(gid)) = (attributes.uid, attributes.gid) {
            write!(out, " {uid}:{gid}")?;
        }
        write!(out, " {}", attributes.mtime)?;
    }
    match &entry.node {
        Node::File(file) => {
            write!(out, " {}", file.size)?;
            digest(file.digest, out)?;
        }
        Node::Symlink { target } | Node::Hardlink { target } => write!(out, " -> {target}")?,
        Node::Char { rdev } | Node::Block { rdev } => write!(out, " {}:{}", rdev.0, rdev.1)?,
        Node::Dir | Node::Fifo | Node::Socket => {}
    }
    if let Some(attributes) = &entry.attributes {
        if let Some(flags) = &attributes.flags {
            write!(out, " flags={flags}")?;
        }
        for (name, value) in &attributes.xattrs {
            write!(out, " {name}={value}")?;
        }
    }
    if let Some(damage) = &entry.damage {
        write!(out, " damaged: {damage}")?;
    }
    if let Some(what) = &entry.unread {
        write!(out, " not-read: {what}")?;
    }
    writeln!(out)
}

impl Dump {
    /// How many places are damaged.
    pub fn damage(&self) -> usize {
        let table = self.gpt.as_ref().map_or(0, |gpt| gpt.problems.len());
        let inside = self.counts(|entry| entry.damage.is_some(), |content| &content.problems);
        inside.chain([table]).sum()
    }

    /// How many things in the image are of a kind that is not read here.
    pub fn unread(&self) -> usize {
        let unread = self.counts(|entry| entry.unread.is_some(), |content| &content.unread);
        unread.sum()
    }

    /// Files and texts of each content. They are in memory, so the sum of their numbers is one.
    fn counts(
        &self,
        is: fn(&Entry) -> bool,
        texts: fn(&Content) -> &Vec<String>,
    ) -> impl Iterator<Item = usize> + '_ {
        let partitions = self.gpt.iter().flat_map(|gpt| &gpt.partitions);
        let inside = partitions.filter_map(|partition| partition.content.as_ref());
        let contents = self.content.iter().chain(inside);
        contents.flat_map(move |content| {
            let files = content.entries.iter().filter(|entry| is(entry)).count();
            [files, texts(content).len()]
        })
    }
}
