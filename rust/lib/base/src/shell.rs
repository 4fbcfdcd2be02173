//! Commands as a person may paste them into a shell.

/// `words` as one line that a shell splits into them again.
pub fn quote<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    let quoted: Vec<String> = words
        .into_iter()
        .map(|word| quote_word(word.as_ref()))
        .collect();
    quoted.join(" ")
}

fn quote_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=.,:/@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn quoting_survives_a_shell() {
        let words = ["qemu", "a b", "", "it's", "file=/x,,y.img", "$HOME"];
        let line = quote(words);
        assert_eq!(line, "qemu 'a b' '' 'it'\\''s' file=/x,,y.img '$HOME'");
        let output = Command::new("sh")
            .args(["-c", &format!("printf '%s\\n' {line}")])
            .output()
            .unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        assert_eq!(lines.lines().collect::<Vec<_>>(), words);
    }
}
