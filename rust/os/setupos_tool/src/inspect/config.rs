//! The CONFIG medium: where it is, whether it has its label, and everything that is wrong with its files.

use std::path::Path;

use ::inspect::Volume;
use plan::Reader;
use steps::Failure;

use super::{Context, Look};
use crate::block::{self, Partition};
use crate::system::System;

/// Name of the step.
pub(crate) const CONFIG: &str = "config";
/// The label that the volume must have.
const LABEL: &str = "CONFIG";
/// The files of which there is one.
const MAINS: [&str; 2] = [os_config::CONFIG_INI, os_config::CONFIG_JSON];
/// Name of its partition in the partition table.
const PARTITION: &str = "config";

pub(super) const STEP: Look = Look {
    name: CONFIG,
    plan: |context| {
        let dir = context.system.path(&context.places.config);
        format!(
            "read {}/config.ini and ssh_authorized_keys, and the volume's label",
            dir.display()
        )
    },
    run: |context, _| inspect(context),
};

fn inspect(context: &mut Context) -> Result<Vec<String>, Failure> {
    let place = context.places.config.clone();
    let dir = context.system.path(&place);
    let mut problems = Vec::new();
    if block::is_mounted(&context.system, &place) {
        problems.extend(label(context, &place));
    } else if !MAINS.iter().any(|name| dir.join(name).exists()) {
        return Err(Failure::new(absent(&context.system, &dir)));
    }
    problems.extend(files(context, &dir));
    let config = &mut context.facts.config;
    config.valid = problems.is_empty();
    let nothing = config.settings.is_empty() && config.ssh_keys.is_empty();
    let note = nothing.then(|| {
        let file = dir.join(os_config::CONFIG_INI);
        format!(
            "{} sets nothing and there are no keys: defaults",
            file.display()
        )
    });
    Failure::unless_none(problems, note.into_iter().collect())
}

/// What is wrong with the label of the volume mounted at `place`.
fn label(context: &mut Context, place: &Path) -> Option<String> {
    let device = block::mounted(&context.system, place)?;
    let dir = context.system.path(place);
    let found = look(&context.system, &device);
    let problem = match &found {
        Ok(volume) if is_ours(volume) => None,
        Ok(volume) => Some(format!(
            "{}: mounted from {device}, which {}",
            dir.display(),
            wanted(volume)
        )),
        Err(error) => Some(format!("{device}: {error}")),
    };
    let config = &mut context.facts.config;
    config.device = Some(device);
    if let Ok(Volume::Fat(label)) = found {
        config.label = label.map(|label| label.word());
    }
    problem
}

/// What is on `device`, or why it can't be read.
fn look(system: &System, device: &str) -> Result<Volume, String> {
    let image = Reader::open_any(&system.path(format!("/dev/{device}")));
    let image = image.map_err(|error| match error {
        plan::Error::Io { source, .. } => source.to_string(),
        error => cli::chain(&error),
    })?;
    ::inspect::volume(&image).map_err(|error| cli::chain(&error))
}

fn is_ours(volume: &Volume) -> bool {
    matches!(volume, Volume::Fat(Some(label)) if label.0 == LABEL.as_bytes())
}

/// As a part of a sentence: what came and what was wanted.
fn wanted(volume: &Volume) -> String {
    match volume {
        Volume::Fat(Some(label)) => {
            format!(
                "is a FAT volume labelled {:?}, want the label {LABEL}",
                label.word()
            )
        }
        Volume::Fat(None) => format!("is a FAT volume without a label, want the label {LABEL}"),
        Volume::Other(Some(what)) => {
            format!("holds {what}, want a FAT volume labelled {LABEL}")
        }
        Volume::Other(None) => format!("is no FAT volume, want one labelled {LABEL}"),
    }
}

/// Why nothing is mounted at `dir`, as well as the block devices tell.
fn absent(system: &System, dir: &Path) -> String {
    let dir = dir.display();
    let mut candidate = None;
    let mut seen = Vec::new();
    for disk in block::drives(system) {
        let mut volumes = block::partitions(system, &disk);
        if volumes.is_empty() {
            let (device, name) = (disk, None);
            volumes.push(Partition { device, name });
        }
        for Partition { device, name } in volumes {
            let volume = match look(system, &device) {
                Ok(volume) => volume,
                Err(error) => {
                    seen.push(format!("{device} ({error})"));
                    continue;
                }
            };
            if is_ours(&volume) {
                return format!("{dir}: nothing is mounted here, although {device} is labelled {LABEL}: it does not mount");
            }
            if name.as_deref() == Some(PARTITION) {
                candidate = Some(format!(
                    "{dir}: no volume labelled {LABEL}: partition {PARTITION} ({device}) {}",
                    wanted(&volume)
                ));
            }
            seen.push(device);
        }
    }
    match candidate {
        Some(text) => text,
        None if seen.is_empty() => {
            format!("{dir}: no volume labelled {LABEL}, and no drive is seen")
        }
        None => format!(
            "{dir}: no volume labelled {LABEL}; looked at {}",
            seen.join(", ")
        ),
    }
}

/// Everything that is wrong with the files in `dir`; what is right goes to the facts.
fn files(context: &mut Context, dir: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let read = os_config::Medium::read(dir).and_then(|medium| {
        let right = medium.config.check_for(os_config::Kind::Setup, dir);
        right.map(|()| medium)
    });
    match read {
        Ok(medium) => {
            let read = medium.config.clone();
            context.medium = Some(medium);
            let config = &mut context.facts.config;
            config.settings = read.settings.pairs.into_iter().collect();
            let keys = read.keys.into_iter();
            config.ssh_keys = keys
                .map(|(user, keys)| (user.to_owned(), keys.keys.len()))
                .collect();
        }
        Err(error) => {
            let each = error.problems();
            problems.extend(each.iter().map(|(path, problem)| problem.at(path)));
        }
    }
    problems
}
