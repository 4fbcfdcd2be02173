//! What the machine's TPM holds after the start, beside what the build predicted.

use std::path::Path;

use ::measured::{Pcr, Prediction, Started};
use anyhow::{ensure, Context, Result};
use vm::Shell;

use crate::checks::answer;
use crate::report::Report;
use crate::Setting;

/// The slot that runs first.
const SLOT: &str = "A";
/// Where Linux shows the registers of the bank that is predicted.
const REGISTERS: &str = "/sys/class/tpm/tpm0/pcr-sha256";

/// What is predicted of the start that a test makes: of slot A, or of a system without slots.
pub(crate) fn read(path: &Path) -> Result<Started> {
    let place = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", place()))?;
    let prediction = Prediction::parse(&text).with_context(place)?;
    first_start(&prediction).with_context(place)
}

fn first_start(prediction: &Prediction) -> Result<Started> {
    let profiles = prediction.profiles();
    let slot = profiles.iter().find(|p| p.id.as_deref() == Some(SLOT));
    let only = || match profiles {
        [only] => Some(only),
        _ => None,
    };
    let ids: Vec<_> = profiles.iter().map(|p| p.id.as_deref()).collect();
    let found = slot.or_else(only);
    let found = found.with_context(|| format!("profiles {ids:?}, want one of slot {SLOT}"));
    found.cloned()
}

/// Compares all of them, in a shell; without predictions, none.
pub(crate) fn run(shell: &Shell<'_>, setting: &Setting, report: &mut Report) {
    let predicted = setting.measured.iter();
    for (number, pcr) in predicted.flat_map(|predicted| &predicted.pcrs) {
        let held = answer(
            shell,
            &format!("cat {REGISTERS}/{number}"),
            setting.within(15),
        );
        let outcome = held.and_then(|held| holds(&held, pcr));
        report.check(&format!("PCR {number} is as predicted"), outcome);
    }
}

fn holds(held: &str, predicted: &Pcr) -> Result<()> {
    let want = predicted.value().to_string();
    let events: Vec<String> = predicted
        .events()
        .iter()
        .map(|event| format!("{} of {}", event.digest, event.what))
        .collect();
    ensure!(
        held.eq_ignore_ascii_case(&want),
        "it holds {held}, predicted is {want}, made by:\n{}",
        events.join("\n")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document of profiles with these ids, and PCR 12 untouched.
    fn document(ids: &[&str]) -> Prediction {
        let zeros = "0".repeat(64);
        let profiles: Vec<String> = ids
            .iter()
            .map(|id| {
                format!(
                    r#"{{"id":{id},"number":0,"pcrs":{{"12":{{"events":[],"value":"{zeros}"}}}}}}"#
                )
            })
            .collect();
        let profiles = profiles.join(",");
        let text = format!(r#"{{"bank":"sha256","format":1,"profiles":[{profiles}]}}"#);
        Prediction::parse(&text).unwrap()
    }

    #[test]
    fn the_first_start_is_that_of_slot_a_or_the_only_one() {
        let of = |ids: &[&str]| first_start(&document(ids));
        let slot = of(&["\"main\"", "\"B\"", "\"A\""]).unwrap();
        assert_eq!(slot.id.as_deref(), Some("A"));
        assert_eq!(of(&["null"]).unwrap().id, None);
        let error = of(&["\"main\"", "\"B\""]).unwrap_err().to_string();
        let want = "profiles [Some(\"main\"), Some(\"B\")], want one of slot A";
        assert_eq!(error, want);
    }

    #[test]
    fn a_register_is_compared_whatever_its_letters() {
        let pcr = Pcr::from(vec![::measured::Event::new("x", [0xab; 32].into())]);
        let want = pcr.value().to_string();
        holds(&want.to_uppercase(), &pcr).unwrap();
        let error = holds(&"0".repeat(64), &pcr).unwrap_err().to_string();
        assert!(error.contains(&format!("predicted is {want}")), "{error}");
        assert!(
            error.ends_with(&format!("{} of x", "ab".repeat(32))),
            "{error}"
        );
    }
}
