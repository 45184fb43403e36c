//! What somebody is asked who may ask for a grant. Nothing that was typed is shown again: it may
//! be a password that a program typed at the wrong question.

use tpa_bus::gate::OfferedRole;
use tpa_bus::span::Span;
use tpa_bus::text::{is_unsafe, one_line};

use crate::handle::Pam;

/// How often a question is put: once, and again after a bad answer.
pub const TRIES: usize = 3;
/// Longest answer, in characters.
const ANSWER_MAX: usize = 400;
/// Most roles in a list; the others can be named.
const LISTED_MAX: usize = 12;
/// What stands for leaving at each question.
const LEAVE: &str = "q";

/// How an answer reads.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
enum Reading<T> {
    /// As this.
    Taken(T),
    /// As nothing that can be asked for, and why.
    Bad(String),
    /// As somebody who has nothing to ask for, or is not there.
    Leaves,
}

/// Puts a question until it has a good answer; `None` when the person leaves.
fn put<T>(pam: &mut dyn Pam, question: &str, read: impl Fn(&str) -> Reading<T>) -> Option<T> {
    let mut mistake = String::new();
    for _ in 0..TRIES {
        let answer = pam.prompt(&format!("{mistake}{question}"))?;
        let answer = answer.trim();
        let reading = if answer == LEAVE {
            Reading::Leaves
        } else if answer.chars().nth(ANSWER_MAX).is_some() {
            Reading::Bad(format!("at most {ANSWER_MAX} characters"))
        } else if answer.chars().any(is_unsafe) {
            Reading::Bad("one line of plain text".to_owned())
        } else {
            read(answer)
        };
        match reading {
            Reading::Taken(taken) => return Some(taken),
            Reading::Bad(why) => mistake = format!("tpa: not valid: {why}.\n"),
            Reading::Leaves => return None,
        }
    }
    pam.say_error("tpa: no request was filed.");
    None
}

/// Which of the roles, and what is to be shown before the next question. One alone is not asked for
/// but shown there: sudo shows nothing but prompts.
pub fn role<'a>(
    pam: &mut dyn Pam,
    intro: &str,
    roles: &'a [OfferedRole],
) -> Option<(&'a OfferedRole, String)> {
    if let [only] = roles {
        return Some((only, format!("{intro}\n{}\n", describe(only))));
    }
    let listed = roles.iter().take(LISTED_MAX).zip(1..);
    let lines: Vec<_> = listed
        .map(|(role, number)| format!("{number:>3} {}", describe(role)))
        .collect();
    let question = format!(
        "{intro}\n{}\nRole (number or name, q quits): ",
        lines.join("\n")
    );
    let chosen = put(pam, &question, |answer| {
        let by_number = answer.parse::<usize>().ok();
        let by_number = by_number.and_then(|number| roles.get(number.checked_sub(1)?));
        let named = roles.iter().find(|role| role.name == answer);
        match named.or(by_number) {
            Some(role) => Reading::Taken(role),
            None => Reading::Bad("a number or a name of the list".to_owned()),
        }
    });
    chosen.map(|role| (role, String::new()))
}

fn describe(role: &OfferedRole) -> String {
    let decided = if role.break_glass {
        "at once, reviewed afterwards".to_owned()
    } else if role.auto {
        "at once".to_owned()
    } else {
        let approvals = match role.needed {
            1 => "1 approval".to_owned(),
            needed => format!("{needed} approvals"),
        };
        format!("needs {approvals} from {}", role.approvers.join(", "))
    };
    let OfferedRole {
        name, description, ..
    } = role;
    one_line(&format!("{name}: {description} ({decided})"), 200)
}

/// For how long; `told` is shown before.
pub fn length(pam: &mut dyn Pam, told: &str, role: &OfferedRole) -> Option<u64> {
    let (usual, most) = (Span::from_secs(role.default_s), Span::from_secs(role.max_s));
    let question = format!("{told}How long, at most {most} [{usual}]: ");
    put(pam, &question, |answer| match Span::parse(answer) {
        _ if answer.is_empty() => Reading::Taken(role.default_s),
        Ok(span) if span.as_secs() > 0 && span <= most => Reading::Taken(span.as_secs()),
        Ok(_) => Reading::Bad(format!("more than nothing, at most {most}")),
        Err(_) => Reading::Bad("a span such as 90m or 2h".to_owned()),
    })
}

/// What for.
pub fn reason(pam: &mut dyn Pam, role: &OfferedRole) -> Option<String> {
    let least = usize::try_from(role.reason_min).unwrap_or(usize::MAX);
    let question = match least {
        0 | 1 => "Reason: ".to_owned(),
        _ => format!("Reason, at least {least} characters: "),
    };
    put(pam, &question, |answer| match answer.chars().count() {
        0 => Reading::Bad("a reason".to_owned()),
        length if length < least => Reading::Bad(format!("at least {least} characters")),
        _ => Reading::Taken(answer.to_owned()),
    })
}

/// Under which ticket.
pub fn ticket(pam: &mut dyn Pam, role: &OfferedRole) -> Option<String> {
    let question = match &role.ticket_pattern {
        Some(pattern) => format!("Ticket ({}): ", one_line(pattern, 80)),
        None => "Ticket: ".to_owned(),
    };
    put(pam, &question, |answer| match answer {
        "" => Reading::Bad("a ticket".to_owned()),
        ticket => Reading::Taken(ticket.to_owned()),
    })
}

/// Whether to wait for a request just filed: they have typed before, so Enter is a yes.
pub fn wait(pam: &mut dyn Pam, told: &str) -> Option<()> {
    let question = format!("{told}\nWait here for the decision? [Y/n] ");
    put(pam, &question, |answer| {
        yes_or_no(answer, Reading::Taken(()))
    })
}

/// Whether to wait for a request of earlier. A program answers with nothing, so that is a no.
pub fn wait_for_earlier(pam: &mut dyn Pam, told: &str) -> Option<()> {
    let question = format!("{told}\nWait here for the decision? [y/N] ");
    put(pam, &question, |answer| yes_or_no(answer, Reading::Leaves))
}

/// Enter is what the question shows as a capital letter.
fn yes_or_no(answer: &str, enter: Reading<()>) -> Reading<()> {
    match answer.to_ascii_lowercase().as_str() {
        "" => enter,
        "y" | "yes" => Reading::Taken(()),
        "n" | "no" => Reading::Leaves,
        _ => Reading::Bad("y or n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{Event, FakePam};

    fn web_ops() -> OfferedRole {
        OfferedRole {
            name: "web-ops".into(),
            description: "The web tier".into(),
            default_s: 3_600,
            max_s: 14_400,
            reason_min: 10,
            ticket_pattern: Some("OPS-[0-9]+".into()),
            approvers: vec!["@oncall".into()],
            needed: 1,
            ..OfferedRole::default()
        }
    }

    fn typed(answers: &[&'static str]) -> FakePam {
        let prompts = answers.iter().map(|answer| Event::Prompt("", Some(answer)));
        FakePam::new("sshd", "alice", prompts)
    }

    /// Three bad answers end it, and nothing of them is shown.
    fn given_up(answers: [&'static str; TRIES]) -> FakePam {
        let prompts = answers.map(|answer| Event::Prompt("", Some(answer)));
        let end = Event::Error("tpa: no request was filed.");
        FakePam::new("sshd", "alice", prompts.into_iter().chain([end]))
    }

    #[test]
    fn a_role_is_chosen_by_number_or_name_from_a_list_and_one_alone_is_not_asked_for() {
        let roles = [
            OfferedRole {
                name: "db-admin".into(),
                ..web_ops()
            },
            web_ops(),
        ];
        for answer in ["2", "web-ops", " web-ops "] {
            let chosen = role(&mut typed(&[answer]), "", &roles).unwrap();
            assert_eq!((chosen.0.name.as_str(), chosen.1.as_str()), ("web-ops", ""));
        }
        assert_eq!(role(&mut typed(&["q"]), "", &roles), None);
        assert_eq!(role(&mut given_up(["0", "3", "root"]), "", &roles), None);
        let (_, told) = role(&mut typed(&[]), "tpa: intro", &roles[1..]).unwrap();
        assert_eq!(
            told,
            "tpa: intro\nweb-ops: The web tier (needs 1 approval from @oncall)\n"
        );
    }

    #[test]
    fn an_empty_length_is_the_usual_one_and_no_length_is_longer_than_the_role_allows() {
        let length_of = |pam: &mut FakePam| length(pam, "", &web_ops());
        assert_eq!(length_of(&mut typed(&[""])), Some(3_600));
        assert_eq!(length_of(&mut typed(&["90", "5h", "4h"])), Some(14_400));
        assert_eq!(length_of(&mut given_up(["0s", "-1h", "for ever"])), None);
    }

    #[test]
    fn enter_takes_what_the_question_shows_and_otherwise_brings_it_again() {
        let roles = [web_ops(), web_ops()];
        assert_eq!(role(&mut given_up(["", "", ""]), "", &roles), None);
        assert_eq!(reason(&mut given_up(["", "", ""]), &web_ops()), None);
        assert_eq!(ticket(&mut given_up(["", "", ""]), &web_ops()), None);
        let good = reason(&mut typed(&["", "nginx hangs, again"]), &web_ops());
        assert_eq!(good.as_deref(), Some("nginx hangs, again"));
        for (answers, now, earlier) in [
            (&[""][..], Some(()), None),
            (&["y"], Some(()), Some(())),
            (&["maybe", "Yes"], Some(()), Some(())),
            (&["n"], None, None),
            (&["q"], None, None),
        ] {
            assert_eq!(wait(&mut typed(answers), ""), now, "{answers:?}");
            assert_eq!(
                wait_for_earlier(&mut typed(answers), ""),
                earlier,
                "{answers:?}"
            );
        }
    }

    #[test]
    fn whoever_cannot_be_asked_any_more_is_not_asked_again() {
        let hung_up = [Event::Prompt("Reason, at least 10 characters: ", None)];
        let mut pam = FakePam::new("sshd", "alice", hung_up);
        assert_eq!(reason(&mut pam, &web_ops()), None);
    }

    #[test]
    fn hostile_answers_are_refused_and_not_shown_again() {
        let long: &'static str = "x".repeat(ANSWER_MAX + 1).leak();
        let prompts = [
            Event::Prompt("Reason", Some("nginx hangs\x1b]0;owned\x07")),
            Event::Prompt(
                "tpa: not valid: one line of plain text.\nReason",
                Some(long),
            ),
            Event::Prompt(
                "tpa: not valid: at most 400 characters.\nReason",
                Some("short"),
            ),
            Event::Error("tpa: no request was filed."),
        ];
        let mut pam = FakePam::new("sshd", "alice", prompts);
        assert_eq!(reason(&mut pam, &web_ops()), None);
    }
}
