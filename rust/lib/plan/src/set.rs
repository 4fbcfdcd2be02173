//! Several images as parts of one: opened together, over one list of inputs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use files::InputFile;

use crate::error::Error;
use crate::list::{in_list, measure, List};
use crate::plan::{Input, Plan};

/// Images that go into another one, all over the same inputs: those of the first in its order, then what the second has
/// besides, and so on. An input is known by its path, so it is one input however many of the images have it.
///
/// This order is the only numbering there is. Whoever writes the list of the whole ([`List`]) puts the inputs' paths in the
/// same order: by first appearance. That the two agree is checked where such a list is opened, by number and lengths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageSet {
    plans: Vec<Plan>,
    inputs: Arc<[Input]>,
    paths: Vec<PathBuf>,
}

impl ImageSet {
    /// The images at `paths`: what ends in `.image` is a list, of which only the plan is read; all else is a file or a block
    /// device, of which only the length is asked.
    pub fn open<P: AsRef<Path>>(paths: &[P]) -> Result<Self, Error> {
        Self::gather(paths.iter().map(|path| open_any(path.as_ref())))
    }

    /// The images at `paths`, whose lengths are known to be `lens`. A file is not looked at, so that its content may change
    /// without anybody reading it again; the image of a list must have that length.
    pub fn open_sized<P: AsRef<Path>>(paths: &[P], lens: &[u64]) -> Result<Self, Error> {
        Self::open_sized_and(paths, lens, &[])
    }

    /// Those of [`ImageSet::open_sized`], and behind them those at `more`, as [`ImageSet::open`] takes them.
    pub fn open_sized_and<P: AsRef<Path>>(
        paths: &[P],
        lens: &[u64],
        more: &[&Path],
    ) -> Result<Self, Error> {
        if paths.len() != lens.len() {
            let (given, want) = (paths.len(), lens.len());
            let reason = format!("{given} files are given for {want} inputs");
            return Err(Error::Inputs { reason });
        }
        let sized = paths.iter().zip(lens).map(|(path, len)| {
            let path = path.as_ref();
            if !List::is_named(path) {
                return Ok((Plan::whole(*len)?, vec![path.to_owned()]));
            }
            let (plan, inputs) = open_list(path)?;
            if plan.len() != *len {
                let (name, have) = (path.display(), plan.len());
                let reason = format!("{name} is an image of {have} bytes, want {len}");
                return Err(Error::Inputs { reason });
            }
            Ok((plan, inputs))
        });
        Self::gather(sized.chain(more.iter().map(|path| open_any(path))))
    }

    /// Files of these lengths, each an image and an input of its own.
    pub fn of_lens(lens: &[u64]) -> Result<Self, Error> {
        let files = (0..).zip(lens);
        Self::gather(files.map(|(at, len): (u64, _)| {
            Ok((Plan::whole(*len)?, vec![PathBuf::from(at.to_string())]))
        }))
    }

    /// Each with the paths of its inputs.
    fn gather(
        images: impl Iterator<Item = Result<(Plan, Vec<PathBuf>), Error>>,
    ) -> Result<Self, Error> {
        let mut merged = Merged::default();
        let mut opened = Vec::new();
        for image in images {
            let (plan, paths) = image?;
            let places = merged.enter(&plan, paths)?;
            opened.push((plan, places));
        }
        let inputs: Arc<[Input]> = merged.inputs.into();
        let plans = opened
            .into_iter()
            .map(|(plan, places)| plan.moved(&places, &inputs));
        Ok(Self {
            plans: plans.collect::<Result<_, _>>()?,
            inputs,
            paths: merged.paths,
        })
    }

    /// The images, in the order they were given.
    pub fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// The images alone.
    pub fn into_plans(self) -> Vec<Plan> {
        self.plans
    }

    /// The image at a position.
    pub fn plan(&self, position: usize) -> Result<&Plan, Error> {
        self.plans.get(position).ok_or_else(|| {
            let have = self.plans.len();
            let reason = format!("there is no image {position}: {have} are given");
            Error::Inputs { reason }
        })
    }

    /// What every one of the plans is over.
    pub fn inputs(&self) -> Arc<[Input]> {
        Arc::clone(&self.inputs)
    }

    /// The inputs' paths, in the same order.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }
}

/// The plan of an image, and its inputs' paths.
fn open_any(path: &Path) -> Result<(Plan, Vec<PathBuf>), Error> {
    if List::is_named(path) {
        return open_list(path);
    }
    let name = path.display().to_string();
    let file = InputFile::open(path).map_err(Error::io(&name))?;
    Ok((Plan::whole(measure(&file, &name)?)?, vec![path.to_owned()]))
}

/// The plan of a list, and its inputs' paths.
fn open_list(path: &Path) -> Result<(Plan, Vec<PathBuf>), Error> {
    let list = List::open(path)?;
    let plan = Plan::open(&list.plan).and_then(|plan| {
        let (have, given) = (plan.inputs().len(), list.inputs.len());
        if have != given {
            return Err(Error::input_count(have, given));
        }
        Ok(plan)
    });
    Ok((plan.map_err(|source| in_list(path, source))?, list.inputs))
}

/// The inputs seen so far.
#[derive(Default)]
struct Merged {
    places: BTreeMap<PathBuf, u32>,
    inputs: Vec<Input>,
    paths: Vec<PathBuf>,
}

impl Merged {
    /// The places of `plan`'s inputs, which are at `paths`.
    fn enter(&mut self, plan: &Plan, paths: Vec<PathBuf>) -> Result<Vec<u32>, Error> {
        let inputs = plan.inputs().iter().zip(paths);
        inputs
            .map(|(input, path)| self.place(*input, path))
            .collect()
    }

    fn place(&mut self, input: Input, path: PathBuf) -> Result<u32, Error> {
        let next = u32::try_from(self.inputs.len()).map_err(|_| Error::Inputs {
            reason: "an image has at most 4294967295 inputs".to_owned(),
        })?;
        let place = *self.places.entry(path.clone()).or_insert(next);
        if place == next {
            self.inputs.push(input);
            self.paths.push(path);
            return Ok(place);
        }
        let before = usize::try_from(place)
            .ok()
            .and_then(|at| self.inputs.get(at));
        if before == Some(&input) {
            return Ok(place);
        }
        let (name, len) = (path.display(), input.len);
        let other = before.map_or(0, |before| before.len);
        let reason = format!("one image was made over {name} of {other} bytes, another over {len}");
        Err(Error::Inputs { reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Canvas};

    /// A folder with an image `NAME.image` of some inputs.
    struct Folder(tempfile::TempDir);

    impl Folder {
        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        /// Each input's first `lens[n]` bytes.
        fn image(&self, name: &str, inputs: &[(&str, u64)], take: &[u64]) -> PathBuf {
            let all: Vec<_> = inputs.iter().map(|(_, len)| Input::of_len(*len)).collect();
            let mut builder = Builder::new(all);
            for (input, len) in (0..).zip(take) {
                builder.source(input, 0, *len).unwrap();
            }
            let plan = self.at(&format!("{name}.plan"));
            std::fs::write(&plan, builder.finish().unwrap().encode()).unwrap();
            let mut text = format!("{}\n", plan.display());
            for (input, _) in inputs {
                text.push_str(&format!("{input}\n"));
            }
            let list = self.at(&format!("{name}.image"));
            std::fs::write(&list, text).unwrap();
            list
        }
    }

    #[test]
    fn one_numbering_by_first_appearance() {
        let folder = Folder(tempfile::tempdir().unwrap());
        let a = folder.image("a", &[("x", 10), ("y", 20)], &[1, 2]);
        let b = folder.image("b", &[("z", 30), ("y", 20)], &[3, 4]);
        let raw = folder.at("raw");
        std::fs::write(&raw, b"12345").unwrap();
        let set = ImageSet::open(&[&a, &raw, &b, &raw]).unwrap();
        let paths = [Path::new("x"), Path::new("y"), &raw, Path::new("z")];
        assert_eq!(set.paths(), paths);
        assert_eq!(*set.inputs(), [10, 20, 5, 30].map(Input::of_len));

        let mut canvas = Canvas::new(100, set.inputs()).unwrap();
        canvas.plan(0, &set.plans()[0]).unwrap();
        canvas.plan(10, &set.plans()[2]).unwrap();
        canvas.range(50, &set.plans()[3], 1, 4).unwrap();
        let mut want = Builder::new(set.inputs());
        want.source(0, 0, 1).unwrap();
        want.source(1, 0, 2).unwrap();
        want.zero_to(10).unwrap();
        want.source(3, 0, 3).unwrap();
        want.source(1, 0, 4).unwrap();
        want.zero_to(50).unwrap();
        want.source(2, 1, 4).unwrap();
        want.zero_to(100).unwrap();
        assert_eq!(canvas.finish().unwrap(), want.finish().unwrap());

        // A plan over other inputs is no part of an image.
        let other = ImageSet::open(&[&b]).unwrap();
        let mut builder = Builder::new(set.inputs());
        assert_eq!(
            builder.plan(&other.plans()[0]).unwrap_err().to_string(),
            "a plan over 2 inputs is put into an image over 4 others"
        );
    }

    #[test]
    fn inputs_that_do_not_agree() {
        let folder = Folder(tempfile::tempdir().unwrap());
        let a = folder.image("a", &[("x", 10)], &[1]);
        let b = folder.image("b", &[("x", 11)], &[1]);
        assert_eq!(
            ImageSet::open(&[&a, &b]).unwrap_err().to_string(),
            "one image was made over x of 10 bytes, another over 11"
        );
        let plan = folder.at("a.plan");
        std::fs::write(&a, format!("{}\nx\ny\n", plan.display())).unwrap();
        let error = ImageSet::open(&[&a]).unwrap_err();
        assert_eq!(error.to_string(), a.display().to_string());
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, "the plan was made over 1 inputs, but 2 are given");
    }

    #[test]
    fn sizes_instead_of_files() {
        let folder = Folder(tempfile::tempdir().unwrap());
        let a = folder.image("a", &[("x", 10)], &[7]);
        let paths = [Path::new("not/there"), &a];
        let set = ImageSet::open_sized(&paths, &[99, 7]).unwrap();
        assert_eq!(*set.inputs(), [99, 10].map(Input::of_len));
        assert_eq!(set.plan(1).unwrap().len(), 7);
        assert_eq!(
            set.plan(2).unwrap_err().to_string(),
            "there is no image 2: 2 are given"
        );
        assert_eq!(
            ImageSet::open_sized(&paths, &[99]).unwrap_err().to_string(),
            "2 files are given for 1 inputs"
        );
        assert_eq!(
            ImageSet::open_sized(&paths, &[99, 8])
                .unwrap_err()
                .to_string(),
            format!("{} is an image of 7 bytes, want 8", a.display())
        );
        let raw = folder.at("raw");
        std::fs::write(&raw, b"12345").unwrap();
        let b = folder.image("b", &[("not/there", 99), ("y", 4)], &[3, 4]);
        let both = ImageSet::open_sized_and(&paths, &[99, 7], &[&b, &raw]).unwrap();
        assert_eq!(*both.inputs(), [99, 10, 4, 5].map(Input::of_len));
        assert_eq!(both.plan(2).unwrap().len(), 7);
        assert_eq!(both.plan(3).unwrap().len(), 5);
        let same = ImageSet::of_lens(&[3, 3]).unwrap();
        assert_eq!(*same.inputs(), [3, 3].map(Input::of_len));
        assert_ne!(same.plans()[0], same.plans()[1]);
        assert_eq!(same.clone().into_plans(), same.plans());
    }
}
