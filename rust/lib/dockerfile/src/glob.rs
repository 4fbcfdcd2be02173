//! Wildcards of COPY (Go's `filepath.Match`) and of ignore files (the same with `**`).
//!
//! `*` any run of characters but `/`; `?` one of them; `[a-z]`, `[^a-z]` one of a set; `\x` is `x`.
//! In ignore files `**/` is any number of directories, none too, and a final `**` is anything.

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// `?`
    Any,
    /// `*`
    Run,
    /// `**/` (any directories) and the final `**` (anything).
    Directories,
    Everything,
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    /// Parses `pattern`; `double_star` gives `**` its meaning of ignore files.
    pub(crate) fn new(pattern: &str, double_star: bool) -> Result<Self, &'static str> {
        let mut tokens = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' if double_star && chars.next_if_eq(&'*').is_some() => {
                    chars.next_if_eq(&'/');
                    if chars.peek().is_some() {
                        Token::Directories
                    } else {
                        Token::Everything
                    }
                }
                '*' => Token::Run,
                '?' => Token::Any,
                '[' => set(&mut chars)?,
                '\\' => Token::Literal(chars.next().ok_or("it ends in a backslash")?),
                c => Token::Literal(c),
            });
        }
        Ok(Self { tokens })
    }

    /// Whether `text` has wildcards (or escapes) at all.
    pub(crate) fn is_wild(text: &str) -> bool {
        text.contains(['*', '?', '[', '\\'])
    }

    /// Whether all of `text` matches. Time is tokens times characters, whatever the pattern.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let chars: Vec<char> = text.chars().collect();
        // reached[i]: the tokens so far can match the first i characters.
        let mut reached: Vec<bool> = [true]
            .into_iter()
            .chain(chars.iter().map(|_| false))
            .collect();
        for token in &self.tokens {
            reached = token.step(&reached, &chars);
        }
        reached.last() == Some(&true)
    }
}

impl Token {
    fn step(&self, reached: &[bool], chars: &[char]) -> Vec<bool> {
        let mut next = vec![false; reached.len()];
        // Whether an earlier position was reached, for the tokens of any length.
        let mut open = false;
        let mut previous = None;
        for ((here, out), c) in reached
            .iter()
            .zip(&mut next)
            .zip([None].into_iter().chain(chars.iter().map(Some)))
        {
            *out = match self {
                Self::Literal(want) => previous == Some(true) && c == Some(want),
                Self::Any => previous == Some(true) && c.is_some_and(|c| *c != '/'),
                Self::Set { negated, ranges } => {
                    previous == Some(true)
                        && c.is_some_and(|c| {
                            *c != '/'
                                && ranges.iter().any(|(low, high)| low <= c && c <= high)
                                    != *negated
                        })
                }
                Self::Run => {
                    open = *here || (open && c != Some(&'/'));
                    open
                }
                Self::Everything => {
                    open |= *here;
                    open
                }
                Self::Directories => {
                    let after_slash = open && c == Some(&'/');
                    open |= *here;
                    *here || after_slash
                }
            };
            previous = Some(*here);
        }
        next
    }
}

fn set(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, &'static str> {
    const OPEN: &str = "[ without ]";
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    let character = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| match chars.next() {
        Some('\\') => chars.next().ok_or(OPEN),
        Some('-') => Err("a range in [ ] begins with -"),
        Some(c) => Ok(c),
        None => Err(OPEN),
    };
    loop {
        if !ranges.is_empty() && chars.next_if_eq(&']').is_some() {
            return Ok(Token::Set { negated, ranges });
        }
        if chars.peek() == Some(&']') {
            return Err("[ ] without a character");
        }
        let low = character(chars)?;
        let high = if chars.next_if_eq(&'-').is_some() {
            character(chars)?
        } else {
            low
        };
        ranges.push((low, high));
    }
}
