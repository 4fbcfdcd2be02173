//! Random images for the tests, and dm-verity in its plainest form to compare with.
#![allow(dead_code, reason = "each test file uses some of it")]

use plan::{Builder, Input, Plan, Reader};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// A piece of an image; numbers are taken modulo what is there.
#[derive(Clone, Debug)]
pub enum Part {
    Zero(u32),
    Inline(Vec<u8>),
    Source { input: usize, at: u32, len: u32 },
}

/// An image and what it is made of.
#[derive(Clone, Debug)]
pub struct Image {
    pub inputs: Vec<Vec<u8>>,
    pub plan: Plan,
    pub bytes: Vec<u8>,
}

/// Bytes that differ everywhere, with some stretches of zeros.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        if state >> 52 == 0 {
            bytes.resize(bytes.len() + 5000, 0);
        }
        bytes.extend_from_slice(&(state >> 16).to_le_bytes()[..5]);
    }
    bytes.truncate(len);
    bytes
}

impl Image {
    pub fn new(inputs: Vec<Vec<u8>>, parts: &[Part]) -> Self {
        let known = inputs.iter().map(|i| Input::of_len(i.len() as u64));
        let mut builder = Builder::new(known.collect::<Vec<_>>());
        let mut bytes = Vec::new();
        for part in parts {
            match part {
                Part::Zero(len) => {
                    bytes.resize(bytes.len() + *len as usize, 0);
                    builder.zero(u64::from(*len)).unwrap();
                }
                Part::Inline(data) => {
                    bytes.extend_from_slice(data);
                    builder.inline(data).unwrap();
                }
                Part::Source { input, at, len } => {
                    let input = input % inputs.len();
                    let data = &inputs[input];
                    let at = *at as usize % (data.len() + 1);
                    let len = (*len as usize).min(data.len() - at);
                    bytes.extend_from_slice(&data[at..at + len]);
                    let source = (input as u32, at as u64, len as u64);
                    builder.source(source.0, source.1, source.2).unwrap();
                }
            }
        }
        let plan = builder.finish().unwrap();
        Self {
            inputs,
            plan,
            bytes,
        }
    }

    pub fn reader(&self) -> Reader<Vec<u8>> {
        reader(&self.plan, self.inputs.clone())
    }
}

pub fn reader(plan: &Plan, inputs: Vec<Vec<u8>>) -> Reader<Vec<u8>> {
    let named = inputs.into_iter().enumerate();
    let named = named.map(|(n, bytes)| (format!("input {n}"), bytes));
    Reader::new(plan.clone(), named.collect()).unwrap()
}

/// An image of at least one byte over three inputs, with pieces that often keep to blocks of `block` bytes.
pub fn images(block: u32) -> impl Strategy<Value = Image> {
    let size = prop_oneof![
        3 => (0..8u32).prop_map(move |n| n * block),
        2 => 0..3 * block,
        1 => (0..8u32).prop_map(move |n| (n * block).saturating_sub(1)),
    ];
    let size = size.boxed();
    let part = prop_oneof![
        2 => (0..40u32).prop_map(move |n| Part::Zero(n * block)),
        1 => size.clone().prop_map(Part::Zero),
        2 => (size.clone(), any::<u64>()).prop_map(|(n, seed)| Part::Inline(noise(n as usize, seed))),
        4 => (0..3usize, size.clone(), size.clone()).prop_map(|(input, at, len)| Part::Source { input, at, len }),
        2 => (0..3usize, size.clone(), Just(u32::MAX)).prop_map(|(input, at, len)| Part::Source { input, at, len }),
    ];
    let inputs = prop::collection::vec((size, any::<u64>()), 3);
    (inputs, prop::collection::vec(part, 1..20)).prop_filter_map("empty", |(inputs, parts)| {
        let inputs = inputs.iter().map(|(len, seed)| noise(*len as usize, *seed));
        let image = Image::new(inputs.collect(), &parts);
        (!image.bytes.is_empty()).then_some(image)
    })
}

/// The tree as the kernel's documentation tells of it: root hash, and the levels with the root's block first.
pub fn tree(data: &[u8], salt: &[u8], data_block: usize, hash_block: usize) -> (Vec<u8>, Vec<u8>) {
    let hash = |block: &[u8]| Sha256::digest([salt, block].concat()).to_vec();
    let padded = |bytes: &[u8], size: usize| {
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes.len().next_multiple_of(size), 0);
        bytes
    };
    let digests = |bytes: &[u8], size: usize| -> Vec<u8> {
        padded(bytes, size).chunks(size).flat_map(hash).collect()
    };
    let mut top = digests(data, data_block);
    let mut levels = Vec::new();
    while top.len() > 32 {
        let level = padded(&top, hash_block);
        top = digests(&level, hash_block);
        levels.insert(0, level);
    }
    (top, levels.concat())
}
