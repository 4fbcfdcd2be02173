//! Jobs of small steps: order, policy, dry run, the read-only promise, and the exact lines and JSON.

use super::*;
use crate::lines::Lines;
use crate::Progress;

/// A step that notes in the context that it ran.
struct Small {
    name: &'static str,
    effect: Effect,
    on_failure: OnFailure,
    check: Result<(), &'static str>,
    run: Result<(), &'static str>,
}

const FINE: Small = Small {
    name: "fine",
    effect: Effect::Reads,
    on_failure: OnFailure::Stop,
    check: Ok(()),
    run: Ok(()),
};

impl Step<Vec<&'static str>> for Small {
    fn name(&self) -> &'static str {
        self.name
    }
    fn plan(&self, context: &Vec<&'static str>) -> String {
        format!("be number {}", context.len())
    }
    fn effect(&self) -> Effect {
        self.effect
    }
    fn on_failure(&self) -> OnFailure {
        self.on_failure
    }
    fn check(&self, _: &Vec<&'static str>) -> Result<(), Failure> {
        self.check.map_err(Failure::new)
    }
    fn run(
        &self,
        context: &mut Vec<&'static str>,
        progress: Progress<'_>,
    ) -> Result<Vec<String>, Failure> {
        context.push(self.name);
        for done in 0..=100 {
            progress(done, 400);
        }
        self.run.map_err(Failure::new)?;
        Ok(vec!["a remark".to_owned()])
    }
}

fn run(runner: Runner, steps: &[&Small]) -> (Report, Vec<&'static str>, String) {
    let mut context = Vec::new();
    let mut text = Vec::new();
    let mut all: Vec<&dyn Step<_>> = Vec::new();
    for step in steps {
        all.push(*step);
    }
    let report = runner.run(&all, &mut context, &mut Lines::new(&mut text));
    (report, context, String::from_utf8(text).unwrap())
}

fn states(report: &Report) -> Vec<(&'static str, Status)> {
    report.steps.iter().map(|s| (s.name, s.status)).collect()
}

#[test]
fn a_failed_step_stops_or_does_not() {
    let bad = Small {
        name: "bad",
        run: Err("no luck"),
        ..FINE
    };
    let last = Small {
        name: "last",
        ..FINE
    };
    let (report, ran, text) = run(Runner::writing(false), &[&FINE, &bad, &last]);
    assert_eq!(ran, ["fine", "bad"]);
    assert_eq!(
        states(&report),
        [
            ("fine", Status::Done),
            ("bad", Status::Failed),
            ("last", Status::NotReached)
        ]
    );
    assert_eq!(report.problems().collect::<Vec<_>>(), [("bad", "no luck")]);
    assert!(!report.ok);
    assert_eq!(
        text,
        "[1/3] fine: be number 0\n      fine: 10 %\n      fine: 20 %\n      fine: a remark\n\
         [2/3] bad: be number 1\n      bad: 10 %\n      bad: 20 %\n[2/3] bad: failed\n\
         [3/3] last: not reached\n"
    );
    let bad = Small {
        on_failure: OnFailure::GoOn,
        ..bad
    };
    let (report, ran, _) = run(Runner::writing(false), &[&FINE, &bad, &last]);
    assert_eq!(ran, ["fine", "bad", "last"]);
    assert!(!report.ok);
}

#[test]
fn a_failed_check_keeps_from_running() {
    let bad = Small {
        check: Err("nothing there"),
        ..FINE
    };
    let (report, ran, _) = run(Runner::writing(false), &[&bad]);
    assert!(ran.is_empty());
    assert_eq!(states(&report), [("fine", Status::Failed)]);
}

#[test]
fn a_dry_run_runs_nothing_and_says_everything() {
    let bad = Small {
        name: "bad",
        check: Err("nothing there"),
        effect: Effect::Writes,
        ..FINE
    };
    let last = Small {
        name: "last",
        effect: Effect::Writes,
        ..FINE
    };
    let (report, ran, text) = run(Runner::writing(true), &[&bad, &last]);
    assert!(ran.is_empty());
    assert_eq!(
        text,
        "[1/2] bad: be number 0\n[1/2] bad: failed\n[2/2] last: be number 0\n"
    );
    assert_eq!(
        serde_json::to_string(&report).unwrap(),
        r#"{"dry_run":true,"ok":false,"steps":[{"name":"bad","status":"failed","plan":"be number 0","problems":["nothing there"],"notes":[]},{"name":"last","status":"would-run","plan":"be number 0","problems":[],"notes":[]}]}"#
    );
}

#[test]
fn a_reading_runner_writes_never() {
    let writes = Small {
        effect: Effect::Writes,
        ..FINE
    };
    for dry_run in [false, true] {
        let (report, ran, _) = run(Runner::reading(dry_run), &[&writes]);
        assert!(ran.is_empty());
        assert_eq!(
            report.problems().collect::<Vec<_>>(),
            [(
                "fine",
                "it would write, and only steps that read are allowed here"
            )]
        );
    }
}

#[test]
fn records_can_come_later() {
    let (mut report, ..) = run(Runner::reading(false), &[&FINE]);
    let mut record = report.step("fine").unwrap().clone();
    record.status = Status::Failed;
    report.put(record.clone());
    assert!(!report.ok);
    record.status = Status::Done;
    report.put(record.clone());
    record.name = "later";
    report.put(record);
    assert!(report.ok);
    assert_eq!(report.steps.len(), 2);
}

#[test]
fn parts_of_work() {
    for (done, of, parts, want) in [
        (0, 7, 10, 0),
        (6, 7, 10, 8),
        (7, 7, 10, 10),
        (8, 7, 10, 10),
        (0, 0, 10, 10),
        (u64::MAX - 1, u64::MAX, 100, 99),
        (u64::MAX, u64::MAX, u32::MAX, u64::from(u32::MAX)),
    ] {
        assert_eq!(crate::parts_done(done, of, parts), want, "{done} of {of}");
    }
}
