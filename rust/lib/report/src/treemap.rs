//! Rectangles whose areas are as numbers are to each other: a squarified treemap.
//!
//! After M. Bruls, K. Huizing, J. J. van Wijk, "Squarified Treemaps" (2000): rectangles are laid in rows along the shorter side of what is
//! left, and a row takes another one as long as its worst proportion gets no worse.
//!
//! All positions are whole units, so the same numbers are the same picture on any machine, and the rectangles fill the given one exactly:
//! none overlap, nothing is left. What is too small for a unit has an empty rectangle.

/// A rectangle in units of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    /// Left edge.
    pub x: u16,
    /// Upper edge.
    pub y: u16,
    /// Width.
    pub width: u16,
    /// Height.
    pub height: u16,
}

impl Rect {
    /// `width` by `height`, from the upper left corner.
    pub fn new(width: u16, height: u16) -> Self {
        Self {
            x: 0,
            y: 0,
            width,
            height,
        }
    }

    /// How many square units it has.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "two factors below 2^16 are below 2^32"
    )]
    pub fn area(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    fn is_wide(self) -> bool {
        self.width >= self.height
    }

    /// Its part between two places along the longer or the shorter side.
    fn part(self, along_width: bool, from: u16, to: u16) -> Self {
        let len = to.abs_diff(from);
        match along_width {
            true => Self {
                x: within(self.x, from),
                width: len,
                ..self
            },
            false => Self {
                y: within(self.y, from),
                height: len,
                ..self
            },
        }
    }
}

/// The place `at` behind `start`, both in one picture.
#[expect(
    clippy::expect_used,
    reason = "a place within a rectangle, of which [`squarify`] has checked that its edges are below 2^16"
)]
fn within(start: u16, at: u16) -> u16 {
    start.checked_add(at).expect("a place in the picture")
}

/// All numbers together are below so many bits after [`scaled`], and below twice that if each is one at least.
const BITS: u32 = 32;

/// The rectangles of `values` in `rect`, in their order. Descending values give the squarest ones; any others fill it, too.
///
/// A rectangle that reaches beyond unit 65535 is cut there.
pub fn squarify(values: &[u64], rect: Rect) -> Vec<Rect> {
    let scaled = scaled(values);
    let mut left: u128 = scaled.iter().sum();
    let mut rest = Rect {
        width: rect.width.min(u16::MAX.abs_diff(rect.x)),
        height: rect.height.min(u16::MAX.abs_diff(rect.y)),
        ..rect
    };
    // Nothing takes no part.
    let some: Vec<u128> = scaled.iter().copied().filter(|value| *value > 0).collect();
    let mut placed = Vec::with_capacity(some.len());
    let mut todo = some.as_slice();
    while !todo.is_empty() {
        let (row, after) = todo.split_at(row(todo, left, rest));
        let sum: u128 = row.iter().sum();
        let wide = rest.is_wide();
        let long = if wide { rest.width } else { rest.height };
        let cut = share(sum, left, long);
        let strip = rest.part(wide, 0, cut);
        let short = if wide { rest.height } else { rest.width };
        let (mut before, mut from) = (0, 0);
        for value in row {
            before = added(before, *value);
            let to = share(before, sum, short);
            placed.push(strip.part(!wide, from, to));
            from = to;
        }
        rest = rest.part(wide, cut, long);
        left = left.abs_diff(sum);
        todo = after;
    }
    let mut placed = placed.into_iter();
    let each = scaled.iter().map(|value| match value {
        0 => Rect {
            width: 0,
            height: 0,
            ..rect
        },
        _ => placed.next().unwrap_or_default(),
    });
    each.collect()
}

/// The values so that all together are below 2^[`BITS`]; what is something stays something.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a shift by at most 128 - BITS"
)]
fn scaled(values: &[u64]) -> Vec<u128> {
    let sum: u128 = values.iter().copied().map(u128::from).sum();
    let used = u128::BITS - sum.leading_zeros();
    let shift = used.saturating_sub(BITS);
    let scale = |value: &u64| match *value {
        0 => 0,
        value => (u128::from(value) >> shift).max(1),
    };
    values.iter().map(scale).collect()
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "scaled numbers: a sum of fewer than 2^64 below 2^32"
)]
fn added(a: u128, b: u128) -> u128 {
    a + b
}

/// So much of `len` as `part` is of `whole`.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    reason = "whole > 0, since no value of a row is zero; part <= whole, so the share is at most len"
)]
fn share(part: u128, whole: u128, len: u16) -> u16 {
    u16::try_from(part * u128::from(len) / whole).expect("a part of len")
}

/// How many of `values`, which are `left` together, the next row takes in `rest`.
fn row(values: &[u128], left: u128, rest: Rect) -> usize {
    let side = u128::from(rest.width.min(rest.height));
    if side == 0 {
        return values.len();
    }
    let area = u128::from(rest.area());
    let (mut sum, mut most, mut least) = (0, 0, u128::MAX);
    let mut best = u128::MAX;
    for (taken, value) in values.iter().enumerate() {
        sum = added(sum, *value);
        most = most.max(*value);
        least = least.min(*value);
        let worst = worst(sum, (most, least), left, side, area);
        if worst > best {
            return taken;
        }
        best = worst;
    }
    values.len()
}

/// The worst proportion in a row of `sum`, times 256. Of a value v the length along the row is v side / sum, its thickness
/// sum area / (left side).
#[expect(
    clippy::arithmetic_side_effects,
    reason = "values, sum and left are below 2^33, side below 2^16, area below 2^32: each product is below 2^110; sum, least and area \
              are not zero"
)]
fn worst(sum: u128, (most, least): (u128, u128), left: u128, side: u128, area: u128) -> u128 {
    let (across, along) = (sum * sum * area, side * side * left);
    let flat = (most * along * 256) / across;
    let tall = (across * 256) / (least * along);
    flat.max(tall)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Those of the paper: 6, 6, 4, 3, 2, 2, 1 in 6 by 4.
    #[test]
    fn the_example_of_the_paper() {
        let got = squarify(&[6, 6, 4, 3, 2, 2, 1], Rect::new(600, 400));
        let rect = |x, y, width, height| Rect {
            x,
            y,
            width,
            height,
        };
        assert_eq!(got[0], rect(0, 0, 300, 200));
        assert_eq!(got[1], rect(0, 200, 300, 200));
        assert_eq!(got[2].y, 0);
        assert_eq!(got[3].y, 0);
        assert_eq!(
            got[2].area().abs_diff(got[3].area() * 4 / 3) / 300,
            0,
            "{got:?}"
        );
        assert_eq!(got.iter().map(|r| r.area()).sum::<u64>(), 240_000);
    }

    #[test]
    fn ends() {
        let rect = Rect {
            x: 3,
            y: 4,
            width: 10,
            height: 20,
        };
        assert_eq!(squarify(&[], rect), []);
        assert_eq!(squarify(&[7], rect), [rect]);
        let got = squarify(&[0, 7, 0], rect);
        assert_eq!(got[1], rect);
        assert_eq!((got[0].area(), got[2].area()), (0, 0));
        assert!(squarify(&[1; 3], Rect::new(0, 5))
            .iter()
            .all(|r| r.area() == 0));
        // Far more than there are units, and the largest numbers.
        let many = squarify(&vec![u64::MAX; 5000], rect);
        assert_eq!(many.iter().map(|r| r.area()).sum::<u64>(), 200);
        let edge = Rect {
            x: u16::MAX - 5,
            width: 10,
            ..rect
        };
        assert_eq!(squarify(&[1], edge)[0].width, 5);
    }

    proptest! {
        /// Every unit of the rectangle is in exactly one of the others, and areas are as the values are.
        #[test]
        fn all_of_it_once(
            mut values in proptest::collection::vec(prop_oneof![0u64..3, 1u64..1000, 1u64 << 40..1 << 41], 0..40),
            width in 1u16..60, height in 1u16..60, x in 0u16..5, y in 0u16..5, sort: bool,
        ) {
            if sort {
                values.sort_by(|a, b| b.cmp(a));
            }
            let rect = Rect { x, y, width, height };
            let got = squarify(&values, rect);
            prop_assert_eq!(got.len(), values.len());
            let mut covered = vec![0u8; usize::from(width) * usize::from(height)];
            for part in &got {
                for across in part.x..part.x + part.width {
                    for down in part.y..part.y + part.height {
                        let place = usize::from(down - y) * usize::from(width) + usize::from(across - x);
                        covered[place] += 1;
                    }
                }
            }
            let want = u8::from(values.iter().any(|v| *v > 0));
            prop_assert!(covered.iter().all(|times| *times == want), "{:?}", got);
        }

        /// In a large picture no area is further from its share than edges cut to units make it.
        #[test]
        fn areas_are_shares(mut values in proptest::collection::vec(1u64..1 << 20, 1..30)) {
            values.sort_by(|a, b| b.cmp(a));
            let rect = Rect::new(20_000, 12_000);
            let sum: u64 = values.iter().sum();
            for (part, value) in squarify(&values, rect).iter().zip(&values) {
                let want = u128::from(rect.area()) * u128::from(*value) / u128::from(sum);
                let far = u128::from(part.area()).abs_diff(want);
                // Each of the four edges may be a unit off, and a row's cut is off for all behind it.
                let bound = 4 * (u128::from(part.width) + u128::from(part.height)) + want / 100;
                prop_assert!(far <= bound, "{part:?} has {far} units too many or too few of {want}");
            }
        }
    }
}
