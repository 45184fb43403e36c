//! PURE: the chain of the database beside the lines of a log.
//!
//! Two kinds of findings are kept apart. What concerns the chain (an event whose line is missing or
//! changed, a line of this database's that it does not have) means that somebody touched the trail:
//! nobody brings that about who can only write to the log. Lines that look like `tpad`'s and are not
//! can be written by anybody, and are named; so are those of another database.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use super::line::{Claim, Format, claim};

/// So many findings of each kind are kept word for word.
const SHOWN: usize = 20;

/// So many characters of a finding are kept.
const TEXT_MAX: usize = 1_024;

/// So many lines may come of events that are recorded while the log is being read.
const MOST_NEWER: usize = 10_000;

/// So many different texts are kept that one event's line has.
const MOST_TEXTS: usize = 20;

/// The hashes of the events in the database.
#[derive(Debug, Default)]
pub struct Chain {
    /// The database's own name, which its lines carry; a `tpad` of old had none.
    pub database: Option<String>,
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
        self.count = self.count.saturating_add(1);
        if self.first.len() < SHOWN {
            let text = text.chars().take(TEXT_MAX).collect();
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
    /// Lines of this database's of events that it does not have: it lost its tail.
    pub beyond: Oddities,
    /// Lines of an event whose text is not that event's, where the true one is not there.
    pub altered: Oddities,
    /// Lines that look like one of TPA's, and that neither the chain nor the journal vouches for.
    pub foreign: Oddities,
    /// Lines that say that they are of another database: of one that was purged, or of another
    /// host's.
    pub other_database: Oddities,
    /// Lines of events that were pruned: nothing is left to compare them with.
    pub pruned: u64,
}

impl Findings {
    /// Whether the log has what the database has, and the database what the log has. Lines that
    /// anybody could have written beside them change nothing about that.
    pub fn agree(&self) -> bool {
        self.missing.is_empty() && self.beyond.count == 0 && self.altered.count == 0
    }

    /// Whether every line that looks like TPA's is this database's.
    pub fn is_clean(&self) -> bool {
        self.foreign.count == 0 && self.other_database.count == 0
    }
}

/// A line of an event that was read.
struct Told {
    format: Format,
    text: u64,
}

/// A line that claims to be an event's and is not like the first one that did.
struct Another {
    format: Format,
    place: String,
    text: String,
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
    /// Where the first line of an event stands.
    places: BTreeMap<u64, String>,
    /// Further texts under an event's place and hash.
    others: BTreeMap<u64, Vec<Another>>,
    /// Events of which one line was not the right one, with what that one says.
    wrong: BTreeMap<u64, String>,
    /// Events of which one line was the right one, though not the first.
    right: std::collections::BTreeSet<u64>,
    newer: Vec<Newer>,
    beside: Vec<Odd>,
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
            others: BTreeMap::new(),
            wrong: BTreeMap::new(),
            right: std::collections::BTreeSet::new(),
            newer: Vec::new(),
            beside: Vec::new(),
            hasher: RandomState::new(),
            findings: Findings::default(),
        }
    }

    /// A message in the form in which `tpad` tells of an event.
    pub fn take(&mut self, place: impl Fn() -> String, message: &str) {
        let Some(claim) = claim(message) else {
            return self.findings.foreign.add(place(), message);
        };
        let ours = claim.database.is_some() && claim.database == self.chain.database;
        if claim.database.is_some() && !ours {
            return self.findings.other_database.add(place(), message);
        }
        if claim.seq > self.chain.last() {
            // The database's name is not for everybody to know: who cannot read the log cannot
            // make up a lost tail.
            if !ours && self.chain.database.is_some() {
                return self.findings.foreign.add(place(), message);
            }
            if self.newer.len() >= MOST_NEWER {
                return self.findings.beyond.add(place(), message);
            }
            let (place, text) = (place(), message.to_owned());
            return self.newer.push(Newer { claim, place, text });
        }
        if claim.seq <= self.chain.after && self.findings.first.is_none() {
            self.findings.pruned = self.findings.pruned.saturating_add(1);
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
            Some(known) if known.text == text => {}
            Some(_) => {
                let others = self.others.entry(claim.seq).or_default();
                let another = || Another {
                    format: claim.format,
                    place: place(),
                    text: message.to_owned(),
                };
                if others.len() < MOST_TEXTS && others.iter().all(|other| other.text != message) {
                    others.push(another());
                }
            }
            none => {
                *none = Some(Told {
                    format: claim.format,
                    text,
                });
                self.places.insert(claim.seq, place());
                self.findings.lines = self.findings.lines.saturating_add(1);
                self.findings.first.get_or_insert(claim.seq);
            }
        }
    }

    /// A line in a form of TPA's that the chain does not have: the reaper's or the PAM module's.
    /// Whether it is theirs is for [`Comparison::vouched`] to say.
    pub fn take_beside(&mut self, place: String, message: &str) {
        if self.beside.len() >= MOST_NEWER {
            return self.findings.foreign.add(place, message);
        }
        let text = message.to_owned();
        self.beside.push(Odd { place, text });
    }

    /// Whether there are lines that [`Comparison::vouched`] is to be asked about.
    pub fn has_beside(&self) -> bool {
        !self.beside.is_empty()
    }

    /// Which of the lines beside the chain somebody vouches for: the others are named.
    pub fn vouched(&mut self, vouches: impl Fn(&str) -> bool) {
        for Odd { place, text } in std::mem::take(&mut self.beside) {
            if !vouches(&text) {
                self.findings.foreign.add(place, &text);
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

    /// A line that looks like one of TPA's, and is not.
    pub fn take_foreign(&mut self, place: String, message: &str) {
        self.findings.foreign.add(place, message);
    }

    /// The first event in the log that is told in this form.
    pub fn first_in(&self, format: Format) -> Option<u64> {
        let is_it = |told: &Option<Told>| told.as_ref().is_some_and(|told| told.format == format);
        let index = self.told.iter().position(is_it);
        let first = index.map(|index| {
            let seq = self.chain.after.saturating_add(index as u64);
            seq.saturating_add(1)
        });
        let among = |others: &Vec<Another>| others.iter().any(|other| other.format == format);
        let others = self.others.iter().find(|(_, others)| among(others));
        [first, others.map(|(seq, _)| *seq)]
            .into_iter()
            .flatten()
            .min()
    }

    /// The line that an event has in this form.
    pub fn should_be(&mut self, seq: u64, format: Format, line: &str) {
        let told = self.chain.index(seq).and_then(|index| self.told.get(index));
        let Some(Some(told)) = told else { return };
        if told.format == format && told.text != self.hasher.hash_one(line) {
            self.wrong.insert(seq, line.to_owned());
        }
        if let Some(others) = self.others.get_mut(&seq) {
            let before = others.len();
            others.retain(|other| other.text != line);
            if others.len() < before {
                self.right.insert(seq);
            }
        }
    }

    /// What came of it. Lines behind the end of a chain that did not go on are no event's.
    pub fn finish(mut self) -> Findings {
        self.went_on(&Chain::default());
        self.vouched(|_| false);
        self.judge_texts();
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

    /// Of an event with several texts the true one counts, and the rest are somebody's who knew
    /// its place and hash; where the true one is not among them, its line was changed.
    fn judge_texts(&mut self) {
        for (seq, line) in std::mem::take(&mut self.wrong) {
            let place = self.places.get(&seq).cloned().unwrap_or_default();
            if self.right.contains(&seq) {
                self.findings.foreign.add(place, &line);
            } else {
                self.findings.altered.add(place, &line);
            }
        }
        for other in std::mem::take(&mut self.others).into_values().flatten() {
            self.findings.foreign.add(other.place, &other.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(after: u64) -> Chain {
        let hashes = (after + 1..=after + 5)
            .map(|seq| format!("h{seq}"))
            .collect();
        Chain {
            database: Some("d".into()),
            after,
            hashes,
        }
    }

    fn line(seq: u64) -> String {
        format!("event n={seq} db=d seq={seq} hash=h{seq}")
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
            database: None,
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
        assert!(
            found.agree() && !found.is_clean(),
            "the trail itself is whole"
        );
    }

    #[test]
    fn whoever_does_not_know_the_databases_name_makes_up_no_lost_tail() {
        let mut all = lines(&[1, 2, 3, 4, 5]);
        all.push("grant-activated user=mallory seq=6 hash=h6".into());
        let made_up = found(&chain(0), &all);
        assert_eq!((made_up.foreign.count, made_up.beyond.count), (1, 0));
        assert!(made_up.agree());
    }

    #[test]
    fn lines_of_a_database_that_was_purged_are_told_as_that() {
        let mut all: Vec<String> = (1..9)
            .map(|seq| format!("e db=c seq={seq} hash=g{seq}"))
            .collect();
        all.extend(lines(&[1, 2, 3, 4, 5]));
        let found = found(&chain(0), &all);
        assert_eq!((found.other_database.count, found.lines), (8, 5));
        assert!(found.agree() && !found.is_clean());
    }

    #[test]
    fn what_nobody_vouches_for_beside_the_chain_is_named() {
        let known = chain(0);
        let mut comparison = Comparison::new(&known);
        for text in ["reaper-acted grant=1", "reaper-acted grant=2"] {
            comparison.take_beside("log:1".to_owned(), text);
        }
        comparison.vouched(|text| text.ends_with('1'));
        let found = comparison.finish();
        assert_eq!(found.foreign.count, 1);
        assert_eq!(found.foreign.first[0].text, "reaper-acted grant=2");
    }

    #[test]
    fn a_line_whose_text_was_changed_is_a_break_only_where_the_true_one_is_not_there() {
        let changed = "event n=9 db=d seq=3 hash=h3".to_owned();
        let mut all = lines(&[1, 2, 3, 4, 5]);
        all.push(changed.clone());
        let beside = found(&chain(0), &all);
        assert_eq!((beside.altered.count, beside.foreign.count), (0, 1));
        all.insert(0, changed);
        let before = found(&chain(0), &all);
        assert_eq!((before.altered.count, before.foreign.count), (0, 1));
        all.retain(|text| *text != line(3));
        let found = found(&chain(0), &all);
        assert_eq!((found.altered.count, found.missing.len()), (1, 0));
        assert!(!found.agree());
    }

    #[test]
    fn a_log_that_is_ahead_shows_that_the_tail_was_cut_off() {
        let found = found(&chain(0), &lines(&[1, 2, 3, 4, 5, 6, 7]));
        assert_eq!(found.beyond.count, 2);
        assert!(!found.agree());
    }
}
