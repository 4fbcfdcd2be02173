//! What a Dockerfile does, with every variable replaced: nothing a RUN step prints or writes changes it.
//!
//! - Only stages that the last one needs (by FROM or COPY --from) are planned, parents first.
//! - ARG before the first FROM counts in FROM lines, and in a stage that declares it again.
//! - A stage FROM another inherits its ARG and ENV values, USER, WORKDIR and labels.
//! - ENV wins over ARG. An ARG that follows an ENV of the same name is refused, as builders differ there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::budget::Budget;
use crate::error::{At, Error, Result};
use crate::glob::Glob;
use crate::graph::Graph;
use crate::ir::{Arg, Copy, CopySource, Dockerfile, Instruction, Run, Step};
use crate::parse::{mode_bits, several_sources};
use crate::paths;
use crate::words::{Template, Values, Vars};

/// `PATH` of an image that sets none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Set by Docker itself; here a build must be told.
const PLATFORM_ARGS: [&str; 8] = [
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDARCH",
    "BUILDVARIANT",
];

/// The stages to build, in order; the last one is the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Never empty.
    pub stages: Vec<PlannedStage>,
}

/// One stage with everything expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStage {
    /// Line of its FROM.
    pub at: At,
    /// Its number in the file, from 0.
    pub index: usize,
    /// Name, if it has one.
    pub name: Option<String>,
    /// What it starts from.
    pub base: Base,
    /// What to do, in order.
    pub actions: Vec<Action>,
    /// What an image of this stage would be configured with.
    pub config: Config,
}

/// What a stage starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// An empty tree.
    Scratch,
    /// An image, as FROM names it.
    Image(String),
    /// A stage by its number in the file.
    Stage(usize),
}

/// Configuration that instructions set and that does not lie in the tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// ENV values.
    pub env: Vars,
    /// USER, as written.
    pub user: Option<String>,
    /// WORKDIR, absolute; empty means `/`.
    pub workdir: String,
    /// LABEL values.
    pub labels: BTreeMap<String, String>,
}

impl Plan {
    /// The last stage, the stage that it starts from, and so on.
    pub(crate) fn ancestry(&self) -> BTreeSet<usize> {
        let mut next = self.stages.last();
        let mut found = BTreeSet::new();
        while let Some(stage) = next {
            found.insert(stage.index);
            next = match stage.base {
                Base::Stage(parent) => {
                    let mut before = self.stages.iter();
                    before.find(|stage| stage.index == parent && !found.contains(&parent))
                }
                _ => None,
            };
        }
        found
    }
}

/// One step that touches the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Its first line.
    pub at: At,
    /// The instruction on one line, as written.
    pub text: String,
    /// What to do.
    pub kind: ActionKind,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionKind {
    /// Make a directory, owned by the user, unless there is one.
    Workdir {
        /// Absolute.
        path: String,
        /// USER in force.
        user: Option<String>,
    },
    /// Copy files.
    Copy(CopyAction),
    /// Run a command.
    Run(RunAction),
}

/// COPY, expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyAction {
    /// Number of the stage to copy from; the context if `None`.
    pub from: Option<usize>,
    /// `user[:group]`
    pub chown: Option<String>,
    /// Mode of everything copied.
    pub chmod: Option<u32>,
    /// At least one.
    pub sources: Vec<SourceAction>,
    /// Absolute; ends in `/` if it must be a directory.
    pub dest: String,
}

/// A source of COPY, expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceAction {
    /// Path or wildcard relative to the context or stage; empty means all of it.
    Path(String),
    /// A file from a here-document.
    Inline {
        /// Its name, if the destination is a directory.
        name: String,
        /// Its content.
        content: String,
    },
}

/// RUN, expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunAction {
    /// What to run.
    pub command: Run,
    /// ARG and ENV values; steps without a change between them share one map.
    pub env: Arc<Vars>,
    /// USER in force.
    pub user: Option<String>,
    /// WORKDIR in force, absolute.
    pub workdir: String,
}

/// Plans the build of `file`'s last stage.
pub fn plan(file: &Dockerfile, build_args: &Vars) -> Result<Plan> {
    check_build_args(file, build_args)?;
    let budget = Budget::new();
    let globals = global_args(file, build_args, &budget)?;
    let graph = Graph::new(file, &globals, &budget)?;
    let mut states: BTreeMap<usize, State> = BTreeMap::new();
    let mut stages = Vec::new();
    for index in graph.needed() {
        let (Some(stage), Some(base)) = (file.stages.get(index), graph.bases.get(index)) else {
            continue;
        };
        let mut state = match base {
            Base::Stage(parent) => states.get(parent).cloned().ok_or_else(|| Error::Step {
                at: stage.at.clone(),
                instruction: "FROM",
                problem: format!("stage {parent} was not planned"),
            })?,
            _ => State::new(),
        };
        state.charge(&stage.at, &budget)?;
        let mut planner = Planner {
            stage: index,
            graph: &graph,
            globals: &globals,
            build_args,
            budget: &budget,
            state: &mut state,
            actions: Vec::new(),
        };
        for step in &stage.steps {
            planner.step(step)?;
        }
        let actions = planner.actions;
        state.charge(&stage.at, &budget)?;
        stages.push(PlannedStage {
            at: stage.at.clone(),
            index,
            name: stage.name.clone(),
            base: base.clone(),
            actions,
            config: state.config.clone(),
        });
        states.insert(index, state);
    }
    Ok(Plan { stages })
}

fn check_build_args(file: &Dockerfile, build_args: &Vars) -> Result<()> {
    let in_stages = file
        .stages
        .iter()
        .flat_map(|stage| &stage.steps)
        .flat_map(|step| match &step.instruction {
            Instruction::Arg(args) => args.as_slice(),
            _ => &[],
        });
    let declared: BTreeSet<&str> = file
        .args
        .iter()
        .map(|(_, arg)| arg)
        .chain(in_stages)
        .map(|arg| arg.name.as_str())
        .collect();
    match build_args
        .keys()
        .find(|name| !declared.contains(name.as_str()))
    {
        Some(name) => Err(Error::UnusedBuildArg {
            name: name.clone(),
            file: file.file.clone(),
        }),
        None => Ok(()),
    }
}

fn global_args(file: &Dockerfile, build_args: &Vars, budget: &Budget) -> Result<Vars> {
    let mut globals = Vars::new();
    for (at, arg) in &file.args {
        if let Some(value) = arg_value(at, arg, build_args, None, &globals, budget)? {
            globals.insert(arg.name.clone(), value);
        }
    }
    Ok(globals)
}

fn arg_value(
    at: &At,
    arg: &Arg,
    build_args: &Vars,
    inherited: Option<&Vars>,
    values: &dyn Values,
    budget: &Budget,
) -> Result<Option<String>> {
    if let Some(value) = build_args.get(&arg.name) {
        return Ok(Some(value.clone()));
    }
    if let Some(default) = &arg.default {
        return budget.expand(at, default, values).map(Some);
    }
    let value = inherited.and_then(|vars| vars.get(&arg.name)).cloned();
    if value.is_none() && PLATFORM_ARGS.contains(&arg.name.as_str()) {
        return Err(Error::Arguments {
            at: at.clone(),
            instruction: "ARG",
            problem: format!("{0} is not set by itself; give --build-arg {0}=…", arg.name),
        });
    }
    Ok(value)
}

#[derive(Debug, Clone, Default)]
struct State {
    args: Vars,
    config: Config,
    /// Both together, as the last RUN got them; none after a change.
    environment: Option<Arc<Vars>>,
}

impl State {
    fn new() -> Self {
        let mut state = Self::default();
        state
            .config
            .env
            .insert("PATH".to_owned(), DEFAULT_PATH.to_owned());
        state
    }

    /// Counts a copy of all of it, made for the stage at `at`.
    fn charge(&self, at: &At, budget: &Budget) -> Result<()> {
        [&self.args, &self.config.env, &self.config.labels]
            .into_iter()
            .try_for_each(|vars| budget.environment(at, vars))
    }

    /// What a RUN step gets.
    fn environment(&mut self, at: &At, budget: &Budget) -> Result<Arc<Vars>> {
        if let Some(same) = &self.environment {
            return Ok(Arc::clone(same));
        }
        let mut vars = self.args.clone();
        vars.extend(self.config.env.clone());
        budget.environment(at, &vars)?;
        let shared = Arc::new(vars);
        self.environment = Some(Arc::clone(&shared));
        Ok(shared)
    }
}

/// What references see.
impl Values for State {
    fn value(&self, name: &str) -> Option<&str> {
        self.config
            .env
            .value(name)
            .or_else(|| self.args.value(name))
    }
}

struct Planner<'a> {
    stage: usize,
    graph: &'a Graph<'a>,
    globals: &'a Vars,
    build_args: &'a Vars,
    budget: &'a Budget,
    state: &'a mut State,
    actions: Vec<Action>,
}

impl Planner<'_> {
    fn step(&mut self, step: &Step) -> Result<()> {
        let kind = match &step.instruction {
            Instruction::Arg(args) => return self.args(&step.at, args),
            Instruction::Env(pairs) => {
                // All of them see the values from before the instruction.
                let expanded = pairs
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), self.expand(step, value)?)))
                    .collect::<Result<Vec<_>>>()?;
                self.state.config.env.extend(expanded);
                self.state.environment = None;
                return Ok(());
            }
            Instruction::Label(pairs) => {
                for (name, value) in pairs {
                    let (name, value) = (self.expand(step, name)?, self.expand(step, value)?);
                    self.state.config.labels.insert(name, value);
                }
                return Ok(());
            }
            Instruction::User(user) => {
                let user = self.expand(step, user)?;
                check_user(&step.at, "USER", &user)?;
                self.state.config.user = Some(user);
                return Ok(());
            }
            Instruction::Workdir(path) => {
                let path = self.expand(step, path)?;
                if path.is_empty() {
                    return Err(step_error(step, "WORKDIR", "the path expands to nothing"));
                }
                let path = paths::join(&self.state.config.workdir, &path);
                self.state.config.workdir.clone_from(&path);
                ActionKind::Workdir {
                    path,
                    user: self.state.config.user.clone(),
                }
            }
            Instruction::Copy(copy) => ActionKind::Copy(self.copy(step, copy)?),
            Instruction::Run(command) => ActionKind::Run(RunAction {
                command: command.clone(),
                env: self.state.environment(&step.at, self.budget)?,
                user: self.state.config.user.clone(),
                workdir: paths::join("/", &self.state.config.workdir),
            }),
        };
        self.charge(&kind, step)?;
        self.actions.push(Action {
            at: step.at.clone(),
            text: step.text.clone(),
            kind,
        });
        Ok(())
    }

    /// Counts what a step holds of the state beside its environment.
    fn charge(&self, kind: &ActionKind, step: &Step) -> Result<()> {
        let (path, user) = match kind {
            ActionKind::Workdir { path, user } => (path, user),
            ActionKind::Run(run) => (&run.workdir, &run.user),
            ActionKind::Copy(_) => return Ok(()),
        };
        self.budget.take(&step.at, path.len())?;
        self.budget
            .take(&step.at, user.as_deref().map_or(0, str::len))
    }

    fn expand(&self, step: &Step, template: &Template) -> Result<String> {
        self.budget.expand(&step.at, template, self.state)
    }

    fn args(&mut self, at: &At, args: &[Arg]) -> Result<()> {
        for arg in args {
            if self.state.config.env.contains_key(&arg.name) {
                return Err(Error::Arguments {
                    at: at.clone(),
                    instruction: "ARG",
                    problem: format!(
                        "{0} is already set by ENV; builders differ in which one wins",
                        arg.name
                    ),
                });
            }
            let globals = Some(self.globals);
            let value = arg_value(at, arg, self.build_args, globals, self.state, self.budget)?;
            if let Some(value) = value {
                self.state.args.insert(arg.name.clone(), value);
                self.state.environment = None;
            }
        }
        Ok(())
    }

    fn copy(&self, step: &Step, copy: &Copy) -> Result<CopyAction> {
        let at = &step.at;
        let from = copy
            .from
            .as_ref()
            .map(|from| self.graph.source(at, from, self.stage))
            .transpose()?;
        let optional = |template: &Option<Template>| {
            template
                .as_ref()
                .map(|template| self.expand(step, template))
                .transpose()
        };
        let chown = optional(&copy.chown)?;
        if let Some(chown) = &chown {
            check_user(at, "COPY --chown", chown)?;
        }
        let chmod = optional(&copy.chmod)?
            .map(|mode| mode_bits(&mode).map_err(|problem| step_error(step, "COPY", problem)))
            .transpose()?;
        let sources = copy
            .sources
            .iter()
            .map(|source| self.source(step, source))
            .collect::<Result<Vec<_>>>()?;
        let dest = self.expand(step, &copy.dest)?;
        if sources.len() > 1 && !dest.ends_with('/') {
            return Err(step_error(step, "COPY", several_sources(&dest)));
        }
        let directory =
            matches!(dest.as_str(), "" | ".") || dest.ends_with('/') || dest.ends_with("/.");
        let mut dest = paths::join(&self.state.config.workdir, &dest);
        if directory && !dest.ends_with('/') {
            dest.push('/');
        }
        Ok(CopyAction {
            from,
            chown,
            chmod,
            sources,
            dest,
        })
    }

    fn source(&self, step: &Step, source: &CopySource) -> Result<SourceAction> {
        let heredoc = match source {
            CopySource::Path(path) => return self.path(step, path),
            CopySource::HereDoc(heredoc) => heredoc,
        };
        Ok(SourceAction::Inline {
            name: heredoc.name.clone(),
            content: match &heredoc.template {
                Some(template) => {
                    let (at, name) = (&heredoc.at, &heredoc.name);
                    self.budget.expand_text(at, name, template, self.state)?
                }
                None => heredoc.body.clone(),
            },
        })
    }

    fn path(&self, step: &Step, path: &Template) -> Result<SourceAction> {
        let path = self.expand(step, path)?;
        let error = |problem: String| step_error(step, "COPY", problem);
        if path.is_empty() {
            return Err(error("a source expands to nothing".to_owned()));
        }
        let Some(inside) = paths::inside(&path) else {
            return Err(error(format!(
                "source {path:?} lies outside of what is copied from"
            )));
        };
        for name in inside.split('/').filter(|name| Glob::is_wild(name)) {
            Glob::new(name, false)
                .map_err(|problem| error(format!("source {path:?}: {problem} in {name:?}")))?;
        }
        Ok(SourceAction::Path(inside))
    }
}

fn step_error(step: &Step, instruction: &'static str, problem: impl Into<String>) -> Error {
    Error::Step {
        at: step.at.clone(),
        instruction,
        problem: problem.into(),
    }
}

/// `user`, `user:group`, `:group`… whether they exist shows in the tree.
fn check_user(at: &At, instruction: &'static str, text: &str) -> Result<()> {
    let (user, group) = text.split_once(':').unwrap_or((text, "0"));
    let good = |name: &str| {
        !name.is_empty() && !name.contains([':', '/']) && !name.contains(char::is_whitespace)
    };
    if good(user) && good(group) {
        Ok(())
    } else {
        Err(Error::Step {
            at: at.clone(),
            instruction,
            problem: format!("wanted user or user:group, got {text:?}"),
        })
    }
}
