//! A page under construction: every name and value that enters it is escaped, and elements are closed in the order they were opened.
//!
//! What comes out is HTML as well as XML, so that a plain XML reader can tell whether it is whole: elements that have no content end
//! by ` />`, all others by an end tag, and every attribute has a value.

use base::html::escaped;

/// An attribute: its name and its value.
pub(crate) type Attribute<'a> = (&'static str, &'a str);

/// A page.
#[derive(Debug, Default)]
pub(crate) struct Html {
    out: String,
    open: Vec<&'static str>,
}

impl Html {
    /// A page of which nothing is there but what every page begins with.
    pub(crate) fn new() -> Self {
        Self {
            out: "<!DOCTYPE html>\n".to_owned(),
            open: Vec::new(),
        }
    }

    /// Begins an element.
    pub(crate) fn open(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.start(tag, attributes);
        self.out.push('>');
        self.open.push(tag);
    }

    /// Ends the element that was begun last.
    pub(crate) fn close(&mut self) {
        if let Some(tag) = self.open.pop() {
            self.out.push_str("</");
            self.out.push_str(tag);
            self.out.push('>');
            if BLOCKS.contains(&tag) {
                self.out.push('\n');
            }
        }
    }

    /// Text in the element that is open.
    pub(crate) fn text(&mut self, text: &str) {
        self.out.push_str(&escaped(text));
    }

    /// A style sheet of this program, which is not escaped.
    pub(crate) fn style(&mut self, css: &'static str) {
        self.open("style", &[]);
        self.out.push_str(css);
        self.close();
    }

    /// An element with nothing but text in it.
    pub(crate) fn element(&mut self, tag: &'static str, attributes: &[Attribute<'_>], text: &str) {
        self.open(tag, attributes);
        self.text(text);
        self.close();
    }

    /// An element that has no content.
    pub(crate) fn empty(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.start(tag, attributes);
        self.out.push_str(" />");
    }

    /// The page, all elements ended.
    pub(crate) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }

    fn start(&mut self, tag: &str, attributes: &[Attribute<'_>]) {
        self.out.push('<');
        self.out.push_str(tag);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            self.out.push_str(&escaped(value));
            self.out.push('"');
        }
    }
}

/// Elements with a line end behind them, for who reads the source.
const BLOCKS: [&str; 10] = [
    "head", "header", "h1", "h2", "h3", "p", "section", "tr", "style", "svg",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_escaped() {
        let mut html = Html::new();
        html.open("p", &[("title", "\"><script>'&")]);
        html.text("</p><script>alert(1)</script> \u{7}\u{202e}&amp;");
        html.empty("br", &[]);
        assert_eq!(
            html.finish(),
            "<!DOCTYPE html>\n<p title=\"&quot;&gt;&lt;script&gt;&#39;&amp;\">&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt; \
             \u{fffd}\u{fffd}&amp;amp;<br /></p>\n"
        );
    }
}
