//! Raw images whose holes count.

use std::fs::File;

use base::holes::next_data;
use files::InputFile;

use crate::builder::Builder;
use crate::error::Error;
use crate::plan::{Input, Plan};
use crate::read::Reader;

impl Plan {
    /// The plan of a raw image with one input, `file` of `len` bytes, whose holes are zero. Where the file system does not know holes, all is
    /// data. Errors call the file `name`.
    pub fn of_sparse(file: &File, name: &str, len: u64) -> Result<Self, Error> {
        let mut builder = Builder::new([Input::of_len(len)]);
        let mut at = 0;
        while at < len {
            let data = next_data(file, at, len).map_err(Error::io(name))?;
            builder.zero_to(data.start)?;
            builder.source(0, data.start, data.end.abs_diff(data.start))?;
            at = data.end;
        }
        builder.finish()
    }
}

impl Reader<InputFile> {
    /// The same image, with the holes of a raw file known: they are zero in its plan. An image of a list stays as it is.
    pub fn with_holes(self) -> Result<Self, Error> {
        let len = self.len();
        let raw = *self.plan() == Plan::whole(len)?;
        let [(name, input)] = self.inputs() else {
            return Ok(self);
        };
        if !raw || !input.stamp().is_file {
            return Ok(self);
        }
        let file = input.file().map_err(Error::io(name))?;
        let plan = Plan::of_sparse(&file, name, len)?;
        self.with_plan(plan)
    }

    /// Another image over the same inputs.
    pub fn with_plan(self, plan: Plan) -> Result<Self, Error> {
        Self::new(plan, self.into_inputs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Piece;
    use std::os::unix::fs::FileExt;

    #[test]
    fn holes_are_zeros() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk.img");
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(8 << 20).unwrap();
        file.write_all_at(b"data", 4 << 20).unwrap();
        let reader = Reader::open_any(&path).unwrap().with_holes().unwrap();
        let zeros: u64 = reader
            .plan()
            .extents()
            .filter(|e| e.piece == Piece::Zero)
            .map(|e| e.len)
            .sum();
        // All but a block, where the file system knows holes.
        assert!(zeros > 7 << 20, "{zeros}");
        let mut bytes = vec![1; 8 << 20];
        reader.read_at(&mut bytes, 0).unwrap();
        let mut want = vec![0; 8 << 20];
        want[4 << 20..(4 << 20) + 4].copy_from_slice(b"data");
        assert!(bytes == want);
        // One of a plan is what it was.
        let plan = reader.plan().clone();
        let reader = reader.with_holes().unwrap();
        assert_eq!(reader.plan(), &plan);
        let part = plan.slice(1 << 20, 6 << 20).unwrap();
        let reader = reader.with_plan(part.clone()).unwrap();
        assert_eq!(reader.with_holes().unwrap().plan(), &part);
    }
}
