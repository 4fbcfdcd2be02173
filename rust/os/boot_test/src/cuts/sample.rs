//! Which states are started when not all are.

use std::collections::{BTreeMap, BTreeSet};

use base::bounded::{product, sum};
use base::{as_u64, as_usize};

use super::{Count, State, CHOOSES};

/// The states to start, evenly over the log: between any two flushes one, or of as many such times as there is room for; then a second one of
/// each, and so on. Of those between the same flushes the ones that differ where a slot is chosen come first.
pub(super) fn choose(states: &[State], count: Count) -> Vec<&State> {
    let Count::Most(most) = count else {
        return states.iter().collect();
    };
    let mut seen = BTreeSet::new();
    let mut times: BTreeMap<usize, [Vec<&State>; 2]> = BTreeMap::new();
    for state in states {
        let chooses = CHOOSES.map(|number| state.numbers.get(number).copied());
        let [differ, others] = times.entry(state.first.since()).or_default();
        match seen.insert(chooses) {
            true => differ.push(state),
            false => others.push(state),
        }
    }
    let times: Vec<Vec<&State>> = times.into_values().map(|both| both.concat()).collect();
    let mut chosen: Vec<&State> = Vec::new();
    for round in 0.. {
        let there: Vec<&State> = times
            .iter()
            .filter_map(|time| time.get(round).copied())
            .collect();
        let room = most.abs_diff(chosen.len());
        if there.is_empty() || room == 0 {
            break;
        }
        chosen.extend(evenly(&there, room));
    }
    chosen
}

/// So many of them at most, the last one among them, as far from each other as can be.
fn evenly<'a>(all: &[&'a State], most: usize) -> Vec<&'a State> {
    let len = as_u64(all.len());
    let most = as_u64(most).min(len);
    // States are few: they are held in memory.
    let share = |at: u64| product(at, most).checked_div(len);
    let is_next = |at: u64| share(at) != share(sum(at, 1));
    let chosen = (0..len).filter(|at| is_next(*at));
    chosen
        .filter_map(|at| all.get(as_usize(at)).copied())
        .collect()
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;
    use crate::cuts::points::Point;

    fn state(since: usize, chooses: u128, boot: u128) -> State {
        State {
            numbers: vec![0, chooses, 0, 0, boot],
            first: Point::whole(since + 1, since),
            verdicts: BTreeMap::new(),
        }
    }

    fn chosen(states: &[State], count: Count) -> Vec<(usize, u128)> {
        let chosen = choose(states, count);
        chosen
            .iter()
            .map(|state| (state.first.since(), state.numbers[4]))
            .collect()
    }

    #[test]
    fn every_time_between_flushes_has_its_turn() {
        // At the first time ten states, the last of which differs where a slot is chosen; then three times of one.
        let mut states: Vec<State> = (0..9).map(|boot| state(0, 7, boot)).collect();
        states.push(state(0, 8, 9));
        states.extend([state(20, 7, 20), state(30, 7, 30), state(40, 7, 40)]);
        let most = |most| chosen(&states, Count::Most(most));
        assert_eq!(most(1), [(40, 40)]);
        assert_eq!(most(2), [(20, 20), (40, 40)]);
        assert_eq!(most(4), [(0, 0), (20, 20), (30, 30), (40, 40)]);
        assert_eq!(most(6)[4..], [(0, 9), (0, 1)]);
        assert_eq!(most(100).len(), 13);
        assert_eq!(chosen(&states, Count::All).len(), 13);
        assert!(most(0).is_empty());
    }

    #[test]
    fn many_times_are_spread_over_the_log() {
        let states: Vec<State> = (0..1000).map(|at| state(at, 7, 0)).collect();
        let times: Vec<usize> = chosen(&states, Count::Most(24))
            .iter()
            .map(|(since, _)| *since)
            .collect();
        assert_eq!(times.len(), 24);
        assert_eq!(times[23], 999);
        let gaps: BTreeSet<usize> = times.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(gaps, BTreeSet::from([41, 42]));
    }
}
