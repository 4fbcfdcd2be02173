//! Specifiers that `[Install]` knows (systemd.unit(5), "Specifiers").

use crate::error::Problem;
use crate::name::Name;

/// Those whose value is the machine's or the running user's.
const OF_A_MACHINE: &str = "aAbBHlmMoqTvVwW";

/// `text` with its specifiers filled in for the unit called `unit`.
pub(crate) fn expand(text: &str, unit: &str) -> Result<String, Problem> {
    let name = Name::parse(unit);
    let prefix = name.map_or(unit, |name| name.prefix);
    // What is no instance has an empty one, as for systemd.
    let instance = name.and_then(|name| name.instance).unwrap_or("");
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let problem = |specifier, reason| Problem::Specifier {
            unit: unit.to_owned(),
            text: text.to_owned(),
            specifier,
            reason,
        };
        match chars.next() {
            None => out.push('%'),
            Some('%') => out.push('%'),
            Some('n') => out.push_str(unit),
            Some('N') => out.push_str(unit.rsplit_once('.').map_or(unit, |(stem, _)| stem)),
            Some('p') => out.push_str(prefix),
            Some('i') => out.push_str(instance),
            Some('j') => out.push_str(prefix.rsplit('-').next().unwrap_or(prefix)),
            // Units of the system run for root.
            Some('u' | 'g') => out.push_str("root"),
            Some('U' | 'G') => out.push('0'),
            Some(c) if OF_A_MACHINE.contains(c) => {
                return Err(problem(c, "depends on the machine that runs the image"))
            }
            Some(c) if c.is_ascii_alphabetic() => {
                return Err(problem(c, "is not known in [Install]"))
            }
            Some(c) => out.extend(['%', c]),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ones() {
        let text = "%n|%N|%p|%j|%i|%%|%!|%u%U|%";
        let got = expand(text, "a-b@r.service").unwrap();
        assert_eq!(got, "a-b@r.service|a-b@r|a-b|b|r|%|%!|root0|%");
        assert!(expand("%m", "a.service").is_err());
        assert!(expand("%I", "a@b.service").is_err());
    }
}
