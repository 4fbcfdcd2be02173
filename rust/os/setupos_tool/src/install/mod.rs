//! Installing HostOS and GuestOS on a drive: steps of the framework in `rust/os/steps`.
//!
//! Three jobs follow each other, and each begins only if nothing failed in the one before:
//!
//! | job    | steps                                                                                              | a failure         |
//! |--------|----------------------------------------------------------------------------------------------------|-------------------|
//! | look   | what `status` looks at; then `asked`, `age`, `time`, `hardware`, `link`, `drive`                     | the others go on  |
//! | ready  | `medium` takes the result; `digests` of the images, `prepare` the file system of `config`                                      | ends it           |
//! | write  | `wipe`, `host`, `guest`, `config-volume`, `verify`, `tables`, `firmware`                             | ends it           |
//!
//! Nothing is written to a drive before `wipe`. What state the drive is in, and what to do, follows from how far `write` came
//! ([`Job::state`]).

mod age;
mod checks;
mod choose;
mod config_image;
mod efi;
mod formats;
mod found;
mod kept;
mod layout;
mod marker;
mod network;
mod program;
mod record;
mod requires;
mod run;
mod screen;
mod source;
mod table;
#[cfg(test)]
mod testing;
mod work;
mod writes;

use std::path::PathBuf;

use base::Sha256Digest;
use direct::Partition;
use os_config::{AfterInstall, Config, SetupConfig};
use steps::{Effect, Failure, OnFailure, Progress, Step};

use self::found::Decision;
use self::layout::Layout;
use self::source::Source;
use self::table::Table;
use crate::inspect::{Context, Look};

pub(crate) use run::{install, Options, Say, WORD};

/// Where `status --ask` says that somebody typed it.
pub(crate) const TYPED: &str = "/run/setupos/install";

/// What the steps share.
pub(crate) struct Job {
    pub(crate) context: Context,
    pub(crate) options: Options,
    /// The settings, if they are right.
    setup: Option<SetupConfig>,
    /// What the machine to be is told.
    host_config: Option<Config>,
    requires: Option<requires::Requires>,
    images: Option<Images>,
    target: Option<Target>,
    /// The file system of `config`.
    config: Option<Source>,
    /// The drive, once it is written to.
    drive: Option<Partition>,
    /// What images, settings and drive are together.
    request: Option<Sha256Digest>,
    /// The same was installed before, by this medium.
    done_before: bool,
    /// Whether anything was written to the drive, and whether it has its tables.
    written: bool,
    whole: bool,
}

/// The images to install.
struct Images {
    host: Source,
    guest: Source,
    host_table: Table,
    guest_table: Table,
}

/// The drive that was chosen, and what becomes of it.
struct Target {
    drive: crate::facts::Drive,
    /// Its device.
    path: PathBuf,
    layout: Layout,
    decision: Decision,
}

impl Job {
    pub(crate) fn new(context: Context, options: Options) -> Self {
        Self {
            context,
            options,
            setup: None,
            host_config: None,
            requires: None,
            images: None,
            target: None,
            config: None,
            drive: None,
            request: None,
            done_before: false,
            written: false,
            whole: false,
        }
    }

    /// What state the drive is in after a failure, and what to do.
    fn state(&self) -> (String, String) {
        let name = match &self.target {
            Some(target) => choose::shown(&target.drive),
            None => "the drive".to_owned(),
        };
        let kept = match &self.target {
            Some(target) if !target.decision.keep.is_empty() => {
                " The data that stay were not touched."
            }
            _ => "",
        };
        match (self.written, self.whole) {
            (false, _) => (
                "Nothing was written to any drive.".to_owned(),
                "Mend what is named above (settings: config.ini on this medium), and start this medium again.".to_owned(),
            ),
            (true, false) => (
                format!("{name} has half an installation and does not start.{kept}"),
                "Start this medium again: it goes on by itself, with the same settings. If the same comes again, the drive or this medium is failing: take another one.".to_owned(),
            ),
            (true, true) => (
                format!("{name} has a whole installation and starts.{kept}"),
                "Take this medium out and start the machine, or start the medium again to do what is missing.".to_owned(),
            ),
        }
    }

    /// The drive for the result.
    fn drive_record(&self) -> Option<record::Drive> {
        let drive = &self.target.as_ref()?.drive;
        Some(record::Drive {
            name: drive.name.clone(),
            serial: drive.serial.clone(),
            wwn: drive.wwn.clone(),
            size: drive.size,
        })
    }

    /// Whether the next start of this medium would install once more unless the medium says that it is done: nobody is asked, and what is on
    /// the drive then is no reason to stop.
    fn would_repeat(&self) -> bool {
        let setup = self.setup.as_ref();
        let takes_ours = setup.is_some_and(|s| s.install.erase || s.install.keep_data);
        takes_ours && !self.options.asked
    }

    fn after(&self) -> AfterInstall {
        let setup = self.setup.as_ref();
        setup.map_or_else(AfterInstall::default, |setup| setup.install.after_install)
    }
}

/// A step of [`Job`].
pub(crate) struct Part {
    name: &'static str,
    effect: Effect,
    on_failure: OnFailure,
    plan: fn(&Job) -> String,
    run: fn(&mut Job, Progress<'_>) -> Result<Vec<String>, Failure>,
}

impl Step<Job> for Part {
    fn name(&self) -> &'static str {
        self.name
    }

    fn plan(&self, job: &Job) -> String {
        (self.plan)(job)
    }

    fn effect(&self) -> Effect {
        self.effect
    }

    fn on_failure(&self) -> OnFailure {
        self.on_failure
    }

    fn run(&self, job: &mut Job, progress: Progress<'_>) -> Result<Vec<String>, Failure> {
        (self.run)(job, progress)
    }
}

/// Of what `status` looks at the same steps.
impl Step<Job> for Look {
    fn name(&self) -> &'static str {
        Step::<Context>::name(self)
    }

    fn plan(&self, job: &Job) -> String {
        Step::<Context>::plan(self, &job.context)
    }

    fn effect(&self) -> Effect {
        Step::<Context>::effect(self)
    }

    fn on_failure(&self) -> OnFailure {
        Step::<Context>::on_failure(self)
    }

    fn run(&self, job: &mut Job, progress: Progress<'_>) -> Result<Vec<String>, Failure> {
        Step::<Context>::run(self, &mut job.context, progress)
    }
}

/// A failure for what an earlier step should have found.
fn missing(what: &str) -> Failure {
    Failure::new(format!("{what} is not known: see the steps before"))
}
