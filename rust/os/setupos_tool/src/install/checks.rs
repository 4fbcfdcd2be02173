//! The steps of the jobs `look` and `ready`: none of them writes to a drive.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::path::Path;

use base::Hasher;
use os_config::{Card, Document, NetworkConfig, SetupConfig};
use partitions::MIB;
use steps::{Effect, Failure, OnFailure};

use super::formats::{self, Formats};
use super::found::{self, Allowed};
use super::layout::{self, Layout};
use super::source::Source;
use super::table::Table;
use super::{
    age, choose, config_image, kept, missing, network, record, requires, Images, Job, Part, Target,
};
use crate::facts::Drive;
use crate::inspect;

/// Names of the images that are installed.
const HOST: &str = "host-os";
const GUEST: &str = "guest-os";
/// Bytes of a GiB.
const GIB_SHIFT: u32 = 30;

const fn check(
    name: &'static str,
    plan: fn(&Job) -> String,
    run: fn(&mut Job, steps::Progress<'_>) -> Result<Vec<String>, Failure>,
) -> Part {
    Part {
        name,
        effect: Effect::Reads,
        on_failure: OnFailure::GoOn,
        plan,
        run,
    }
}

/// The settings as types, and whether an installation is wanted.
pub(super) const ASKED: Part = check(
    "asked",
    |_| "see whether the settings, or somebody at a console, want an installation".to_owned(),
    |job, _| {
        let medium = job.context.medium.clone();
        // What is wrong with it was said when it was read.
        let Some(medium) = medium else {
            return Ok(Vec::new());
        };
        let setup = SetupConfig::of(&medium.config).map_err(|error| Failure {
            problems: lines(&error),
        })?;
        let net = job.context.system.path("/sys/class/net");
        let card = Card::first(&net).map_err(|error| Failure::new(error.to_string()))?;
        let host = match card {
            Some(card) => setup.host.on_machine(card.mac),
            None => setup.host.clone(),
        };
        let config = medium
            .config
            .hand_over(&Document::Host(Box::new(host)))
            .map_err(|error| Failure {
                problems: lines(&error),
            })?;
        let unattended = setup.install.unattended;
        job.host_config = Some(config);
        job.setup = Some(setup);
        match (job.options.asked, unattended) {
            (true, _) => Ok(vec!["asked for at a console".to_owned()]),
            (false, true) => Ok(vec!["unattended=yes".to_owned()]),
            (false, false) => Err(Failure::new(
                "nobody asked for an installation: unattended=yes in config.ini, or --asked",
            )),
        }
    },
);

/// What a step says that has nothing to look at, since a step before it failed and said why.
fn not_looked(what: &str) -> Result<Vec<String>, Failure> {
    Ok(vec![format!("not looked at: {what} is not known")])
}

fn lines(error: &os_config::Error) -> Vec<String> {
    let each = error.problems();
    each.iter()
        .map(|(path, problem)| problem.at(path))
        .collect()
}

pub(super) const AGE: Part = check(
    "age",
    |_| "compare the clock with the day on which this medium expires".to_owned(),
    |job, _| {
        let expires = job.context.properties.get(age::EXPIRES);
        let note = age::now().and_then(|now| age::age(expires, now));
        note.map(|note| vec![note]).map_err(Failure::new)
    },
);

pub(super) const TIME: Part = check(
    "time",
    |job| {
        let file = job.context.system.path(&job.context.places.version_file);
        format!("compare the clock with the time of {}", file.display())
    },
    |job, _| {
        let file = job.context.system.path(&job.context.places.version_file);
        let note = age::now().and_then(|now| age::clock(&file, now));
        note.map(|note| vec![note]).map_err(Failure::new)
    },
);

pub(super) const HARDWARE: Part = check(
    "hardware",
    |job| {
        let file = job.context.system.path(&job.options.node_types);
        format!("compare the machine with {}", file.display())
    },
    |job, _| {
        let Some(setup) = &job.setup else {
            return not_looked("the type of machine");
        };
        let path = job.context.system.path(&job.options.node_types);
        let node_type = setup.install.node_type.to_string();
        let requires = requires::read(&path, &node_type).map_err(Failure::new)?;
        let machine = &job.context.facts.machine;
        let (problems, mut notes) = requires::check(&requires, machine, &job.context.system);
        job.requires = Some(requires);
        notes.insert(0, format!("node_type={node_type}"));
        Failure::unless_none(problems, notes)
    },
);

pub(super) const LINK: Part = check(
    "link",
    |job| {
        let ask = "ask gateways and name servers of the machine to be whether they are there";
        match job.requires.as_ref().is_some_and(|r| r.network) {
            true => format!(
                "wait up to {} s for a link and addresses, and {ask}",
                network::LIMIT.as_secs()
            ),
            false => ask.to_owned(),
        }
    },
    |job, _| {
        let Some(setup) = &job.setup else {
            return not_looked("the network that is wanted");
        };
        let needed = job.requires.as_ref().is_some_and(|r| r.network);
        let context = &mut job.context;
        let late = match needed {
            true => wait_for_network(context, &setup.host.network),
            false => None,
        };
        let cards = &context.facts.network;
        let (problems, mut notes) = network::check(&context.system, &setup.host.network, cards);
        notes.extend(late);
        if needed {
            return Failure::unless_none(problems, notes);
        }
        notes.extend(problems);
        Ok(notes)
    },
);

/// Waits until the machine has a link and the addresses that it is to have. What is missing after that is told.
fn wait_for_network(
    context: &mut crate::inspect::Context,
    network: &NetworkConfig,
) -> Option<String> {
    let late = network::wait(network::LIMIT, || {
        inspect::look_at_network(context);
        let cards = &context.facts.network;
        network::missing(&context.system, network, cards)
    });
    late.map(|missing| {
        let seconds = network::LIMIT.as_secs();
        format!("waited {seconds} s for the network: {missing}")
    })
}

pub(super) const DRIVE: Part = check(
    "drive",
    |job| match &job.setup {
        Some(setup) => format!("choose the drive by drive={}", setup.install.drive),
        None => "choose the drive by the settings".to_owned(),
    },
    |job, _| {
        let (Some(images), Some(setup)) = (open_images(job)?, &job.setup) else {
            return not_looked("what goes where");
        };
        let least = least(job, &images).map_err(Failure::new)?;
        let drives = &job.context.facts.drives;
        let drive = choose::choose(drives, &setup.install.drive, least)
            .map_err(|problems| Failure { problems })?
            .clone();
        let path = job.context.system.path(format!("/dev/{}", drive.name));
        let allowed = Allowed {
            erase: setup.install.erase,
            keep_data: setup.install.keep_data,
        };
        let shown = choose::shown(&drive);
        let in_front = |text: String| Failure::new(format!("{shown}: {text}"));
        job.request = request(job, &drive);
        let (mut layout, found) = found_on(&path, &images).map_err(in_front)?;
        let marked = marked(&found);
        job.done_before = is_done(job, &found);
        let decision = match job.done_before {
            true => found::Decision {
                note: "this medium installed just that on it before".to_owned(),
                ..found::Decision::default()
            },
            false => found::decide(found, allowed, &layout).map_err(in_front)?,
        };
        layout.keep = decision.keep.clone();
        let mut notes = vec![format!("{shown}: {}", decision.note)];
        notes.extend(kept_fits(job, &path, &layout).map_err(in_front)?);
        let said = formats::kept(&path, &mut layout, marked).map_err(in_front)?;
        let (mut problems, remarks) = said
            .judge(&images, job.options.any_data_format)
            .map_err(Failure::new)?;
        for problem in &mut problems {
            problem.insert_str(0, &format!("{shown}: "));
        }
        notes.extend(remarks);
        // Nothing is written if it does not fit.
        layout.mark().map_err(in_front)?;
        let (in_the_way, remarks) = others(job, &drive, &images.host_table);
        problems.extend(in_the_way);
        notes.extend(remarks);
        job.images = Some(images);
        job.target = Some(Target {
            drive,
            path,
            layout,
            decision,
        });
        Failure::unless_none(problems, notes)
    },
);

/// How many bytes a drive must have: room for both images, and what the type of machine requires.
fn least(job: &Job, images: &Images) -> Result<u64, String> {
    let least = layout::least(&images.host_table, &images.guest_table)?;
    let Some(requires) = &job.requires else {
        return Ok(least);
    };
    let wanted = requires.drive_gib.checked_shl(GIB_SHIFT);
    let fits = wanted.filter(|bytes| bytes >> GIB_SHIFT == requires.drive_gib);
    let wanted =
        fits.ok_or_else(|| format!("drive_gib {}: more than all drives", requires.drive_gib))?;
    Ok(least.max(wanted))
}

/// What is wrong with the drives that are not installed to, and remarks on them. All installations have the same partition identifiers: of two in
/// one machine, the system that starts takes one's boot loader and another's partitions.
fn others(job: &Job, chosen: &Drive, host: &Table) -> (Vec<String>, Vec<String>) {
    let mut problems = Vec::new();
    let mut remarks = Vec::new();
    let drives = job.context.facts.drives.iter();
    for drive in drives.filter(|drive| !drive.own && drive.name != chosen.name) {
        let path = job.context.system.path(format!("/dev/{}", drive.name));
        let shown = choose::shown(drive);
        match installation_on(&path, host) {
            Ok(None) => {}
            Ok(Some(what)) => problems.push(format!(
                "{shown}: it has {what}, too, and partitions of both would be taken for each other: take this drive out, or erase its first and last MiB, or install to it in place of {} by drive=",
                chosen.name
            )),
            Err(error) => remarks.push(format!(
                "{shown}: whether it has an installation of ours is not known: {error}"
            )),
        }
    }
    (problems, remarks)
}

/// The drive at `path`, and how many bytes it has.
fn measured(path: &Path) -> Result<(File, u64), String> {
    let mut file = File::open(path).map_err(|error| format!("cannot open it: {error}"))?;
    let size = file.seek(SeekFrom::End(0));
    let size = size.map_err(|error| format!("cannot read it: {error}"))?;
    Ok((file, size))
}

fn installation_on(path: &Path, host: &Table) -> Result<Option<&'static str>, String> {
    let (file, size) = measured(path)?;
    found::installation(&file, size, host)
}

/// Whether HostOS will read what `layout` keeps on the drive at `path`, with the key that it is told.
fn kept_fits(job: &Job, path: &Path, layout: &Layout) -> Result<Option<String>, String> {
    if layout.keep.is_empty() {
        return Ok(None);
    }
    let medium = job.context.medium.as_ref();
    let key = medium.and_then(|medium| medium.config.data_key.as_ref());
    let file = File::open(path).map_err(|error| format!("cannot open it: {error}"))?;
    kept::check(&job.context.system, &file, &layout.host_data()?, key)
}

/// What an installation that was cut off said of the data that it keeps.
fn marked(found: &found::Found) -> Option<Formats> {
    match found {
        found::Found::UnderWay(mark) => Some(mark.formats.clone()),
        _ => None,
    }
}

/// What is on the drive at `path`, and what becomes of it.
pub(super) fn decide(
    path: &Path,
    images: &Images,
    allowed: Allowed,
) -> Result<(Layout, found::Decision), String> {
    let (mut layout, found) = found_on(path, images)?;
    let marked = marked(&found);
    let decision = found::decide(found, allowed, &layout)?;
    layout.keep = decision.keep.clone();
    formats::kept(path, &mut layout, marked)?;
    Ok((layout, decision))
}

fn found_on(path: &Path, images: &Images) -> Result<(Layout, found::Found), String> {
    let (file, size) = measured(path)?;
    let layout = Layout::new(&images.host_table, &images.guest_table, size)?;
    let found = found::look(&file, &layout, &images.host_table, &images.guest_table)?;
    Ok((layout, found))
}

/// Whether this medium installed just that, and nobody asks for it again: a machine whose firmware starts the medium first would
/// install itself for ever.
fn is_done(job: &Job, found: &found::Found) -> bool {
    let dir = job.context.system.path(&job.context.places.config);
    let request = job.request.as_ref().filter(|_| !job.options.asked);
    matches!(found, found::Found::Ours(_))
        && request.is_some_and(|request| record::was_done(&dir, request))
}

/// Opens both images and reads their tables; none if one is missing, which was said when it was looked for.
fn open_images(job: &Job) -> Result<Option<Images>, Failure> {
    let dir = job.context.system.path(&job.context.places.data);
    let mut problems = Vec::new();
    let mut open = |name: &str| {
        let image = job.context.facts.images.iter().find(|i| i.name == name);
        let image = image?;
        let opened = Source::open(&dir.join(&image.file)).and_then(|source| {
            let table = Table::of_image(&source);
            let table = table.map_err(|error| format!("{}: {error}", source.name))?;
            Ok((source, table))
        });
        opened.map_err(|problem| problems.push(problem)).ok()
    };
    match (open(HOST), open(GUEST)) {
        (Some((host, host_table)), Some((guest, guest_table))) => Ok(Some(Images {
            host,
            guest,
            host_table,
            guest_table,
        })),
        _ if problems.is_empty() => Ok(None),
        _ => Err(Failure { problems }),
    }
}

/// What stands for an installation of these images with these settings on this drive. None if it is not known.
fn request(job: &Job, drive: &Drive) -> Option<base::Sha256Digest> {
    let medium = job.context.medium.as_ref()?;
    let mut hasher = Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&base::as_u64(bytes.len()).to_le_bytes());
        hasher.update(bytes);
    };
    for (path, bytes) in medium.config.files() {
        add(path.as_os_str().as_encoded_bytes());
        add(bytes);
    }
    for image in &job.context.facts.images {
        add(image.name.as_bytes());
        add(image.fsverity.as_bytes());
    }
    for name in [&drive.serial, &drive.wwn] {
        add(name.as_deref().unwrap_or_default().as_bytes());
    }
    add(&drive.size?.to_le_bytes());
    Some(hasher.finish())
}

pub(super) const MEDIUM: Part = Part {
    name: "medium",
    effect: Effect::Writes,
    on_failure: OnFailure::Stop,
    plan: |job| {
        let dir = job.context.system.path(&job.context.places.config);
        format!("see whether {} takes the result", dir.display())
    },
    run: |job, _| {
        let begun = record::begin(&job.context.system, &job.context.places.config);
        match begun {
            Ok(()) => Ok(Vec::new()),
            Err(error) if job.would_repeat() => Err(Failure::new(format!(
                "the result can't be kept on this medium: {error}; an unattended installation with erase=yes or keep_data=yes would be done again at each start: take the write protection off, or take both settings off and clear the drive beforehand, or type install at a console"
            ))),
            Err(error) => Ok(vec![format!(
                "the result can't be kept on this medium: {error}"
            )]),
        }
    },
};

pub(super) const PREPARE: Part = Part {
    name: "prepare",
    effect: Effect::Reads,
    on_failure: OnFailure::Stop,
    plan: |job| {
        let at = job.context.system.path(&job.options.work_dir);
        format!(
            "make the file system of HostOS's partition config in {}",
            at.display()
        )
    },
    run: |job, _| {
        let target = job.target.as_ref().ok_or_else(|| missing("the drive"))?;
        let config = job
            .host_config
            .as_ref()
            .ok_or_else(|| missing("what HostOS is told"))?;
        let placed = target.layout.host.layout.get("config");
        let uuid = placed.map(|placed| placed.partition.uuid);
        let uuid = uuid.ok_or_else(|| missing("partition config"))?;
        let at = job.context.system.path(&job.options.work_dir);
        let len = layout::length(&target.layout.config);
        let image = config_image::make(&job.context.system, &at, config, len, uuid);
        job.config = Some(image.map_err(Failure::new)?);
        let keys = job.context.facts.config.ssh_keys.get(os_config::OWNER);
        let note = match keys {
            Some(count) if *count > 0 => format!("{} MiB, keys of admin: {count}", len / MIB),
            _ => "no key of admin: nobody can log in over the network".to_owned(),
        };
        Ok(vec![note])
    },
};

/// Opens the drive for writing, for nobody but us.
pub(super) fn open_drive(path: &Path) -> Result<File, String> {
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    let cannot = |error| format!("{}: cannot open it for writing: {error}", path.display());
    let meta = std::fs::metadata(path).map_err(cannot)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    if meta.file_type().is_block_device() {
        // open(2): of a block device, fails if it is mounted or otherwise in use.
        options.custom_flags(nix::fcntl::OFlag::O_EXCL.bits());
    }
    options.open(path).map_err(cannot)
}
