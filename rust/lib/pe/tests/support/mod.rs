//! Small EFI programs to try things on.

mod program;

use pe::uki::{Profile, Texts};
use plan::{ImageSet, Plan, Reader};

pub(crate) use program::{initrd, kernel, program, stub, SBAT};

/// Texts with two profiles.
pub(crate) fn texts() -> Texts {
    let profile = |id: &str| Profile {
        text: format!("ID={id}\nTITLE=Slot {id}"),
        cmdline: format!("root=/dev/{id} ro"),
    };
    Texts {
        os_release: "ID=test\nVERSION_ID=1\n".to_owned(),
        cmdline: "root=none".to_owned(),
        uname: None,
        sbat: "test,3,Nobody,test,1,https://test.example\n".to_owned(),
        profiles: vec![profile("A"), profile("B")],
    }
}

/// Readers of files in memory, all over one list of inputs.
pub(crate) fn readers(files: &[Vec<u8>]) -> Vec<Reader<Vec<u8>>> {
    let lens: Vec<u64> = files.iter().map(|file| file.len() as u64).collect();
    let set = ImageSet::of_lens(&lens).unwrap();
    let plans = set.plans().iter();
    plans.map(|plan| reader(plan.clone(), files)).collect()
}

/// A reader of a plan over files in memory.
pub(crate) fn reader(plan: Plan, files: &[Vec<u8>]) -> Reader<Vec<u8>> {
    let names = (0..).map(|n: u32| n.to_string());
    Reader::new(plan, names.zip(files.to_vec()).collect()).unwrap()
}

/// All bytes of an image.
pub(crate) fn bytes(reader: &Reader<Vec<u8>>) -> Vec<u8> {
    let mut bytes = vec![0xa5; usize::try_from(reader.len()).unwrap()];
    reader.read_at(&mut bytes, 0).unwrap();
    bytes
}

/// The unified kernel image of all of these.
pub(crate) fn uki(stub: Vec<u8>, kernel: Vec<u8>, texts: &Texts) -> Result<Vec<u8>, pe::Error> {
    let files = [stub, kernel, initrd()];
    let readers = readers(&files);
    let plan = pe::uki::layout(&readers[0], &readers[1], readers[2].plan(), texts)?;
    Ok(bytes(&reader(plan, &files)))
}
