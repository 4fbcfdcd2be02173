//! The images that travel with this system: deployment.json, files, env, digests.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::Sender;

use base::as_u64;
use deployment::Deployment;
use os_config::plain;
use plan::{Piece, Plan, ReadAt, Reader};
use steps::{Failure, Progress};
use verity::FsverityDigest;

use super::{Context, Look};
use crate::block;
use crate::facts::{Image, State};

/// Name of the step that finds the images.
pub(crate) const IMAGES: &str = "images";
/// Name of the step that computes their digests.
pub(crate) const DIGESTS: &str = "digests";

const DOCUMENT: &str = "deployment.json";
/// The images without which there is nothing to install.
const WANTED: [&str; 2] = ["host-os", "guest-os"];
/// The property that says what something was built for.
const ENV: &str = "env";

pub(super) const STEP: Look = Look {
    name: IMAGES,
    plan: |context| {
        let dir = context.system.path(&context.places.data);
        format!("read {}/{DOCUMENT} and find its images", dir.display())
    },
    run: |context, _| find(context),
};

fn find(context: &mut Context) -> Result<Vec<String>, Failure> {
    let dir = context.system.path(&context.places.data);
    let path = dir.join(DOCUMENT);
    let shown = path.display().to_string();
    let document = read(&path).map_err(|text| {
        let mounted = block::is_mounted(&context.system, &context.places.data);
        Failure::new(match path.exists() || mounted {
            true => format!("{shown}: {text}"),
            false => format!("{shown}: {text}; nothing is mounted there"),
        })
    })?;
    let own = context.facts.env.as_deref();
    let mut problems = Vec::new();
    problems.extend(not_vouched_for(context, &path));
    problems.extend(wrong_env(&shown, document.properties.get(ENV), own));
    for name in WANTED {
        if !document.images.iter().any(|image| image.name == name) {
            problems.push(format!("{shown}: no image {name}"));
        }
    }
    let mut images = Vec::new();
    for image in document.images {
        let before = problems.len();
        let env = image.properties.get(ENV);
        let what = format!("{shown}: image {}", image.name);
        problems.extend(wrong_env(&what, env, own));
        problems.extend(wrong_file(&dir.join(&image.file), &image.name, image.size));
        images.push(Image {
            env: env.cloned(),
            state: match problems.len() == before {
                true => State::Unverified,
                false => State::Bad,
            },
            name: image.name,
            file: image.file,
            version: image.version,
            size: image.size,
            fsverity: image.fsverity,
        });
    }
    context.facts.images = images;
    context.properties = document.properties;
    let own = context.facts.version.as_deref();
    let other = own.filter(|own| *own != document.version);
    let note = other.map(|own| {
        let version = &document.version;
        format!("{shown} is of version {version}, this system of {own}")
    });
    Failure::unless_none(problems, note.into_iter().collect())
}

/// What is wrong if the description at `path` is not the one that this system was built with. That one lies in the root, which is checked
/// block by block; the images' volume is not. A system that was built without one vouches for nothing.
fn not_vouched_for(context: &Context, path: &Path) -> Option<String> {
    let own = context.system.path(&context.places.deployment_file);
    let (shown, want) = (path.display(), own.display());
    if !own.exists() {
        return None;
    }
    match (bytes(&own), bytes(path)) {
        (Ok(own), Ok(there)) if own == there => None,
        (Ok(_), Ok(_)) => Some(format!(
            "{shown}: not the description {want} that this system was built with: somebody exchanged the images"
        )),
        (Err(error), _) => Some(format!("{want}: {error}")),
        (_, Err(error)) => Some(format!("{shown}: {error}")),
    }
}

fn read(path: &Path) -> Result<Deployment, String> {
    Deployment::parse(&bytes(path)?).map_err(|error| cli::chain(&error))
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let file = plain::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    // One more than is taken, so that the parser sees what is too long.
    file.take(deployment::MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// What is wrong with the env that `what` says it was built for. Nothing is said when this system's own is not known: that
/// is a problem of its own.
fn wrong_env(what: &str, got: Option<&String>, own: Option<&str>) -> Option<String> {
    let own = own?;
    match got {
        Some(got) if got == own => None,
        Some(got) => Some(format!(
            "{what}: built for env {got}, this system is for {own}"
        )),
        None => Some(format!("{what}: does not say its env, want {own}")),
    }
}

/// What is wrong with an image's file before it is read.
fn wrong_file(path: &Path, name: &str, size: u64) -> Option<String> {
    let shown = path.display();
    let file = match plain::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Some(format!("{shown}: image {name} is missing"))
        }
        Err(error) => return Some(format!("{shown}: {error}")),
    };
    match file.metadata() {
        Ok(meta) if meta.len() == size => None,
        Ok(meta) => Some(format!(
            "{shown}: {} bytes, want {size}: the file is not whole",
            meta.len()
        )),
        Err(error) => Some(format!("{shown}: {error}")),
    }
}

pub(super) const DIGESTS_STEP: Look = Look {
    name: DIGESTS,
    plan: |context| {
        let dir = context.system.path(&context.places.data);
        format!(
            "compute the fs-verity digest of each image in {}",
            dir.display()
        )
    },
    run: verify,
};

fn verify(context: &mut Context, progress: Progress<'_>) -> Result<Vec<String>, Failure> {
    let dir = context.system.path(&context.places.data);
    let mut problems = Vec::new();
    let mut notes = Vec::new();
    let mut todo: Vec<&mut Image> = Vec::new();
    for image in &mut context.facts.images {
        // What is wrong with it was said when it was found.
        match image.state {
            State::Bad => notes.push(format!("{} is not verified", image.file)),
            _ => todo.push(image),
        }
    }
    if todo.is_empty() {
        notes.push("no image to verify".to_owned());
    }
    let found = wrong_digests(&dir, &todo, progress);
    for (image, problem) in todo.into_iter().zip(found) {
        image.state = match problem {
            None => State::Verified,
            Some(_) => State::Bad,
        };
        problems.extend(problem);
    }
    Failure::unless_none(problems, notes)
}

/// What is wrong with each image. One after another, each on all cores.
fn wrong_digests(dir: &Path, images: &[&mut Image], progress: Progress<'_>) -> Vec<Option<String>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let open = |image: &&mut Image| Opened::open(&dir.join(&image.file), sender.clone());
    let files: Vec<_> = images.iter().map(open).collect();
    drop(sender);
    let opened = files.iter().flatten();
    // Saturated it says less of the progress, and of nothing else.
    let of = opened.fold(0, |all: u64, file| all.saturating_add(file.data));
    progress(0, of);
    std::thread::scope(|threads| {
        let work = threads.spawn(|| {
            let pairs = images.iter().zip(files);
            pairs
                .map(|(image, file)| wrong_digest(&dir.join(&image.file), image, file))
                .collect::<Vec<_>>()
        });
        let mut done = 0_u64;
        while let Ok(more) = receiver.recv() {
            done = done.saturating_add(more);
            progress(done, of);
        }
        let panicked = |_| {
            let text = |image: &&mut Image| format!("reading {} ended by a panic", image.file);
            images.iter().map(text).map(Some).collect()
        };
        work.join().unwrap_or_else(panicked)
    })
}

fn wrong_digest(path: &Path, image: &Image, file: Result<Opened, plan::Error>) -> Option<String> {
    let shown = path.display();
    let digest = file
        .map_err(verity::Error::from)
        .and_then(|file| FsverityDigest::of(&file.reader));
    match digest {
        Ok(digest) if digest.len != image.size => Some(format!(
            "{shown}: {} bytes, want {}: the file is not whole",
            digest.len, image.size
        )),
        Ok(digest) if digest.to_string() != image.fsverity => Some(format!(
            "{shown}: fs-verity digest is {digest}, want {}: the file is damaged",
            image.fsverity
        )),
        Ok(_) => None,
        Err(error) => Some(cli::chain(&error)),
    }
}

/// An image to be read, and how much of it is no hole.
struct Opened {
    reader: Reader<Counted>,
    data: u64,
}

impl Opened {
    fn open(path: &Path, done: Sender<u64>) -> Result<Self, plan::Error> {
        let name = path.display().to_string();
        let failed = |source| plan::Error::Io {
            what: name.clone(),
            source,
        };
        let file = plain::open(path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        let plan = Plan::of_sparse(&file, &name, len)?;
        let data = plan.extents().filter(|extent| extent.piece != Piece::Zero);
        let data = data.fold(0, |all: u64, extent| all.saturating_add(extent.len));
        let reader = Reader::new(plan, vec![(name, Counted { file, done })])?;
        Ok(Self { reader, data })
    }
}

/// A file that says how much of it was read.
struct Counted {
    file: File,
    done: Sender<u64>,
}

impl ReadAt for Counted {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let read = FileExt::read_exact_at(&self.file, buffer, offset);
        read.map_err(|error| io::Error::new(error.kind(), format!("at byte {offset}: {error}")))?;
        // Whoever listens ends after this.
        let _ = self.done.send(as_u64(buffer.len()));
        Ok(())
    }
}

#[cfg(test)]
#[path = "images_tests.rs"]
mod tests;
