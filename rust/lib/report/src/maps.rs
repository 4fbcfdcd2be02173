//! What takes the space, as trees of numbers, and as pictures of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use base::bounded::{sum, without};

use crate::disk::{Disk, Item, Origin};
use crate::html::Html;
use crate::treemap::{squarify, Rect};

/// A number with a name, which may be made of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// The largest first.
    pub(crate) children: Vec<Node>,
}

/// What is called by a name while it is counted.
#[derive(Default)]
struct Count {
    bytes: u64,
    children: BTreeMap<String, Count>,
}

impl Count {
    /// Counts `bytes` for this and for what is below it on `way`.
    fn add(&mut self, way: &[&str], bytes: u64) {
        self.bytes = sum(self.bytes, bytes);
        if let Some((name, rest)) = way.split_first() {
            let child = self.children.entry((*name).to_owned()).or_default();
            child.add(rest, bytes);
        }
    }

    fn node(self, name: String) -> Node {
        let children = self.children.into_iter();
        let mut children: Vec<Node> = children.map(|(name, count)| count.node(name)).collect();
        children.sort_by(|a, b| (Reverse(a.bytes), &a.name).cmp(&(Reverse(b.bytes), &b.name)));
        Node {
            name,
            bytes: self.bytes,
            children,
        }
    }
}

/// Files by what put them there: sections of Debian's archive and their packages, what was injected, steps of the Dockerfile, and for
/// each partition what nobody noted.
pub(crate) fn by_origin(disk: &Disk) -> Node {
    let mut count = Count::default();
    for item in &disk.files {
        let (group, name) = origin(disk, item);
        count.add(&[&group, &name], item.bytes);
    }
    count.node(String::new())
}

/// What put a file there: a group, and what of that group.
pub(crate) fn origin(disk: &Disk, item: &Item) -> (String, String) {
    let Some(partition) = disk.partitions.get(item.partition) else {
        return Default::default();
    };
    let found = match item.origin {
        Origin::Package(place) => partition.packages.all.get(place).map(|package| {
            let section = match package.section.as_str() {
                "" => "packages",
                section => section,
            };
            (section.to_owned(), package.name.clone())
        }),
        Origin::Given(place) => {
            let given = partition.given.get(place);
            given.map(|given| ("injected".to_owned(), given.note.dest.clone()))
        }
        Origin::Step(place) => partition.steps.get(place).map(|step| {
            let text = format!("line {}: {}", step.line, base::text::one_line(&step.text));
            ("Dockerfile".to_owned(), text)
        }),
        Origin::Unknown => None,
    };
    found.unwrap_or_else(|| (format!("no package, {}", partition.name), item.path.clone()))
}

/// Files by partition and folder.
pub(crate) fn by_folder(disk: &Disk) -> Node {
    let mut count = Count::default();
    for item in &disk.files {
        let partition = disk.partitions.get(item.partition);
        let mut way = vec![partition.map_or("", |partition| &*partition.name)];
        way.extend(item.path.split('/').filter(|name| !name.is_empty()));
        count.add(&way, item.bytes);
    }
    count.node(String::new())
}

/// A picture's size in tenths of a CSS pixel, and for which screens it is.
pub(crate) struct Canvas {
    pub(crate) class: &'static str,
    pub(crate) width: u16,
    pub(crate) height: u16,
}

/// For wide screens, and for those of phones.
pub(crate) const CANVASES: [Canvas; 2] = [
    Canvas {
        class: "map wide",
        width: 10_400,
        height: 5_200,
    },
    Canvas {
        class: "map narrow",
        width: 3_280,
        height: 5_600,
    },
];

/// Tenths of a pixel that the name of a group takes.
const HEAD: u16 = 170;
/// Between a group's edge and what is in it.
const GAP: u16 = 15;
/// A group is shown with what is in it if it is so wide and so high.
const GROUP: (u16, u16) = (500, 420);
/// Square tenths below which rectangles are put together in one.
const LEAST: u64 = 8_000;
/// A line of text.
const LINE: u16 = 140;
/// How many colours there are.
const COLOURS: usize = 8;
/// Which colour the largest child has, by level.
const SHIFTS: [usize; LEVELS] = [0, 3, 6, 1];
/// So many levels are shown.
const LEVELS: usize = 4;

/// Draws `node` on both canvases. Each rectangle has a title, which a pointer that rests on it shows; names that fit are written into it.
pub(crate) fn draw(html: &mut Html, node: &Node, what: &str) {
    for canvas in &CANVASES {
        let (width, height) = (tenths(canvas.width), tenths(canvas.height));
        html.open(
            "svg",
            &[
                ("class", canvas.class),
                ("viewBox", &format!("0 0 {width} {height}")),
                ("role", "img"),
                ("aria-label", what),
            ],
        );
        inside(
            html,
            node,
            Rect::new(canvas.width, canvas.height),
            node.bytes,
            &[],
        );
        html.close();
    }
}

/// What is in `node`, in `rect`; the picture is of `all` bytes; `way` has the names on the way to it and their colour.
fn inside(html: &mut Html, node: &Node, rect: Rect, all: u64, way: &[(&str, usize)]) {
    let (shown, rest) = worth_showing(node, rect);
    let mut values: Vec<u64> = shown.iter().map(|child| child.bytes).collect();
    let more = rest.iter().map(|child| child.bytes).fold(0, sum);
    if more > 0 {
        values.push(more);
    }
    let mut rects = squarify(&values, rect).into_iter();
    for ((number, child), rect) in shown.iter().enumerate().zip(rects.by_ref()) {
        let mut way = way.to_vec();
        way.push((&child.name, colour(&way, number, child, all)));
        cell(html, child, rect, all, &way);
    }
    if let Some(rect) = rects.next() {
        let name = format!("{} smaller ones", rest.len());
        let mut way = way.to_vec();
        way.push((&name, way.last().map_or(COLOURS, |(_, colour)| *colour)));
        leaf(html, more, rect, &way);
    }
}

/// Children that get a rectangle of their own, and those that are too small or too many.
fn worth_showing(node: &Node, rect: Rect) -> (&[Node], &[Node]) {
    let all = u128::from(node.bytes);
    let large = |child: &&Node| {
        // Both factors have 64 bits at most.
        let share = u128::from(child.bytes).checked_mul(u128::from(rect.area()));
        let least = all.checked_mul(u128::from(LEAST));
        child.bytes > 0 && share >= least
    };
    let count = node.children.iter().take_while(large).count();
    // One alone is as good as its sum.
    let count = match node.children.len().checked_sub(count) {
        Some(1) => node.children.len(),
        _ => count,
    };
    node.children.split_at(count)
}

/// The colour of the child `number`: its parent's, or one of its own below parents without. Most of everything has none, so that there are
/// several to be seen.
fn colour(way: &[(&str, usize)], number: usize, child: &Node, all: u64) -> usize {
    match way.last() {
        Some((_, colour)) if *colour < COLOURS => *colour,
        _ if !child.children.is_empty() && child.bytes > without(all, child.bytes) => COLOURS,
        // Other ones on each level, since what is beside each other may be of several.
        _ => SHIFTS
            .get(way.len())
            .and_then(|shift| number.checked_add(*shift)?.checked_rem(COLOURS))
            .unwrap_or(COLOURS),
    }
}

fn cell(html: &mut Html, node: &Node, rect: Rect, all: u64, way: &[(&str, usize)]) {
    let large = rect.width >= GROUP.0 && rect.height >= GROUP.1;
    if node.children.is_empty() || !large || way.len() >= LEVELS {
        return leaf(html, node.bytes, rect, way);
    }
    html.open("g", &[("class", &class("group", way))]);
    shape(html, rect);
    title(html, node.bytes, way);
    label(html, rect, &named(way, node.bytes), 0);
    html.close();
    let inner = Rect {
        x: plus(rect.x, GAP),
        y: plus(rect.y, HEAD),
        width: less(rect.width, plus(GAP, GAP)),
        height: less(rect.height, plus(HEAD, GAP)),
    };
    inside(html, node, inner, all, way);
}

fn leaf(html: &mut Html, bytes: u64, rect: Rect, way: &[(&str, usize)]) {
    if rect.width == 0 || rect.height == 0 {
        return;
    }
    html.open("g", &[("class", &class("leaf", way))]);
    shape(html, rect);
    title(html, bytes, way);
    let name = way.last().map_or("", |(name, _)| *name);
    // Of a path its end: the whole is in the title.
    let name = match name
        .strip_prefix('/')
        .and_then(|path| path.rsplit('/').next())
    {
        Some(last) => last,
        None => name,
    };
    if rect.height >= plus(LINE, GAP) {
        label(html, rect, name, 0);
    }
    if rect.height >= plus(plus(LINE, LINE), GAP) {
        // A number that is cut is another number.
        let size = base::text::bytes(bytes);
        if fitting(&size, room(rect)) == size {
            label(html, rect, &size, LINE);
        }
    }
    html.close();
}

fn class(kind: &str, way: &[(&str, usize)]) -> String {
    let colour = way.last().map_or(COLOURS, |(_, colour)| *colour);
    format!("{kind} k{colour}")
}

fn named(way: &[(&str, usize)], bytes: u64) -> String {
    let name = way.last().map_or("", |(name, _)| *name);
    format!("{name} {}", base::text::bytes(bytes))
}

fn title(html: &mut Html, bytes: u64, way: &[(&str, usize)]) {
    let names: Vec<&str> = way.iter().map(|(name, _)| *name).collect();
    let text = format!("{}: {}", names.join(" › "), base::text::bytes(bytes));
    html.element("title", &[], &text);
}

fn shape(html: &mut Html, rect: Rect) {
    html.empty(
        "rect",
        &[
            ("x", &tenths(rect.x)),
            ("y", &tenths(rect.y)),
            ("width", &tenths(rect.width)),
            ("height", &tenths(rect.height)),
        ],
    );
}

/// What a letter takes of a line, in tenths of a pixel: of DejaVu Sans, which is the widest of the usual ones.
fn width(letter: char) -> u16 {
    match letter {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | ' ' => 38,
        'f' | 'r' | 't' | '-' | '/' | '(' | ')' | '[' | ']' => 48,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 112,
        'A'..='Z' | '+' | '=' | '<' | '>' | '~' | '#' => 93,
        ' '..='~' => 72,
        _ => 120,
    }
}

/// The first letters of `text` that fit into `room`.
fn fitting(text: &str, room: u16) -> String {
    let mut left = room;
    let fits = |letter: &char| match left.checked_sub(width(*letter)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    text.chars().take_while(fits).collect()
}

/// Writes `text` into `rect`, `down` below its first line, cut to what fits; nothing if that is less than three letters.
fn label(html: &mut Html, rect: Rect, text: &str, down: u16) {
    let room = room(rect);
    let mut shown = fitting(text, room);
    if shown.len() < text.len() {
        shown = fitting(text, less(room, width('…')));
        if shown.chars().count() < 3 {
            return;
        }
        shown.push('…');
    }
    let x = tenths(plus(rect.x, plus(GAP, GAP)));
    let y = tenths(plus(plus(rect.y, down), 120));
    html.element("text", &[("x", &x), ("y", &y)], &shown);
}

/// How much of a line there is in `rect`.
fn room(rect: Rect) -> u16 {
    less(rect.width, plus(plus(GAP, GAP), GAP))
}

/// Tenths as a number with a point.
fn tenths(number: u16) -> String {
    match (number.checked_div(10), number.checked_rem(10)) {
        (Some(whole), Some(0)) => whole.to_string(),
        (Some(whole), Some(tenth)) => format!("{whole}.{tenth}"),
        _ => number.to_string(),
    }
}

#[expect(
    clippy::expect_used,
    reason = "places of a canvas and distances within it, the largest of which has 10400 units"
)]
fn plus(a: u16, b: u16) -> u16 {
    a.checked_add(b).expect("a place on the canvas")
}

/// What is left of a length; there is none below nothing.
fn less(len: u16, by: u16) -> u16 {
    len.saturating_sub(by)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, bytes: u64, children: Vec<Node>) -> Node {
        Node {
            name: name.to_owned(),
            bytes,
            children,
        }
    }

    #[test]
    fn counted_by_name() {
        let mut count = Count::default();
        count.add(&["b", "x"], 5);
        count.add(&["a"], 7);
        count.add(&["b", "y"], 6);
        count.add(&["c"], 7);
        let want = node(
            "",
            25,
            vec![
                node("b", 11, vec![node("y", 6, vec![]), node("x", 5, vec![])]),
                node("a", 7, vec![]),
                node("c", 7, vec![]),
            ],
        );
        assert_eq!(count.node(String::new()), want);
    }

    #[test]
    fn small_ones_are_put_together() {
        let mut children = vec![node("large", 1_000_000, vec![])];
        children.extend((0..500).map(|n| node(&format!("small {n}"), 1, vec![])));
        let all = node("", 1_000_500, children);
        let mut html = Html::new();
        draw(&mut html, &all, "sizes");
        let page = html.finish();
        // Once for each canvas.
        assert_eq!(page.matches("<title>large: 1.0 MB</title>").count(), 2);
        assert!(!page.contains("small 7"), "{page}");
        assert_eq!(page.matches("<svg").count(), 2);
    }

    #[test]
    fn labels_fit() {
        let mut html = Html::new();
        label(&mut html, Rect::new(400, 200), "abcdefgh", 0);
        label(&mut html, Rect::new(1000, 200), "abcdefgh", 0);
        label(&mut html, Rect::new(100, 200), "abcdefgh", 0);
        let page = html.finish();
        assert!(page.contains(">abc…</text>") && page.contains(">abcdefgh</text>"));
        assert_eq!(page.matches("<text").count(), 2);
        assert_eq!(
            (tenths(120), tenths(7), tenths(1003)),
            ("12".into(), "0.7".into(), "100.3".into())
        );
    }
}
