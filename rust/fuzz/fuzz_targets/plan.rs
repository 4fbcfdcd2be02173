//! Plans: whatever is taken is canonical, and can be cut, shown and put together again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plan::{Builder, Canvas, Plan};
use sha2::{Digest, Sha256};

const HEAD: usize = 40;

fuzz_target!(|data: &[u8]| {
    if let Ok(plan) = Plan::decode(data) {
        check(&plan);
    }
    // Digest and magic are right; the numbers of the head may be anything, and what is behind it a body, a frame or neither.
    let mut bytes = b"IMGPLAN\0\x03\0\0\0".to_vec();
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().max(HEAD), 0);
    if let Ok(plan) = Plan::decode(&sealed(&bytes)) {
        check(&plan);
    }
    // The same body, packed.
    let body = bytes.split_off(HEAD);
    bytes.extend_from_slice(&zstd::bulk::compress(&body, 1).unwrap());
    if let Ok(plan) = Plan::decode(&sealed(&bytes)) {
        check(&plan);
    }
});

fn sealed(bytes: &[u8]) -> Vec<u8> {
    [bytes, Sha256::digest(bytes).as_slice()].concat()
}

fn check(plan: &Plan) {
    assert_eq!(Plan::decode(&plan.encode()).unwrap(), *plan);
    plan.dump(std::io::sink()).unwrap();
    // Iterating over a long repeat takes as long as it is.
    if plan.len() > 1 << 24 {
        return;
    }
    let half = plan.len() / 2;
    let mut builder = Builder::new(plan.inputs().to_vec());
    for (start, len) in [(0, half), (half, plan.len() - half)] {
        builder.plan(&plan.slice(start, len).unwrap()).unwrap();
    }
    assert_eq!(builder.finish().unwrap(), *plan);
    let mut canvas = Canvas::new(plan.len(), plan.inputs().to_vec()).unwrap();
    canvas.plan(0, plan).unwrap();
    assert_eq!(canvas.finish().unwrap(), *plan);
}
