//! PURE: the chain of the database beside the lines of a log.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use super::line::{Claim, Format, claim};

/// So many findings of each kind are kept word for word.
const SHOWN: usize = 20;

/// So many lines may come of events that are recorded while the log is being read.
const MOST_NEWER: usize = 10_000;

/// The hashes of the events in the database.
#[derive(Debug, Default)]
pub struct Chain {
    /// Sequence number of the event before the first.
    pub after: u64,
    /// In order, without a gap.
    pub hashes: Vec<String>,
}

impl Chain {
    /// Sequence number of the newest event.
    pub fn last(&self) -> u64 {
        self.after.saturating_add(self.hashes.len() as u64)
    }

    fn index(&self, seq: u64) -> Option<usize> {
        let index = seq.checked_sub(self.after)?.checked_sub(1)?;
        usize::try_from(index).ok()
    }

    fn hash(&self, seq: u64) -> Option<&str> {
        self.hashes.get(self.index(seq)?).map(String::as_str)
    }
}

/// A line that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Odd {
    /// Where it stands: `/var/log/auth.log:12`.
    pub place: String,
    /// What it says.
    pub text: String,
}

/// Lines of one kind: how many, and the first of them.
#[derive(Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Oddities {
    /// How many.
    pub count: usize,
    /// The first of them.
    pub first: Vec<Odd>,
}

impl Oddities {
    fn add(&mut self, place: String, text: &str) {
        self.count += 1;
        if self.first.len() < SHOWN {
            let text = text.to_owned();
            self.first.push(Odd { place, text });
        }
    }
}

/// What a comparison found.
#[derive(Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Findings {
    /// Lines of events in the database, each counted once.
    pub lines: u64,
    /// The first event found, by sequence number; older ones were rotated away.
    pub first: Option<u64>,
    /// Events since the first that have no line, as ranges of sequence numbers.
    pub missing: Vec<(u64, u64)>,
    /// Lines of events that the database does not have: it lost its tail, or they are made up.
    pub beyond: Oddities,
    /// Lines that carry the name of `tpad` and no event's place and hash.
    pub foreign: Oddities,
    /// Lines of an event whose text is not that event's.
    pub altered: Oddities,
}

impl Findings {
    /// Whether the log says what the database says.
    pub fn agree(&self) -> bool {
        let odd = self.beyond.count + self.foreign.count + self.altered.count;
        self.missing.is_empty() && odd == 0
    }
}

/// A line of an event, as far as it was read.
struct Told {
    format: Format,
    text: u64,
}

/// A line of an event behind the end of the chain, as far as that is known.
struct Newer {
    claim: Claim,
    place: String,
    text: String,
}

/// Takes in the lines one by one, in the order of the log.
pub struct Comparison<'a> {
    chain: &'a Chain,
    told: Vec<Option<Told>>,
    places: BTreeMap<u64, String>,
    newer: Vec<Newer>,
    hasher: RandomState,
    findings: Findings,
}

impl<'a> Comparison<'a> {
    /// Nothing read yet.
    pub fn new(chain: &'a Chain) -> Self {
        let told = std::iter::repeat_with(|| None);
        Self {
            chain,
            told: told.take(chain.hashes.len()).collect(),
            places: BTreeMap::new(),
            newer: Vec::new(),
            hasher: RandomState::new(),
            findings: Findings::default(),
        }
    }

    /// A message under the name of `tpad`.
    pub fn take(&mut self, place: impl Fn() -> String, message: &str) {
        let Some(claim) = claim(message) else {
            return self.findings.foreign.add(place(), message);
        };
        if claim.seq > self.chain.last() {
            if self.newer.len() >= MOST_NEWER {
                return self.findings.beyond.add(place(), message);
            }
            let (place, text) = (place(), message.to_owned());
            return self.newer.push(Newer { claim, place, text });
        }
        if claim.seq <= self.chain.after && self.findings.first.is_none() {
            // Pruned from the database: nothing is left to compare it with.
            return;
        }
        let slot = self
            .chain
            .index(claim.seq)
            .and_then(|i| self.told.get_mut(i));
        let Some(slot) = slot.filter(|_| self.chain.hash(claim.seq) == Some(&claim.hash)) else {
            return self.findings.foreign.add(place(), message);
        };
        let text = self.hasher.hash_one(message);
        match slot {
            Some(known) if known.text == text || known.format != claim.format => {}
            Some(_) => self.findings.altered.add(place(), message),
            none => {
                *none = Some(Told {
                    format: claim.format,
                    text,
                });
                self.places.insert(claim.seq, place());
                self.findings.lines += 1;
                self.findings.first.get_or_insert(claim.seq);
            }
        }
    }

    /// Whether the newest events of the chain have no line: the log may be about to get them.
    pub fn lacks_the_newest(&self) -> bool {
        let newest_has_one = self.told.last().is_none_or(Option::is_some);
        self.findings.first.is_some() && !newest_has_one
    }

    /// Whether there are lines of events behind the end of the chain.
    pub fn is_ahead(&self) -> bool {
        !self.newer.is_empty()
    }

    /// The chain as it went on behind its end, read after the log: `tpad` tells of an event only
    /// once it is recorded, so a line that is not in it now is no event's.
    pub fn went_on(&mut self, chain: &Chain) {
        for Newer { claim, place, text } in std::mem::take(&mut self.newer) {
            if chain.hash(claim.seq) != Some(&claim.hash) {
                self.findings.beyond.add(place, &text);
            }
        }
    }

    /// A line that somebody else than `tpad` wrote under its name, as the journal knows.
    pub fn take_foreign(&mut self, place: String, message: &str) {
        self.findings.foreign.add(place, message);
    }

    /// The first event in the log that is told in this form.
    pub fn first_in(&self, format: Format) -> Option<u64> {
        let is_it = |told: &Option<Told>| told.as_ref().is_some_and(|told| told.format == format);
        let index = self.told.iter().position(is_it)?;
        Some(
            self.chain
                .after
                .saturating_add(index as u64)
                .saturating_add(1),
        )
    }

    /// The line that an event has in this form.
    pub fn should_be(&mut self, seq: u64, format: Format, line: &str) {
        let told = self.chain.index(seq).and_then(|index| self.told.get(index));
        let Some(Some(told)) = told else { return };
        if told.format == format && told.text != self.hasher.hash_one(line) {
            let place = self.places.get(&seq).cloned().unwrap_or_default();
            self.findings.altered.add(place, line);
        }
    }

    /// What came of it. Lines behind the end of a chain that did not go on are no event's.
    pub fn finish(mut self) -> Findings {
        self.went_on(&Chain::default());
        let Some(first) = self.findings.first else {
            return self.findings;
        };
        let mut missing: Vec<(u64, u64)> = Vec::new();
        for (seq, told) in (self.chain.after.saturating_add(1)..).zip(&self.told) {
            if told.is_some() || seq < first {
                continue;
            }
            match missing.last_mut() {
                Some((_, last)) if last.saturating_add(1) == seq => *last = seq,
                _ => missing.push((seq, seq)),
            }
        }
        self.findings.missing = missing;
        self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(after: u64) -> Chain {
        let hashes = (after + 1..=after + 5)
            .map(|seq| format!("h{seq}"))
            .collect();
        Chain { after, hashes }
    }

    fn line(seq: u64) -> String {
        format!("event n={seq} seq={seq} hash=h{seq}")
    }

    /// What comes of lines, each event's text being that of [`line`].
    fn found(chain: &Chain, lines: &[String]) -> Findings {
        let mut comparison = Comparison::new(chain);
        for (number, line) in lines.iter().enumerate() {
            comparison.take(|| format!("log:{}", number + 1), line);
        }
        for seq in chain.after + 1..=chain.last() {
            comparison.should_be(seq, Format::Kv, &line(seq));
        }
        comparison.finish()
    }

    fn lines(seqs: &[u64]) -> Vec<String> {
        seqs.iter().map(|seq| line(*seq)).collect()
    }

    #[test]
    fn a_log_whose_beginning_was_rotated_away_agrees() {
        let found = found(&chain(0), &lines(&[3, 4, 5]));
        assert!(found.agree(), "{found:?}");
        assert_eq!((found.first, found.lines), (Some(3), 3));
    }

    #[test]
    fn lines_told_twice_agree() {
        assert!(found(&chain(0), &lines(&[1, 2, 3, 2, 3, 4, 5])).agree());
    }

    #[test]
    fn lines_from_before_a_pruning_are_nothing_to_compare_with() {
        let found = found(&chain(10), &lines(&[8, 9, 10, 11, 12, 13, 14, 15]));
        assert!(found.agree(), "{found:?}");
        assert_eq!(found.first, Some(11));
    }

    #[test]
    fn what_was_recorded_while_the_log_was_read_is_compared_too() {
        let known = chain(0);
        let mut comparison = Comparison::new(&known);
        for line in lines(&[1, 2, 3, 4, 5, 6, 7]) {
            comparison.take(|| "log".to_owned(), &line);
        }
        assert!(comparison.is_ahead() && !comparison.lacks_the_newest());
        comparison.went_on(&Chain {
            after: 5,
            hashes: vec!["h6".into(), "another".into()],
        });
        let found = comparison.finish();
        assert_eq!((found.missing.len(), found.beyond.count), (0, 1));
        assert_eq!(found.beyond.first[0].text, line(7));
    }

    #[test]
    fn a_log_that_ends_before_the_chain_may_be_about_to_get_the_rest() {
        let known = chain(0);
        let mut comparison = Comparison::new(&known);
        assert!(!comparison.lacks_the_newest(), "a log without any line");
        for line in lines(&[1, 2, 4]) {
            comparison.take(|| "log".to_owned(), &line);
        }
        assert!(comparison.lacks_the_newest());
        comparison.take(|| "log".to_owned(), &line(5));
        assert!(!comparison.lacks_the_newest(), "the gap is a finding");
    }

    #[test]
    fn what_is_missing_is_named_as_ranges() {
        let found = found(&chain(0), &lines(&[1, 4]));
        assert_eq!(found.missing, [(2, 3), (5, 5)]);
    }

    #[test]
    fn what_others_wrote_under_the_name_is_told() {
        let mut all = lines(&[1, 2, 3, 4, 5]);
        all.push("grant-activated user=mallory".into());
        all.push("grant-activated user=mallory seq=3 hash=h4".into());
        let found = found(&chain(0), &all);
        assert_eq!(found.foreign.count, 2);
        assert_eq!(found.foreign.first[0].place, "log:6");
    }

    #[test]
    fn a_line_whose_text_was_changed_is_told_whether_or_not_the_true_one_is_there() {
        let changed = "event n=9 seq=3 hash=h3".to_owned();
        let mut all = lines(&[1, 2, 3, 4, 5]);
        all.push(changed.clone());
        assert_eq!(found(&chain(0), &all).altered.count, 1);
        all.remove(2);
        let found = found(&chain(0), &all);
        assert_eq!((found.altered.count, found.missing.len()), (1, 0));
    }

    #[test]
    fn a_log_that_is_ahead_shows_that_the_tail_was_cut_off() {
        let found = found(&chain(0), &lines(&[1, 2, 3, 4, 5, 6, 7]));
        assert_eq!(found.beyond.count, 2);
        assert!(!found.agree());
    }
}
