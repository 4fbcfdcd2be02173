//! The Prometheus text format, version 0.0.4: `# HELP`, `# TYPE`, then samples.

use std::fmt::{Display, Write};

/// A page of metrics.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    name: &'static str,
}

impl Page {
    /// What a scraper is told of the text.
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family of values that go up and down.
    pub fn gauge(&mut self, name: &'static str, help: &str) -> &mut Self {
        self.family(name, "gauge", help)
    }

    /// Begins a family of values that only go up.
    pub fn counter(&mut self, name: &'static str, help: &str) -> &mut Self {
        self.family(name, "counter", help)
    }

    /// Sum and count, without quantiles.
    pub fn summary(&mut self, name: &'static str, help: &str, sum: f64, count: u64) {
        self.family(name, "summary", help)
            .sample("_sum", sum)
            .sample("_count", count);
    }

    /// The family's one sample; none where the value is not known.
    pub fn known(&mut self, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.value(value),
            None => self,
        }
    }

    /// The family's one sample.
    pub fn value(&mut self, value: impl Display) -> &mut Self {
        self.sample("", value)
    }

    /// One sample with labels.
    pub fn labelled(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        let labels: Vec<_> = labels
            .iter()
            .map(|(key, value)| format!("{key}=\"{}\"", escape(value)))
            .collect();
        self.sample(&format!("{{{}}}", labels.join(",")), value)
    }

    /// The page.
    pub fn into_text(self) -> String {
        self.text
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> &mut Self {
        self.name = name;
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        self
    }

    fn sample(&mut self, suffix: &str, value: impl Display) -> &mut Self {
        let _ = writeln!(self.text, "{}{suffix} {value}", self.name);
        self
    }
}

/// A label's value: backslash, quote and line feed are escaped.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// VmRSS of a process in bytes, if it can be read.
pub fn resident_memory(process: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_format() {
        let mut page = Page::default();
        page.gauge("a", "An a.").value(1.5);
        page.counter("b_total", "Bs.")
            .labelled(&[("x", "1"), ("y", "q\"\\\n")], 2);
        page.summary("c", "Cs.", 0.25, 3);
        assert_eq!(
            page.into_text(),
            "# HELP a An a.\n# TYPE a gauge\na 1.5\n\
             # HELP b_total Bs.\n# TYPE b_total counter\nb_total{x=\"1\",y=\"q\\\"\\\\\\n\"} 2\n\
             # HELP c Cs.\n# TYPE c summary\nc_sum 0.25\nc_count 3\n"
        );
    }
}
