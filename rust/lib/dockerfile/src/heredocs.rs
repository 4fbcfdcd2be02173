//! Which words of a line open here-documents.
//!
//! As BuildKit since 0.22: a word `<<NAME`, `<<-NAME` or `<<"NAME"`, in RUN also with blanks before NAME, digits before `<<`
//! (the shell's file descriptor). What opens none but looks as if it should is remembered for the error that follows.

use base::{as_u64, past};

use crate::words::{shell_words, Template};

/// One here-document, before its body is read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) name: String,
    /// Whether the delimiter was unquoted.
    pub(crate) expand: bool,
    pub(crate) strip_tabs: bool,
}

/// What the arguments of an instruction open.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Starts {
    pub(crate) found: Vec<Start>,
    /// A here-document is all that there is.
    pub(crate) alone: bool,
    /// A word such as `>f<<EOF`.
    pub(crate) near_miss: Option<String>,
}

/// A word that is wrong, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bad {
    pub(crate) word: String,
    pub(crate) problem: String,
}

/// Reads `rest`, the arguments of RUN (`is_run`) or COPY.
pub(crate) fn starts(rest: &str, escape: char, is_run: bool) -> Result<Starts, Bad> {
    let mut starts = Starts::default();
    let mut words = shell_words(rest, escape).into_iter();
    let mut count = 0;
    // `((` less `))`: in the shell's arithmetic `<<` shifts.
    let mut arithmetic = 0;
    while let Some(mut word) = words.next() {
        count = past(count, 1);
        let before = arithmetic;
        arithmetic = parentheses(before, &word);
        if before > 0 || arithmetic > 0 {
            continue;
        }
        let opened = match operator(&word) {
            Some((strip_tabs, "")) => {
                let Some(name) = words.next() else { break };
                word = format!("{word} {name}");
                if !is_run {
                    let problem = "a blank after <<, which builders take in RUN only".to_owned();
                    return Err(Bad { word, problem });
                }
                start(strip_tabs, &name)
            }
            Some((strip_tabs, name)) => start(strip_tabs, name),
            None => Ok(None),
        };
        match opened {
            Ok(Some(start)) => starts.found.push(start),
            Ok(None) if is_near_miss(&word) => starts.near_miss = Some(word),
            Ok(None) => {}
            Err(problem) => return Err(Bad { word, problem }),
        }
    }
    starts.alone = count == 1 && starts.found.len() == 1;
    Ok(starts)
}

/// How many `((` are open after `word` when `open` were before it.
fn parentheses(open: u64, word: &str) -> u64 {
    let closed = as_u64(word.matches("))").count());
    // Saturated: one `))` too many closes nothing, it belongs to groups.
    past(open, word.matches("((").count()).saturating_sub(closed)
}

/// Takes `<<` or `<<-`, digits before it, off `word`: whether it is `<<-`, and what follows.
fn operator(word: &str) -> Option<(bool, &str)> {
    let rest = word
        .trim_start_matches(|c: char| c.is_ascii_digit())
        .strip_prefix("<<")?;
    Some(match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    })
}

/// Reads the delimiter `rest`; `None` if `<<` before it means something else.
fn start(strip_tabs: bool, rest: &str) -> Result<Option<Start>, String> {
    // `<<<` is a here-string: the shell's business.
    if rest.contains('<') {
        return Ok(None);
    }
    let name = Template::word(rest, '\\')?.literal_or(rest);
    if name.is_empty() {
        return Ok(None);
    }
    if name.contains(['>', '|', '&', ';', '(', ')']) {
        return Err(
            "a here-document's delimiter must be a word of its own (put a blank after it)".into(),
        );
    }
    Ok(Some(Start {
        expand: name == rest,
        name,
        strip_tabs,
    }))
}

/// `>f<<EOF`: the shell reads a here-document, builders do not.
fn is_near_miss(word: &str) -> bool {
    let Some((before, after)) = word.split_once("<<") else {
        return false;
    };
    let after = after.strip_prefix('-').unwrap_or(after);
    !before.contains(['\'', '"', '('])
        && after.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '\'' | '"' | '\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_words_open_one() {
        // (arguments of RUN, names)
        let table: &[(&str, &[&str])] = &[
            ("cat <<EOF", &["EOF"]),
            ("cat > /f << 'EOF'", &["EOF"]),
            ("cat <<- EOF 3<<  B", &["EOF", "B"]),
            ("cat <<", &[]),
            ("cat <<<x <<<  y", &[]),
            ("echo $((1 << 2)) $((a <<b)) <<X", &["X"]),
            ("((x = 1 << 2)); cat <<X", &["X"]),
            ("(a; (b)) <<X", &["X"]),
            ("echo '<<A' \"<< B\" \\<<C", &[]),
            ("cat >f<<EOF", &[]),
        ];
        for (text, names) in table {
            let starts = starts(text, '\\', true).unwrap();
            let got: Vec<&str> = starts.found.iter().map(|s| s.name.as_str()).collect();
            assert_eq!(&got, names, "{text}");
        }
        let start = starts("<< -EOF", '\\', true).unwrap();
        assert!(start.alone && !start.found[0].strip_tabs && start.found[0].name == "-EOF");
        assert!(starts("<< EOF", '\\', true).unwrap().alone);
        assert!(!starts("<<EOF | sh", '\\', true).unwrap().alone);
        assert!(starts("<< EOF /f", '\\', false).is_err());
    }

    #[test]
    fn near_misses() {
        for (text, near) in [
            ("cat >f<<EOF", Some(">f<<EOF")),
            ("cat>f<<-'E F'", Some("cat>f<<-'E F'")),
            ("echo $((1<<N))", None),
            ("cat <<<word", None),
            ("x '<<EOF'", None),
            ("a<<1", None),
            ("cat <<EOF", None),
        ] {
            let got = starts(text, '\\', true).unwrap().near_miss;
            assert_eq!(got.as_deref(), near, "{text}");
        }
    }
}
