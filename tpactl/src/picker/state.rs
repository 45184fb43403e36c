//! PURE: what the picker shows, and what a key does to it.

use tpa_bus::access::Request;

use super::Key;
use crate::say::request::review_due;

/// The picker.
pub struct State {
    /// What waits, as it is listed.
    pub waiting: Vec<Request>,
    /// Which of them is meant.
    pub at: usize,
    /// What is on the screen.
    pub mode: Mode,
    /// What came of the last decision.
    pub said: String,
}

/// What is on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// The list.
    List,
    /// The page of the one meant, from this row on.
    Page(usize),
    /// The question whether to approve the one meant.
    Sure,
    /// A reason for denying the one meant, as far as it is typed.
    Reason(String),
    /// The finding of a review, as far as it is typed.
    Finding(String),
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Nothing: draw and go on.
    Stay,
    /// List anew.
    Refresh,
    /// Approve this, which was shown.
    Approve(Box<Request>),
    /// Deny this, for this reason.
    Deny(String, String),
    /// Close the review of this with this finding.
    Review(String, String),
    /// Leave.
    Leave,
}

impl State {
    /// The list, with the first one meant.
    pub fn of(waiting: Vec<Request>) -> Self {
        Self {
            waiting,
            at: 0,
            mode: Mode::List,
            said: String::new(),
        }
    }

    /// The one that is meant.
    pub fn meant(&self) -> Option<&Request> {
        self.waiting.get(self.at)
    }

    /// Whether nothing waits any more.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Says what came of a decision.
    pub fn say(&mut self, said: String) {
        self.said = said;
    }

    /// Lists what waits now. The one that was meant still is, or the one in its place.
    pub fn renew(&mut self, waiting: Vec<Request>) {
        let id = self.meant().map(|request| request.id.clone());
        let found = waiting.iter().position(|new| Some(&new.id) == id.as_ref());
        self.at = found
            .unwrap_or(self.at)
            .min(waiting.len().saturating_sub(1));
        self.waiting = waiting;
        self.mode = Mode::List;
    }

    /// Of keys that came at once, those that count. What was pasted is text, and where none is
    /// typed it moves at most: no paste decides.
    pub fn unpasted(&self, keys: Vec<Key>) -> Vec<Key> {
        let typing = matches!(self.mode, Mode::Reason(_) | Mode::Finding(_));
        if typing || keys.len() == 1 {
            return keys;
        }
        let moves = [Key::Up, Key::Down, Key::Char('k'), Key::Char('j')];
        keys.into_iter().filter(|key| moves.contains(key)).collect()
    }

    /// What a key does.
    pub fn press(&mut self, key: Key) -> Step {
        match std::mem::replace(&mut self.mode, Mode::List) {
            Mode::List => self.in_list(key),
            Mode::Page(top) => self.on_page(key, top),
            Mode::Sure => self.when_asked(key),
            Mode::Reason(text) => self.typed(key, text, Mode::Reason, Step::Deny),
            Mode::Finding(text) => self.typed(key, text, Mode::Finding, Step::Review),
        }
    }

    fn in_list(&mut self, key: Key) -> Step {
        self.said.clear();
        match key {
            Key::Up | Key::Char('k') => self.at = self.at.saturating_sub(1),
            Key::Down | Key::Char('j') => {
                self.at = (self.at + 1).min(self.waiting.len().saturating_sub(1));
            }
            Key::Char('s') | Key::Enter => self.mode = Mode::Page(0),
            Key::Char('r') => return Step::Refresh,
            Key::Char('q') | Key::Back => return Step::Leave,
            key => self.decide(key),
        }
        Step::Stay
    }

    fn on_page(&mut self, key: Key, top: usize) -> Step {
        match key {
            Key::Up | Key::Char('k') => self.mode = Mode::Page(top.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.mode = Mode::Page(top.saturating_add(1)),
            key => self.decide(key),
        }
        Step::Stay
    }

    /// The keys that decide begin a question: no single key changes anything.
    fn decide(&mut self, key: Key) {
        let review = self.meant().is_some_and(review_due);
        match key {
            Key::Char('a') if review => self.mode = Mode::Finding(String::new()),
            Key::Char('a') => self.mode = Mode::Sure,
            Key::Char('d') if !review => self.mode = Mode::Reason(String::new()),
            _ => {}
        }
    }

    fn when_asked(&self, key: Key) -> Step {
        match (key, self.meant()) {
            (Key::Char('y' | 'Y'), Some(request)) => Step::Approve(Box::new(request.clone())),
            _ => Step::Stay,
        }
    }

    fn typed(
        &mut self,
        key: Key,
        mut text: String,
        mode: fn(String) -> Mode,
        step: fn(String, String) -> Step,
    ) -> Step {
        match key {
            Key::Back => return Step::Stay,
            Key::Enter if !text.trim().is_empty() => {
                let meant = self.meant().map(|request| request.id.clone());
                return meant.map_or(Step::Stay, |id| step(id, text));
            }
            Key::Char(c) => text.push(c),
            Key::Backspace => drop(text.pop()),
            _ => {}
        }
        self.mode = mode(text);
        Step::Stay
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn state() -> State {
        let mut glass = sample::active();
        glass.break_glass = true;
        glass.review_due = Some(true);
        State::of(vec![sample::pending(), glass])
    }

    fn press(state: &mut State, keys: &str) -> Step {
        let mut last = Step::Stay;
        for c in keys.chars() {
            last = state.press(match c {
                '\r' => Key::Enter,
                '<' => Key::Backspace,
                '!' => Key::Back,
                c => Key::Char(c),
            });
        }
        last
    }

    #[test]
    fn an_approval_takes_two_keys_and_only_y_goes_on() {
        assert_eq!(
            press(&mut state(), "ay"),
            Step::Approve(Box::new(sample::pending()))
        );
        for keys in ["an", "a!", "aa", "a\r", "y"] {
            assert_eq!(press(&mut state(), keys), Step::Stay, "{keys}");
        }
    }

    #[test]
    fn a_denial_takes_a_reason() {
        assert_eq!(press(&mut state(), "d\r"), Step::Stay);
        assert_eq!(press(&mut state(), "d  \r"), Step::Stay);
        assert_eq!(
            press(&mut state(), "dnott< now\r"),
            Step::Deny("K0000001".to_owned(), "not now".to_owned())
        );
        let mut left = state();
        assert_eq!(press(&mut left, "dno!"), Step::Stay);
        assert_eq!(left.mode, Mode::List);
    }

    #[test]
    fn what_waits_for_a_review_is_reviewed_and_not_denied() {
        assert_eq!(
            press(&mut state(), "jafine\r"),
            Step::Review("7H2KM4QX".to_owned(), "fine".to_owned())
        );
        assert_eq!(press(&mut state(), "jdno\r"), Step::Stay);
    }

    #[test]
    fn the_cursor_stays_in_the_list_and_on_what_was_meant() {
        let mut state = state();
        assert_eq!(press(&mut state, "jjjj"), Step::Stay);
        assert_eq!(state.at, 1);
        let mut first = sample::pending();
        first.id = "00000000".to_owned();
        state.renew(vec![first, sample::pending(), sample::active()]);
        assert_eq!(state.at, 2);
        state.renew(vec![sample::pending()]);
        assert_eq!(state.at, 0);
        state.renew(Vec::new());
        assert!(state.is_empty());
        assert_eq!(press(&mut state, "kjay"), Step::Stay);
    }

    #[test]
    fn what_is_pasted_decides_nothing() {
        let keys = |text: &str| text.chars().map(Key::Char).collect::<Vec<_>>();
        let mut state = state();
        assert_eq!(state.unpasted(keys("day")), []);
        assert_eq!(state.unpasted(keys("jj")), keys("jj"));
        assert_eq!(state.unpasted(keys("a")), keys("a"));
        assert_eq!(press(&mut state, "d"), Step::Stay);
        assert_eq!(state.unpasted(keys("day")), keys("day"), "typed text");
    }

    #[test]
    fn leaving_is_one_key_from_the_list_and_two_from_a_page() {
        assert_eq!(press(&mut state(), "q"), Step::Leave);
        assert_eq!(press(&mut state(), "!"), Step::Leave);
        assert_eq!(press(&mut state(), "sq"), Step::Stay);
        assert_eq!(press(&mut state(), "sqq"), Step::Leave);
        assert_eq!(
            press(&mut state(), "say"),
            Step::Approve(Box::new(sample::pending())),
            "a page is decided on too"
        );
    }
}
