//! Words: splitting, quotation, JSON arrays, and variable references as a [`Template`].
//!
//! Reference: Docker's "Dockerfile reference", sections "Environment replacement" and "Shell and exec form".
//! `$name`, `${name}`, and in braces `:-`, `-`, `:+`, `+`, `:?`, `?` with a word that may hold references itself.
//! Outside quotes the escape character makes the next character literal, inside double quotes only before
//! `"`, `$` and itself; single quotes keep everything.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// Variables of a build: ARG and ENV values.
pub type Vars = BTreeMap<String, String>;

/// Where references find their values.
pub trait Values {
    /// The value of the variable `name`; `None` if it is not set.
    fn value(&self, name: &str) -> Option<&str>;
}

impl Values for Vars {
    fn value(&self, name: &str) -> Option<&str> {
        self.get(name).map(String::as_str)
    }
}

/// Longest word after expansion: what Linux takes as one argument or variable (`MAX_ARG_STRLEN`), which ends in a NUL.
pub const LONGEST_WORD: usize = (128 << 10) - 1;

/// References nested deeper than this are refused (the parser recurses).
const MAX_DEPTH: usize = 16;

/// A word with variable references, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Var {
        name: String,
        modifier: Option<Modifier>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Modifier {
    kind: ModifierKind,
    /// With a colon: an empty value counts as unset.
    empty_is_unset: bool,
    word: Template,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ModifierKind {
    Default,
    Alternative,
    Required,
}

impl Template {
    /// Parses a word of an instruction.
    pub fn word(text: &str, escape: char) -> Result<Self, String> {
        Parser::new(text, Some(escape), true).template(None, MAX_DEPTH)
    }

    /// Parses the body of a here-document: quotes are text. A backslash is refused, as Docker drops it and
    /// buildah keeps it.
    pub fn heredoc(text: &str) -> Result<Self, String> {
        if text.contains('\\') {
            return Err("a backslash, which builders read differently here (quote the delimiter: <<\"EOF\")".into());
        }
        Parser::new(text, None, false).template(None, MAX_DEPTH)
    }

    /// The text, if the word holds no reference.
    pub fn as_literal(&self) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => Some(text.as_str()),
                Part::Var { .. } => None,
            })
            .collect()
    }

    pub(crate) fn literal_or(&self, other: &str) -> String {
        self.as_literal().unwrap_or_else(|| other.to_owned())
    }

    /// The word with every reference replaced; unset variables are empty. Fails for `${name:?message}`, and for a result
    /// longer than [`LONGEST_WORD`].
    pub fn expand(&self, vars: &dyn Values) -> Result<String, String> {
        self.expand_within(vars, LONGEST_WORD)
    }

    /// As [`Template::expand`], with another limit.
    pub(crate) fn expand_within(&self, vars: &dyn Values, most: usize) -> Result<String, String> {
        let mut out = String::new();
        for part in &self.parts {
            let value = match part {
                Part::Literal(text) => Cow::from(text),
                Part::Var { name, modifier } => match (vars.value(name), modifier) {
                    (value, None) => Cow::from(value.unwrap_or("")), // as in a shell
                    (value, Some(modifier)) => modifier.expand(name, value, vars, most)?,
                },
            };
            let left = most.checked_sub(out.len());
            if left.is_none_or(|left| value.len() > left) {
                return Err(format!("more than {most} bytes after expansion"));
            }
            out.push_str(&value);
        }
        Ok(out)
    }

    /// Names of all variables that the word mentions.
    pub fn variables(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for part in &self.parts {
            if let Part::Var { name, modifier } = part {
                names.push(name.as_str());
                names.extend(
                    modifier
                        .iter()
                        .flat_map(|modifier| modifier.word.variables()),
                );
            }
        }
        names
    }
}

/// As a Dockerfile would write it, without quotes.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Literal(text) => f.write_str(text)?,
                Part::Var {
                    name,
                    modifier: None,
                } => write!(f, "${{{name}}}")?,
                Part::Var {
                    name,
                    modifier: Some(modifier),
                } => {
                    let colon = if modifier.empty_is_unset { ":" } else { "" };
                    let kind = match modifier.kind {
                        ModifierKind::Default => '-',
                        ModifierKind::Alternative => '+',
                        ModifierKind::Required => '?',
                    };
                    write!(f, "${{{name}{colon}{kind}{}}}", modifier.word)?;
                }
            }
        }
        Ok(())
    }
}

impl Modifier {
    fn expand<'a>(
        &self,
        name: &str,
        value: Option<&'a str>,
        vars: &dyn Values,
        most: usize,
    ) -> Result<Cow<'a, str>, String> {
        let set = value.filter(|value| !(self.empty_is_unset && value.is_empty()));
        match (self.kind, set) {
            (ModifierKind::Default | ModifierKind::Required, Some(value)) => Ok(value.into()),
            (ModifierKind::Alternative, None) => Ok("".into()),
            (ModifierKind::Default, None) | (ModifierKind::Alternative, Some(_)) => {
                self.word.expand_within(vars, most).map(Cow::from)
            }
            (ModifierKind::Required, None) => {
                let message = self.word.expand_within(vars, most)?;
                if !message.is_empty() {
                    Err(format!("{name}: {message}"))
                } else if self.empty_is_unset {
                    Err(format!("{name} must be set and not empty"))
                } else {
                    Err(format!("{name} must be set"))
                }
            }
        }
    }
}

struct Parser<'a> {
    chars: Peekable<Chars<'a>>,
    escape: Option<char>,
    quotes: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, escape: Option<char>, quotes: bool) -> Self {
        Self {
            chars: text.chars().peekable(),
            escape,
            quotes,
        }
    }

    /// Parses up to `stop`, which is consumed, or to the end; so many levels may be nested in it.
    fn template(&mut self, stop: Option<char>, levels: usize) -> Result<Template, String> {
        let mut out = Builder::default();
        while let Some(c) = self.chars.next() {
            match c {
                c if Some(c) == stop => return Ok(out.finish()),
                '$' => self.dollar(&mut out, levels)?,
                '\'' if self.quotes => self.single_quote(&mut out)?,
                '"' if self.quotes => self.double_quote(&mut out, levels)?,
                // At the end of the word it stands for nothing.
                c if Some(c) == self.escape => out.text.extend(self.chars.next()),
                c => out.text.push(c),
            }
        }
        match stop {
            Some(stop) => Err(format!("no closing {stop}")),
            None => Ok(out.finish()),
        }
    }

    fn single_quote(&mut self, out: &mut Builder) -> Result<(), String> {
        for c in self.chars.by_ref() {
            if c == '\'' {
                return Ok(());
            }
            out.text.push(c);
        }
        Err("no closing single quote".into())
    }

    fn double_quote(&mut self, out: &mut Builder, levels: usize) -> Result<(), String> {
        while let Some(c) = self.chars.next() {
            match c {
                '"' => return Ok(()),
                '$' => self.dollar(out, levels)?,
                c if Some(c) == self.escape => match self.chars.peek().copied() {
                    Some(next) if next == '"' || next == '$' || next == c => {
                        self.chars.next();
                        out.text.push(next);
                    }
                    _ => out.text.push(c),
                },
                c => out.text.push(c),
            }
        }
        Err("no closing double quote".into())
    }

    fn dollar(&mut self, out: &mut Builder, levels: usize) -> Result<(), String> {
        if self.chars.peek() != Some(&'{') {
            let name = self.name();
            if name.is_empty() {
                out.text.push('$');
            } else {
                out.var(name, None);
            }
            return Ok(());
        }
        self.chars.next();
        let name = self.name();
        if name.is_empty() {
            return Err("no variable name after ${".into());
        }
        let mut kind = self.chars.next();
        if kind == Some('}') {
            out.var(name, None);
            return Ok(());
        }
        let empty_is_unset = kind == Some(':');
        if empty_is_unset {
            kind = self.chars.next();
        }
        let kind = match kind {
            Some('-') => ModifierKind::Default,
            Some('+') => ModifierKind::Alternative,
            Some('?') => ModifierKind::Required,
            None => return Err("no closing }".into()),
            Some(other) => {
                let colon = if empty_is_unset { ":" } else { "" };
                return Err(format!(
                    "unsupported substitution ${{{name}{colon}{other}…}}; supported are :- - :+ + :? ?"
                ));
            }
        };
        let levels = levels
            .checked_sub(1)
            .ok_or_else(|| format!("variable references nested deeper than {MAX_DEPTH}"))?;
        let word = self.template(Some('}'), levels)?;
        out.var(
            name,
            Some(Modifier {
                kind,
                empty_is_unset,
                word,
            }),
        );
        Ok(())
    }

    /// A name, a number, or one of the shell's special parameters (which are never set here).
    fn name(&mut self) -> String {
        let mut name = String::new();
        match self.chars.peek().copied() {
            Some(c) if c.is_ascii_digit() => {
                while let Some(c) = self.chars.next_if(char::is_ascii_digit) {
                    name.push(c);
                }
            }
            Some(c) if "@*#?-$!".contains(c) => name.extend(self.chars.next()),
            _ => {
                while let Some(c) = self.chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    name.push(c);
                }
            }
        }
        name
    }
}

#[derive(Default)]
struct Builder {
    parts: Vec<Part>,
    text: String,
}

impl Builder {
    fn var(&mut self, name: String, modifier: Option<Modifier>) {
        self.flush();
        self.parts.push(Part::Var { name, modifier });
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.parts
                .push(Part::Literal(std::mem::take(&mut self.text)));
        }
    }

    fn finish(mut self) -> Template {
        self.flush();
        Template { parts: self.parts }
    }
}

/// White space between words (a newline occurs inside here-documents only).
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace()
}

/// Splits at blanks outside quotes; quotes and escapes stay in the words.
pub(crate) fn shell_words(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches(is_blank);
    while !rest.is_empty() {
        let (word, tail) = first_word(rest, escape);
        words.push(word.to_owned());
        rest = tail.trim_start_matches(is_blank);
    }
    words
}

/// Splits `text` behind its first word; it does not begin with a blank.
fn first_word(text: &str, escape: char) -> (&str, &str) {
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if quote.is_none() && is_blank(c) {
            return text.split_at(at);
        }
        if c == escape && quote != Some('\'') {
            chars.next();
        } else if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '\'' | '"') {
            quote = Some(c);
        }
    }
    (text, "")
}

/// Takes leading `--name[=value]` words off `rest`. A value may be quoted; the escape character is a backslash.
pub(crate) fn flags(rest: &str) -> (Vec<String>, &str) {
    let mut flags = Vec::new();
    let mut rest = rest;
    while rest.starts_with("--") {
        let (word, tail) = first_word(rest, '\\');
        rest = tail.trim_start_matches(is_blank);
        if word == "--" {
            break;
        }
        flags.push(word.to_owned());
    }
    (flags, rest)
}

/// A JSON array of strings; `None` if `text` is anything else (`[ -f x ]` is a shell command).
pub(crate) fn json_array(text: &str) -> Option<Vec<String>> {
    let mut json = Json {
        chars: text.trim_matches(is_blank).chars().peekable(),
    };
    if json.chars.next() != Some('[') {
        return None;
    }
    let mut items = Vec::new();
    json.blanks();
    if json.chars.next_if_eq(&']').is_none() {
        loop {
            json.blanks();
            json.chars.next_if_eq(&'"')?;
            items.push(json.string()?);
            json.blanks();
            match json.chars.next()? {
                ',' => {}
                ']' => break,
                _ => return None,
            }
        }
    }
    json.chars.next().is_none().then_some(items)
}

struct Json<'a> {
    chars: Peekable<Chars<'a>>,
}

impl Json<'_> {
    fn blanks(&mut self) {
        while self.chars.next_if(|c| is_blank(*c)).is_some() {}
    }

    /// After the opening quote.
    fn string(&mut self) -> Option<String> {
        let mut out = String::new();
        loop {
            let c = match self.chars.next()? {
                '"' => return Some(out),
                '\\' => match self.chars.next()? {
                    c @ ('"' | '\\' | '/') => c,
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => self.unicode()?,
                    _ => return None,
                },
                c if c < ' ' => return None,
                c => c,
            };
            out.push(c);
        }
    }

    fn unicode(&mut self) -> Option<char> {
        let high = self.hex4()?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high);
        }
        if self.chars.next()? != '\\' || self.chars.next()? != 'u' {
            return None;
        }
        let low = self
            .hex4()?
            .checked_sub(0xDC00)
            .filter(|low| *low < 0x400)?;
        let high = high.checked_sub(0xD800)?.checked_mul(0x400)?;
        char::from_u32(high.checked_add(low)?.checked_add(0x1_0000)?)
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits: String = (0..4)
            .map_while(|_| self.chars.next_if(char::is_ascii_hexdigit))
            .collect();
        if digits.len() == 4 {
            u32::from_str_radix(&digits, 16).ok()
        } else {
            None
        }
    }
}
