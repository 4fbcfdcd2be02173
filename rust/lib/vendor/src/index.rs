//! `index.json`: what is in a bundle. JSON, a file a line, sorted by kind and name.
//!
//! Builds read `vendor`, `update` and each file's `sha256`; the rest is for people. docs/formats/vendor.md has the table.

use crate::error::Error;
use crate::items::{Item, Kind};

/// The version of the format.
const FORMAT: u32 = 1;

/// The index's text. `items` go with their sizes.
pub(crate) fn text(items: &[(&Item, u64)], update: Option<&str>) -> Result<String, Error> {
    let json = |value: serde_json::Value| value.to_string();
    let mut sorted: Vec<_> = items.iter().collect();
    sorted.sort_by_key(|(item, _)| (item.kind, &item.name, item.sha256));
    let mut lines = Vec::new();
    for (item, size) in sorted {
        let kind = match item.kind {
            Kind::Crate => "crate",
            Kind::Deb => "deb",
        };
        let of: Vec<&String> = item.of.iter().collect();
        lines.push(format!(
            "  {{\"kind\": \"{kind}\", \"name\": {}, \"size\": {size}, \"sha256\": \"{}\", \"of\": {}}}",
            json(item.name.as_str().into()),
            item.sha256,
            serde_json::to_string(&of).map_err(|e| Error::io("write the index")(e.into()))?,
        ));
    }
    let update = update.map_or_else(String::new, |label| {
        format!(" \"update\": {},\n", json(label.into()))
    });
    Ok(format!(
        "{{\n \"vendor\": {FORMAT},\n{update} \"files\": [\n{}\n ]\n}}\n",
        lines.join(",\n")
    ))
}
