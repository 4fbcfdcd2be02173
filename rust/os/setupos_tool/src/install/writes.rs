//! The steps of the job `write`.

use direct::{Medium, Partition};
use steps::{Effect, Failure, OnFailure, Progress};

use super::found::Allowed;
use super::layout::Piece;
use super::work::{total, Work};
use super::{checks, choose, efi, missing, Job, Part};
use crate::inspect::Context;
use crate::system::System;

const fn write(
    name: &'static str,
    plan: fn(&Job) -> String,
    run: fn(&mut Job, Progress<'_>) -> Result<Vec<String>, Failure>,
) -> Part {
    Part {
        name,
        effect: Effect::Writes,
        on_failure: OnFailure::Stop,
        plan,
        run,
    }
}

/// All that is written, by what comes from where.
struct Pieces<'a> {
    wiped: Vec<Piece<'a>>,
    host: Vec<Piece<'a>>,
    guest: Vec<Piece<'a>>,
    config: Vec<Piece<'a>>,
}

/// The drive, at work.
struct At<'a> {
    work: Work<'a, Partition>,
    pieces: Pieces<'a>,
}

/// Takes `job` apart for a step that writes.
fn at<'a>(job: &'a Job, name: &'a str) -> Result<At<'a>, Failure> {
    let target = job.target.as_ref().ok_or_else(|| missing("the drive"))?;
    let images = job
        .images
        .as_ref()
        .ok_or_else(|| missing("what is to be installed"))?;
    let config = job
        .config
        .as_ref()
        .ok_or_else(|| missing("what HostOS is told"))?;
    let drive = job
        .drive
        .as_ref()
        .ok_or_else(|| missing("the open drive"))?;
    let layout = &target.layout;
    Ok(At {
        work: Work {
            drive,
            name,
            layout,
        },
        pieces: Pieces {
            wiped: layout.wiped(),
            host: layout.host_pieces(&images.host),
            guest: layout.guest_pieces(&images.guest),
            config: layout.config_pieces(config),
        },
    })
}

/// A progress that counts up to `of`.
fn counting<'a>(of: u64, progress: Progress<'a>) -> impl FnMut(u64) + 'a {
    let mut done = 0_u64;
    move |more| {
        // For show: what is written is no more than the drive has.
        done = done.saturating_add(more);
        progress(done, of);
    }
}

fn drive_name(job: &Job) -> String {
    match &job.target {
        Some(target) => target.path.display().to_string(),
        None => "the chosen drive".to_owned(),
    }
}

pub(super) const WIPE: Part = write(
    "wipe",
    |job| {
        let name = drive_name(job);
        match &job.target {
            Some(target) if !target.decision.keep.is_empty() => {
                format!("end the tables of {name}; its data stay")
            }
            _ => format!("end tables and signatures of {name}"),
        }
    },
    |job, progress| {
        let (Some(target), Some(images), Some(setup)) = (&job.target, &job.images, &job.setup)
        else {
            return Err(missing("the drive"));
        };
        let name = choose::shown(&target.drive);
        let in_front = |text: String| Failure::new(format!("{name}: {text}"));
        let drive = checks::open_drive(&target.path).map_err(Failure::new)?;
        // Minutes have passed since it was looked at.
        let allowed = Allowed {
            erase: setup.install.erase,
            keep_data: setup.install.keep_data,
        };
        let (layout, decision) = checks::decide(&target.path, images, allowed).map_err(in_front)?;
        if layout != target.layout || decision != target.decision {
            return Err(in_front("it changed since it was looked at".to_owned()));
        }
        let drive = Partition::new(drive);
        let size = drive.size().map_err(|error| in_front(error.to_string()))?;
        if size != layout.size {
            return Err(in_front(
                "it changed its size since it was looked at".to_owned(),
            ));
        }
        job.drive = Some(drive);
        job.written = true;
        let name = drive_name(job);
        let at = at(job, &name)?;
        let mut tell = counting(total(&at.pieces.wiped), progress);
        at.work.begin(&mut tell).map_err(Failure::new)?;
        Ok(Vec::new())
    },
);

/// Writes what `of` takes of all pieces.
fn put(
    job: &mut Job,
    progress: Progress<'_>,
    of: for<'a> fn(Pieces<'a>) -> Vec<Piece<'a>>,
) -> Result<Vec<String>, Failure> {
    let name = drive_name(job);
    let At { work, pieces } = at(job, &name)?;
    let pieces = of(pieces);
    let mut tell = counting(total(&pieces), progress);
    work.write(&pieces, &mut tell).map_err(Failure::new)?;
    Ok(Vec::new())
}

pub(super) const HOST: Part = write(
    "host",
    |job| format!("write HostOS to {}", drive_name(job)),
    |job, progress| put(job, progress, |pieces| pieces.host),
);

pub(super) const GUEST: Part = write(
    "guest",
    |job| format!("write GuestOS to partition guestos of {}", drive_name(job)),
    |job, progress| put(job, progress, |pieces| pieces.guest),
);

pub(super) const CONFIG: Part = write(
    "config-volume",
    |job| {
        format!(
            "write the settings to partition config of {}",
            drive_name(job)
        )
    },
    |job, progress| put(job, progress, |pieces| pieces.config),
);

pub(super) const VERIFY: Part = write(
    "verify",
    |job| {
        format!(
            "read all of it back from {} and compare it",
            drive_name(job)
        )
    },
    |job, progress| {
        let name = drive_name(job);
        let At { work, pieces } = at(job, &name)?;
        let all = [pieces.wiped, pieces.host, pieces.guest, pieces.config].concat();
        let mut tell = counting(total(&all), progress);
        work.verify(&all, &mut tell).map_err(Failure::new)?;
        Ok(Vec::new())
    },
);

pub(super) const TABLES: Part = write(
    "tables",
    |job| {
        format!(
            "write the partition tables of {}, their copies at the end",
            drive_name(job)
        )
    },
    |job, _| {
        let name = drive_name(job);
        let at = at(job, &name)?;
        at.work.end().map_err(Failure::new)?;
        job.whole = true;
        let guest = job.target.as_ref().map(|target| {
            let len = super::layout::length(&target.layout.guestos);
            format!("partition guestos has {}", crate::screen::size(len))
        });
        Ok(guest.into_iter().collect())
    },
);

pub(super) const FIRMWARE: Part = write(
    "firmware",
    |_| "make HostOS the first that the firmware starts".to_owned(),
    |job, _| {
        // Whoever looks for its table next must see the one on the drive.
        job.drive = None;
        let target = job.target.as_ref().ok_or_else(|| missing("the drive"))?;
        settle(&job.context);
        Ok(efi::set(
            &job.context.system,
            &target.path.display().to_string(),
        ))
    },
);

/// Waits until udev has seen the new table; without it nothing is lost.
fn settle(context: &Context) {
    let system: &System = &context.system;
    let args = ["settle", "--timeout=10"];
    drop(super::program::run(system, "/usr/bin/udevadm", args));
}
