//! What SetupOS looks at, as steps. None of them writes.

mod config;
mod drives;
mod identity;
mod images;
mod machine;
mod network;

use std::collections::BTreeMap;
use std::path::PathBuf;

use steps::{Effect, OnFailure, Report, Runner, Step, Watcher};

use crate::facts::Facts;
use crate::system::System;

pub(crate) use config::CONFIG;
pub(crate) use identity::IDENTITY;
pub(crate) use images::{DIGESTS, IMAGES};

/// Where things are, and what was found of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    pub(crate) system: System,
    /// Paths of the machine, not yet below the folder that may stand for it.
    pub(crate) places: Places,
    pub(crate) facts: Facts,
    /// What the CONFIG medium says, if all of it is right.
    pub(crate) medium: Option<os_config::Medium>,
    /// Properties of the whole, as deployment.json has them.
    pub(crate) properties: BTreeMap<String, String>,
}

/// Where things are.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Places {
    /// Where the CONFIG volume is mounted.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "/boot/config"
    )]
    pub(crate) config: PathBuf,
    /// Where the partition with deployment.json and the images is mounted.
    #[arg(long, global = true, value_name = "DIR", default_value = "/data")]
    pub(crate) data: PathBuf,
    /// File with this system's version on its first line.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "/opt/ic/share/version.txt"
    )]
    pub(crate) version_file: PathBuf,
    /// File with the env that this system was built for on its first line.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "/opt/ic/share/env.txt"
    )]
    pub(crate) env_file: PathBuf,
    /// The images' description that this system was built with: the one beside the images must be the same.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "/opt/ic/share/deployment.json"
    )]
    pub(crate) deployment_file: PathBuf,
}

/// All that takes no time, in order.
pub(crate) const LOOKS: [&Look; 6] = [
    &identity::STEP,
    &config::STEP,
    &images::STEP,
    &drives::STEP,
    &network::STEP,
    &machine::STEP,
];
/// The digests of the images.
pub(crate) const HASH: &Look = &images::DIGESTS_STEP;

/// A step that only looks, and whose failure keeps no other from looking.
pub(crate) struct Look {
    name: &'static str,
    plan: fn(&Context) -> String,
    run: fn(&mut Context, steps::Progress<'_>) -> Result<Vec<String>, steps::Failure>,
}

impl Step<Context> for Look {
    fn name(&self) -> &'static str {
        self.name
    }

    fn plan(&self, context: &Context) -> String {
        (self.plan)(context)
    }

    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn on_failure(&self) -> OnFailure {
        OnFailure::GoOn
    }

    fn run(
        &self,
        context: &mut Context,
        progress: steps::Progress<'_>,
    ) -> Result<Vec<String>, steps::Failure> {
        (self.run)(context, progress)
    }
}

/// Looks at everything; at the images' digests only if `digests`, because that takes as long as reading them.
pub(crate) fn inspect(
    context: &mut Context,
    digests: bool,
    dry_run: bool,
    watcher: &mut dyn Watcher,
) -> Report {
    let mut steps: Vec<&dyn Step<Context>> = Vec::new();
    for look in LOOKS {
        steps.push(look);
    }
    if digests {
        steps.push(&images::DIGESTS_STEP);
    }
    context.facts = Facts::default();
    context.medium = None;
    context.properties = BTreeMap::new();
    Runner::reading(dry_run).run(&steps, context, watcher)
}

/// Looks at the network cards once more: links and addresses come when they come.
pub(crate) fn look_at_network(context: &mut Context) {
    // What it remarks was said the first time, or is said by who asks.
    drop((network::STEP.run)(context, &mut |_, _| ()));
}

/// Computes the digests of images that were found before.
pub(crate) fn verify(context: &mut Context, watcher: &mut dyn Watcher) -> Report {
    Runner::reading(false).run(&[&images::DIGESTS_STEP], context, watcher)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_writes() {
        let steps = [
            &identity::STEP,
            &config::STEP,
            &images::STEP,
            &drives::STEP,
            &network::STEP,
            &machine::STEP,
            &images::DIGESTS_STEP,
        ];
        for step in steps {
            let step: &dyn Step<Context> = step;
            assert_eq!(step.effect(), Effect::Reads, "{}", step.name());
        }
    }
}
