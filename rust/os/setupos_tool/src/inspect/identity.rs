//! Which system this is.

use std::path::Path;

use steps::Failure;

use super::Look;

/// Name of the step.
pub(crate) const IDENTITY: &str = "identity";

pub(super) const STEP: Look = Look {
    name: IDENTITY,
    plan: |context| {
        let places = &context.places;
        format!(
            "read {} and {}",
            context.system.path(&places.version_file).display(),
            context.system.path(&places.env_file).display()
        )
    },
    run: |context, _| {
        let mut problems = Vec::new();
        let mut read = |path: &Path| {
            let path = context.system.path(path);
            match os_config::version::read(&path) {
                Ok(text) => Some(text),
                Err(error) => {
                    problems.push(format!("{}: {error}", path.display()));
                    None
                }
            }
        };
        context.facts.version = read(&context.places.version_file);
        context.facts.env = read(&context.places.env_file);
        Failure::unless_none(problems, Vec::new())
    },
};
