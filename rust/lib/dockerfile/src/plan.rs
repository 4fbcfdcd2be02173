//! What a Dockerfile does, with every variable replaced: nothing a RUN step prints or writes changes it.
//!
//! - Only stages that the last one needs (by FROM or COPY --from) are planned, parents first.
//! - ARG before the first FROM counts in FROM lines, and in a stage that declares it again.
//! - A stage FROM another inherits its ARG and ENV values, USER, WORKDIR and labels.
//! - ENV wins over ARG. An ARG that follows an ENV of the same name is refused, as builders differ there.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{At, Error, Result};
use crate::ir::{Arg, Copy, CopySource, Dockerfile, Instruction, Run, Stage, Step};
use crate::parse::{mode_bits, several_sources};
use crate::paths;
use crate::words::{Template, Vars};

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
    /// ARG and ENV values.
    pub env: Vars,
    /// USER in force.
    pub user: Option<String>,
    /// WORKDIR in force, absolute.
    pub workdir: String,
}

/// Plans the build of `file`'s last stage.
pub fn plan(file: &Dockerfile, build_args: &Vars) -> Result<Plan> {
    check_build_args(file, build_args)?;
    let globals = global_args(file, build_args)?;
    let graph = Graph::new(file, &globals)?;
    let mut states: BTreeMap<usize, State> = BTreeMap::new();
    let mut stages = Vec::new();
    for index in graph.needed() {
        let (Some(stage), Some(base)) = (file.stages.get(index), graph.bases.get(index)) else {
            continue;
        };
        let mut state = match base {
            Base::Stage(parent) => states.get(parent).cloned().unwrap_or_default(),
            _ => State::new(),
        };
        let mut planner = Planner {
            stage: index,
            graph: &graph,
            globals: &globals,
            build_args,
            state: &mut state,
            actions: Vec::new(),
        };
        for step in &stage.steps {
            planner.step(step)?;
        }
        stages.push(PlannedStage {
            at: stage.at.clone(),
            index,
            name: stage.name.clone(),
            base: base.clone(),
            actions: planner.actions,
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

fn global_args(file: &Dockerfile, build_args: &Vars) -> Result<Vars> {
    let mut globals = Vars::new();
    for (at, arg) in &file.args {
        if let Some(value) = arg_value(at, arg, build_args, None, &globals)? {
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
    vars: &Vars,
) -> Result<Option<String>> {
    if let Some(value) = build_args.get(&arg.name) {
        return Ok(Some(value.clone()));
    }
    if let Some(default) = &arg.default {
        return expand(at, default, vars).map(Some);
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

fn expand(at: &At, template: &Template, vars: &Vars) -> Result<String> {
    template.expand(vars).map_err(|problem| Error::Word {
        at: at.clone(),
        word: template.to_string(),
        problem,
    })
}

/// Which stage needs which.
struct Graph<'a> {
    file: &'a Dockerfile,
    bases: Vec<Base>,
}

impl<'a> Graph<'a> {
    fn new(file: &'a Dockerfile, globals: &Vars) -> Result<Self> {
        let mut graph = Self {
            file,
            bases: Vec::new(),
        };
        for stage in &file.stages {
            let base = graph.base(stage, globals)?;
            graph.bases.push(base);
        }
        Ok(graph)
    }

    fn base(&self, stage: &Stage, globals: &Vars) -> Result<Base> {
        let image = expand(&stage.at, &stage.image, globals)?;
        if image.is_empty() {
            let names = stage.image.variables().join(", ");
            return Err(Error::Base {
                at: stage.at.clone(),
                image: stage.image.to_string(),
                problem: format!(
                    "expands to nothing; give a build argument or a default for {names}"
                ),
            });
        }
        let lower = image.to_lowercase();
        Ok(if image == "scratch" {
            Base::Scratch
        } else if let Some(index) = self.named(&lower, self.bases.len()) {
            Base::Stage(index)
        } else {
            Base::Image(image)
        })
    }

    /// The stage called `name` (lower case) among those before `end`.
    fn named(&self, name: &str, end: usize) -> Option<usize> {
        self.file
            .stages
            .iter()
            .take(end)
            .position(|stage| stage.name.as_deref() == Some(name))
    }

    /// The stage that `COPY --from=from` in stage `here` means.
    fn source(&self, at: &At, from: &str, here: usize) -> Result<usize> {
        let error = |problem: String| Error::Step {
            at: at.clone(),
            instruction: "COPY",
            problem,
        };
        if let Some(index) = self.named(&from.to_lowercase(), here) {
            return Ok(index);
        }
        let index = from
            .parse::<usize>()
            .ok()
            .or_else(|| self.named(&from.to_lowercase(), self.file.stages.len()));
        match index {
            Some(index) if index < here => Ok(index),
            Some(index) if index < self.file.stages.len() => Err(error(format!(
                "--from={from} is stage {index}, this is stage {here}: only earlier ones can be copied from"
            ))),
            _ => Err(error(format!(
                "--from={from} is no earlier stage (files of other images cannot be copied)"
            ))),
        }
    }

    /// The stages that the last one needs, itself included, in the order of the file.
    fn needed(&self) -> BTreeSet<usize> {
        let mut needed = BTreeSet::new();
        let mut todo: Vec<usize> = self.file.stages.len().checked_sub(1).into_iter().collect();
        while let Some(index) = todo.pop() {
            if !needed.insert(index) {
                continue;
            }
            if let Some(Base::Stage(parent)) = self.bases.get(index) {
                todo.push(*parent);
            }
            let steps = self
                .file
                .stages
                .get(index)
                .map(|stage| stage.steps.as_slice());
            for step in steps.unwrap_or_default() {
                if let Instruction::Copy(Copy {
                    from: Some(from), ..
                }) = &step.instruction
                {
                    // An unknown name is reported when the step is planned.
                    todo.extend(self.source(&step.at, from, index).ok());
                }
            }
        }
        needed
    }
}

#[derive(Debug, Clone, Default)]
struct State {
    args: Vars,
    config: Config,
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

    /// What references see, and what a RUN step gets.
    fn vars(&self) -> Vars {
        let mut vars = self.args.clone();
        vars.extend(self.config.env.clone());
        vars
    }
}

struct Planner<'a> {
    stage: usize,
    graph: &'a Graph<'a>,
    globals: &'a Vars,
    build_args: &'a Vars,
    state: &'a mut State,
    actions: Vec<Action>,
}

impl Planner<'_> {
    fn step(&mut self, step: &Step) -> Result<()> {
        let vars = self.state.vars();
        let kind = match &step.instruction {
            Instruction::Arg(args) => return self.args(&step.at, args),
            Instruction::Env(pairs) => {
                for (name, value) in pairs {
                    let value = expand(&step.at, value, &vars)?;
                    self.state.config.env.insert(name.clone(), value);
                }
                return Ok(());
            }
            Instruction::Label(pairs) => {
                for (name, value) in pairs {
                    let (name, value) = (
                        expand(&step.at, name, &vars)?,
                        expand(&step.at, value, &vars)?,
                    );
                    self.state.config.labels.insert(name, value);
                }
                return Ok(());
            }
            Instruction::User(user) => {
                let user = expand(&step.at, user, &vars)?;
                check_user(&step.at, "USER", &user)?;
                self.state.config.user = Some(user);
                return Ok(());
            }
            Instruction::Workdir(path) => {
                let path = expand(&step.at, path, &vars)?;
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
            Instruction::Copy(copy) => ActionKind::Copy(self.copy(step, copy, &vars)?),
            Instruction::Run(command) => ActionKind::Run(RunAction {
                command: command.clone(),
                env: vars,
                user: self.state.config.user.clone(),
                workdir: paths::join("/", &self.state.config.workdir),
            }),
        };
        self.actions.push(Action {
            at: step.at.clone(),
            text: step.text.clone(),
            kind,
        });
        Ok(())
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
            let vars = self.state.vars();
            if let Some(value) = arg_value(at, arg, self.build_args, Some(self.globals), &vars)? {
                self.state.args.insert(arg.name.clone(), value);
            }
        }
        Ok(())
    }

    fn copy(&self, step: &Step, copy: &Copy, vars: &Vars) -> Result<CopyAction> {
        let at = &step.at;
        let from = copy
            .from
            .as_ref()
            .map(|from| self.graph.source(at, from, self.stage))
            .transpose()?;
        let optional = |template: &Option<Template>| {
            template
                .as_ref()
                .map(|template| expand(at, template, vars))
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
            .map(|source| source_action(step, source, vars))
            .collect::<Result<Vec<_>>>()?;
        let dest = expand(at, &copy.dest, vars)?;
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
}

fn source_action(step: &Step, source: &CopySource, vars: &Vars) -> Result<SourceAction> {
    match source {
        CopySource::Path(path) => {
            let path = expand(&step.at, path, vars)?;
            if path.is_empty() {
                return Err(step_error(step, "COPY", "a source expands to nothing"));
            }
            paths::inside(&path).map(SourceAction::Path).ok_or_else(|| {
                step_error(
                    step,
                    "COPY",
                    format!("source {path:?} lies outside of what is copied from"),
                )
            })
        }
        CopySource::HereDoc(heredoc) => Ok(SourceAction::Inline {
            name: heredoc.name.clone(),
            content: match &heredoc.template {
                Some(template) => template.expand(vars).map_err(|problem| Error::Word {
                    at: heredoc.at.clone(),
                    word: format!("here-document {}", heredoc.name),
                    problem,
                })?,
                None => heredoc.body.clone(),
            },
        }),
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
