//! An image that is to be signed: what its signature is over, and the signed image.

use std::ops::Range;
use std::sync::Arc;

use base::bounded::{product, sum, without};
use base::{as_u64, as_usize};
use plan::{Builder, Plan, ReadAt, Reader};

use crate::error::Error;
use crate::headers::DIRECTORY;
use crate::image::Image;

/// Where a certificate table starts, and what its entries are multiples of.
const ALIGNMENT: u64 = 8;

/// `WIN_CERT_REVISION_2_0`, `WIN_CERT_TYPE_PKCS_SIGNED_DATA`.
const ENTRY_KIND: [u8; 4] = [0x00, 0x02, 0x02, 0x00];
/// The checksum's length.
const CHECK_SUM: u64 = 4;
/// How much is read at a time.
const CHUNK: u64 = 1 << 20;

/// A tight image that is not signed (see the crate's page), or what a signed one was before.
#[derive(Clone, Debug)]
pub struct Signable {
    /// The headers, with checksum 0.
    head: Vec<u8>,
    /// Where in them the directory of the certificate table stands.
    directory: Range<usize>,
    /// What of them Authenticode hashes: all but checksum and directory.
    hashed: [Range<usize>; 3],
    len: u64,
    /// The length with zeros up to where the certificate table starts.
    padded: u64,
}

impl Signable {
    /// `WIN_CERTIFICATE` without its content: length, revision, type.
    pub const ENTRY_HEADER: usize = 8;

    /// Checks that an image can be signed.
    pub fn open<R: ReadAt>(reader: &Reader<R>) -> Result<Self, Error> {
        let image = Image::open(reader)?;
        image.refuse_signed()?;
        // What lies behind the last section is hashed, too.
        image.tight_end()?;
        Self::up_to(&image, image.len())
    }

    /// What of a signed image its signature is over: all before its certificate table, with which the file must end.
    pub fn open_signed<R: ReadAt>(reader: &Reader<R>) -> Result<Self, Error> {
        let image = Image::open(reader)?;
        let table = image.certificates().ok_or(Error::Unsigned)?;
        let (end, len) = (image.tight_end()?, image.len());
        if table.start < end || table.start % ALIGNMENT != 0 || table.end != len {
            let Range { start, end: stop } = table;
            let reason = format!(
                "the certificate table is said to be at {start}..{stop}, want it between the sections' end, {end}, \
                 and the file's, {len}, from a multiple of {ALIGNMENT} on"
            );
            return Err(Error::at(image.certificates_at()?, reason));
        }
        Self::up_to(&image, table.start)
    }

    /// The first `len` bytes of an image.
    fn up_to(image: &Image, len: u64) -> Result<Self, Error> {
        let check_sum = as_usize(image.check_sum_at());
        let behind_check_sum = as_usize(sum(image.check_sum_at(), CHECK_SUM));
        let certificates = image.certificates_at()?;
        let directory = as_usize(certificates)..as_usize(sum(certificates, as_u64(DIRECTORY)));
        let mut head = image.head.clone();
        if let Some(place) = head.get_mut(check_sum..behind_check_sum) {
            place.fill(0);
        }
        let padded = product(len.div_ceil(ALIGNMENT), ALIGNMENT);
        if padded > u64::from(u32::MAX) {
            let what = "the image".to_owned();
            return Err(Error::TooLong { what, len });
        }
        Ok(Self {
            hashed: [
                0..check_sum,
                behind_check_sum..directory.start,
                directory.end..head.len(),
            ],
            directory,
            head,
            len,
            padded,
        })
    }

    /// What Authenticode's digest begins with: the headers without checksum and the certificate table's place.
    pub fn hashed_head(&self) -> impl Iterator<Item = &[u8]> {
        let parts = self.hashed.iter().cloned();
        parts.filter_map(|part| self.head.get(part))
    }

    /// The headers of the image with a certificate table of `table` bytes.
    pub fn signed_head(&self, table: u32) -> Result<Vec<u8>, Error> {
        let too_long = |_| Error::TooLong {
            what: "the image".to_owned(),
            len: self.padded,
        };
        let start = u32::try_from(self.padded).map_err(too_long)?;
        let mut head = self.head.clone();
        if let Some(place) = head.get_mut(self.directory.clone()) {
            let (address, size) = place.split_at_mut(size_of::<u32>());
            address.copy_from_slice(&start.to_le_bytes());
            size.copy_from_slice(&table.to_le_bytes());
        }
        Ok(head)
    }

    /// Gives `take` all that lies between the headers and the certificate table, in order.
    pub fn body<R: ReadAt>(
        &self,
        reader: &Reader<R>,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), Error> {
        let mut at = as_u64(self.head.len());
        let mut buffer = vec![0; as_usize(CHUNK)];
        while at < self.len {
            let count = without(self.len, at).min(CHUNK);
            let (part, _) = buffer.split_at_mut(as_usize(count));
            reader.read_at(part, at)?;
            take(part);
            at = sum(at, count);
        }
        let padding = as_usize(without(self.padded, self.len));
        take(&vec![0; padding]);
        Ok(())
    }

    /// The certificate table with one entry: PKCS#7 signed data.
    pub fn table(&self, signed_data: &[u8]) -> Result<Vec<u8>, Error> {
        let len = sum(as_u64(Self::ENTRY_HEADER), as_u64(signed_data.len()));
        let len = product(len.div_ceil(ALIGNMENT), ALIGNMENT);
        let field = u32::try_from(len).ok();
        let end = len.checked_add(self.padded);
        let (Some(field), Some(..=0xffff_ffff)) = (field, end) else {
            let what = "the image with its certificates".to_owned();
            return Err(Error::TooLong { what, len });
        };
        let mut table = Vec::new();
        table.extend(field.to_le_bytes());
        table.extend(ENTRY_KIND);
        table.extend(signed_data);
        table.resize(as_usize(len), 0);
        Ok(table)
    }

    /// The signed image. `plan` is that of the reader that it was opened with.
    pub fn attach(&self, plan: &Plan, table: &[u8]) -> Result<Plan, Error> {
        let len = u32::try_from(table.len()).map_err(|_| Error::TooLong {
            what: "the certificate table".to_owned(),
            len: as_u64(table.len()),
        })?;
        let inputs: Arc<[_]> = plan.inputs().into();
        let mut builder = Builder::new(inputs);
        builder.inline(&self.signed_head(len)?)?;
        let head = as_u64(self.head.len());
        builder.range(plan, head, without(self.len, head))?;
        builder.zero_to(self.padded)?;
        builder.inline(table)?;
        Ok(builder.finish()?)
    }
}
