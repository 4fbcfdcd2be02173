//! `treecmp`: compares the trees in two tar archives entry by entry.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, bail, ensure, Context, Result};
use archive::{Entry, Kind, Piece};
use base::{as_usize, past, Hasher, Sha256Digest};

/// Compares two tar archives as trees: path, type, mode, owner, link target, device, content, names of one file, and
/// extended attributes. Order, padding and (unless asked for) times do not count. Exit status 1 if they differ.
#[derive(clap::Parser)]
#[command(name = "treecmp")]
struct Args {
    /// The tree that is right.
    #[arg(long)]
    want: PathBuf,
    /// The tree to check.
    #[arg(long)]
    got: PathBuf,
    /// Compare modification times (seconds), too.
    #[arg(long)]
    times: bool,
    /// Leave out this path and everything below it; `PATH/` leaves out what is below it only.
    #[arg(long, value_name = "PATH")]
    ignore: Vec<String>,
    /// Name at most so many differences.
    #[arg(long, default_value_t = 50)]
    max: usize,
}

fn main() -> ExitCode {
    cli::run("treecmp", |args: Args| run(&args))
}

fn run(args: &Args) -> Result<()> {
    let (want, got) = (load(&args.want, args)?, load(&args.got, args)?);
    let paths: BTreeSet<&String> = want.keys().chain(got.keys()).collect();
    let mut differences = Vec::new();
    for path in paths {
        // Some archivers have no entry for the root.
        if path.is_empty() && want.contains_key(path) != got.contains_key(path) {
            continue;
        }
        match (want.get(path), got.get(path)) {
            (Some(want), Some(got)) if want == got => {}
            (Some(want), Some(got)) => differences.push(format!("/{path}: {}", changed(want, got))),
            (Some(want), None) => differences.push(format!("/{path}: missing, wanted {want:?}")),
            (None, Some(got)) => differences.push(format!("/{path}: unexpected, got {got:?}")),
            (None, None) => {}
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    let mut text = format!("{} of {} entries differ", differences.len(), want.len());
    for difference in differences.iter().take(args.max) {
        write!(text, "\n  {difference}")?;
    }
    if differences.len() > args.max {
        text.push_str("\n  …");
    }
    bail!(text)
}

/// What counts of an entry, each with a name.
type Facts = BTreeMap<&'static str, String>;

fn changed(want: &Facts, got: &Facts) -> String {
    let names: BTreeSet<_> = want.keys().chain(got.keys()).collect();
    let absent = "none".to_owned();
    let show = |name: &&&str| {
        let (want, got) = (
            want.get(**name).unwrap_or(&absent),
            got.get(**name).unwrap_or(&absent),
        );
        (want != got).then(|| format!("{name} {got}, wanted {want}"))
    };
    names.iter().filter_map(show).collect::<Vec<_>>().join("; ")
}

fn load(path: &Path, args: &Args) -> Result<BTreeMap<String, Facts>> {
    let open = || File::open(path).with_context(|| format!("cannot read {}", path.display()));
    let entries = archive::index(BufReader::new(open()?))
        .with_context(|| format!("in {}", path.display()))?;
    let mut file = open()?;
    // File -> all its names.
    let mut names: BTreeMap<&[u8], BTreeSet<&[u8]>> = BTreeMap::new();
    for entry in &entries {
        if let Kind::HardLink { target } = &entry.kind {
            names
                .entry(target)
                .or_default()
                .extend([target.as_slice(), &entry.path]);
        }
    }
    let by_path: BTreeMap<&[u8], &Entry> = entries
        .iter()
        .map(|entry| (entry.path.as_slice(), entry))
        .collect();
    let mut tree = BTreeMap::new();
    for entry in &entries {
        let shown = entry.path.escape_ascii().to_string();
        if args.ignore.iter().any(|ignore| is_ignored(&shown, ignore)) {
            continue;
        }
        let real = match &entry.kind {
            Kind::HardLink { target } => *by_path
                .get(target.as_slice())
                .ok_or_else(|| anyhow!("hard link {shown} to a missing file"))?,
            _ => entry,
        };
        let mut facts = facts(real, &mut file)?;
        if args.times {
            facts.insert("time", real.mtime.to_string());
        }
        if let Some(names) = names.get(real.path.as_slice()) {
            // All of them once: a file may have thousands.
            let text = match names.first() {
                Some(first) if **first != *entry.path => first.escape_ascii().to_string(),
                _ => {
                    let names = names.iter().map(|name| name.escape_ascii().to_string());
                    names.collect::<Vec<_>>().join(" = ")
                }
            };
            facts.insert("names", text);
        }
        tree.insert(shown, facts);
    }
    Ok(tree)
}

fn is_ignored(path: &str, ignore: &str) -> bool {
    let ignore = ignore.trim_start_matches('/');
    match ignore.strip_suffix('/') {
        Some(_) => path.starts_with(ignore),
        None => path
            .strip_prefix(ignore)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    }
}

fn facts(entry: &Entry, file: &mut File) -> Result<Facts> {
    let mut facts = Facts::new();
    let kind = match &entry.kind {
        Kind::File { offset, len } => {
            let whole = Piece {
                at: 0,
                len: *len,
                offset: *offset,
            };
            let digest = digest(file, &[whole])?;
            facts.insert("content", format!("{len} bytes {digest}"));
            "file".to_owned()
        }
        Kind::Sparse { len, pieces } => {
            let digest = digest(file, pieces)?;
            facts.insert("content", format!("{len} bytes {digest}"));
            "file".to_owned()
        }
        Kind::Dir => "directory".to_owned(),
        Kind::Symlink { target } => {
            facts.insert("target", target.escape_ascii().to_string());
            "link".to_owned()
        }
        other => format!("{other:?}"),
    };
    facts.insert("type", kind);
    // Modes of links mean nothing, and archivers differ in what they write.
    if !matches!(entry.kind, Kind::Symlink { .. }) {
        facts.insert("mode", format!("{:04o}", entry.mode));
    }
    facts.insert("owner", format!("{}:{}", entry.uid, entry.gid));
    for (name, value) in &entry.xattrs {
        let text = facts.entry("attributes").or_default();
        write!(text, "{}={} ", name.escape_ascii(), value.escape_ascii())?;
    }
    Ok(facts)
}

/// A digest of a file's blocks that are not zeros, each with its place: the same whether or not zeros are holes.
fn digest(file: &mut File, pieces: &[Piece]) -> Result<Sha256Digest> {
    let mut hasher = Hasher::new();
    let mut block = (0, Vec::new());
    let mut put = |(number, bytes): &(u64, Vec<u8>)| {
        // Zeros at its end are a hole in another archive.
        if let Some(last) = bytes.iter().rposition(|b| *b != 0) {
            hasher.update(&number.to_le_bytes());
            hasher.update(bytes.get(..=last).unwrap_or(bytes));
        }
    };
    let mut chunk = Vec::new();
    for piece in pieces {
        file.seek(SeekFrom::Start(piece.offset))?;
        let mut data = file.by_ref().take(piece.len);
        let mut at = piece.at;
        loop {
            let (number, into) = (at / BLOCK, at % BLOCK);
            chunk.clear();
            let mut rest = data.by_ref().take(BLOCK.abs_diff(into));
            if rest.read_to_end(&mut chunk)? == 0 {
                break;
            }
            if number != block.0 {
                put(&block);
                block = (number, Vec::new());
            }
            block.1.resize(as_usize(into), 0);
            block.1.extend_from_slice(&chunk);
            at = past(at, chunk.len());
        }
        ensure!(data.limit() == 0, "the archive ends within a file");
    }
    put(&block);
    Ok(hasher.finish())
}

const BLOCK: u64 = 4096;
