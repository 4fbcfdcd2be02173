//! EFI programs: any bytes, and a well-formed one with any bytes in it, read, laid out over, signed.
#![no_main]

#[path = "../../lib/pe/tests/support/program.rs"]
#[allow(dead_code, reason = "the file serves several tests")]
mod program;

use libfuzzer_sys::fuzz_target;
use plan::{ImageSet, Reader};

fuzz_target!(|data: &[u8]| {
    attempt(data.to_vec(), program::kernel());
    // The first bytes say where the others go.
    let Some((at, bytes)) = data.split_first_chunk::<2>() else {
        return;
    };
    let at = usize::from(u16::from_le_bytes(*at)) % 1536;
    let mut stub = program::stub();
    let mut kernel = program::kernel();
    for file in [&mut stub, &mut kernel] {
        for (to, from) in file.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    }
    attempt(stub, program::kernel());
    attempt(program::stub(), kernel);
});

/// Takes a stub and a kernel as far as they go; what comes out can be signed.
fn attempt(stub: Vec<u8>, kernel: Vec<u8>) {
    let files = [stub, kernel, b"initrd".to_vec()];
    let lens: Vec<u64> = files.iter().map(|file| file.len() as u64).collect();
    let Ok(set) = ImageSet::of_lens(&lens) else {
        return;
    };
    let reader = |plan: &plan::Plan| {
        let names = (0..).map(|n: u32| n.to_string());
        Reader::new(plan.clone(), names.zip(files.clone()).collect()).unwrap()
    };
    let [stub, kernel, initrd] = set.plans() else {
        return;
    };
    let texts = pe::uki::Texts {
        cmdline: "root=none".to_owned(),
        ..Default::default()
    };
    let (stub, kernel) = (reader(stub), reader(kernel));
    for one in [&stub, &kernel] {
        if let Ok(signable) = pe::Signable::open(one) {
            let mut len = signable.signed_head(0).unwrap().len() as u64;
            signable
                .body(one, |bytes| len += bytes.len() as u64)
                .unwrap();
            assert_eq!(len, one.len().next_multiple_of(8));
        }
        if let Ok(signable) = pe::Signable::open_signed(one) {
            let mut len = signable.signed_head(0).unwrap().len() as u64;
            signable
                .body(one, |bytes| len += bytes.len() as u64)
                .unwrap();
            assert_eq!(
                len,
                pe::Image::open(one).unwrap().certificates().unwrap().start
            );
        }
    }
    if let Ok(plan) = pe::uki::layout(&stub, &kernel, initrd, &texts) {
        pe::Signable::open(&reader(&plan)).unwrap();
    }
}
