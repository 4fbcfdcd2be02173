//! Paragraphs of fields, as machine-readable copyright files have them: `Name: value`, going on in lines that begin with a blank. What is no
//! field is passed over: such files are written by people. (What dpkg writes is read by crate `dpkg`.)

/// A paragraph: names in lower case, and values with their line breaks.
pub(crate) type Paragraph = Vec<(String, String)>;

/// The paragraphs of `text`.
pub(crate) fn paragraphs(text: &str) -> Vec<Paragraph> {
    let mut all = Vec::new();
    let mut fields: Paragraph = Vec::new();
    for line in text.lines() {
        if line.trim().is_empty() {
            if !fields.is_empty() {
                all.push(std::mem::take(&mut fields));
            }
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
            continue;
        }
        if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    if !fields.is_empty() {
        all.push(fields);
    }
    all
}

/// The field `name`, given in lower case.
pub(crate) fn field<'a>(paragraph: &'a Paragraph, name: &str) -> Option<&'a str> {
    let mut fields = paragraph.iter();
    let found = fields.find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_paragraphs() {
        let all = paragraphs(
            "\nPackage: a\nVersion: 1:2\n\n\nno field\nLicense: X\n line\n .\n\tmore\n# remark\n",
        );
        assert_eq!(all.len(), 2);
        assert_eq!(field(&all[0], "version"), Some("1:2"));
        assert_eq!(field(&all[0], "source"), None);
        assert_eq!(field(&all[1], "license"), Some("X\n line\n .\n\tmore"));
    }
}
