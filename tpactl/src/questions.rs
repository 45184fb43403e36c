//! What a request lacks, asked for at the terminal. Enter takes the default where one is shown and
//! otherwise puts the question again; the end of input leaves, with nothing filed.

use tpa_bus::access::Role;
use tpa_bus::span::Span;
use tpa_bus::text::is_unsafe;

use crate::fail::{Exit, Fail};
use crate::say;
use crate::screen::Screen;
use crate::verbs::request::draft::{Draft, accepts_ticket};
use crate::verbs::request::meant;

/// Asks for everything that is missing, and again for what the role does not allow.
pub fn fill_in(mut draft: Draft, roles: &[Role], screen: &Screen) -> Result<Draft, Fail> {
    let role = role(draft.role.as_deref(), roles, screen)?;
    draft.role = Some(role.name.clone());
    if draft.until.is_none() {
        draft.length = Some(length(draft.length, role, screen)?);
    }
    draft.reason = Some(reason(draft.reason.as_deref(), role, screen)?);
    if role.ticket_required || draft.ticket.is_some() {
        draft.ticket = Some(ticket(draft.ticket.as_deref(), role, screen)?);
    }
    Ok(draft)
}

/// Which role. One that is alone is not asked for, but said.
fn role<'r>(given: Option<&str>, roles: &'r [Role], screen: &Screen) -> Result<&'r Role, Fail> {
    let named = |name: &str| roles.iter().find(|role| role.name == name);
    if let Some(name) = given {
        return named(name).ok_or_else(|| {
            let fail = Fail::new(
                Exit::Usage,
                format!("there is no role {name} that you may ask for"),
                "see which there are: tpactl roles",
            );
            meant(fail, name, roles)
        });
    }
    match roles {
        [] => {
            return Err(Fail::new(
                Exit::NotPermitted,
                "there is no role that you may ask for",
                "have an admin name you in a role's file: tpa-roles(5)",
            ));
        }
        [only] => {
            screen.note(&format!("Role: {}", described(only)));
            return Ok(only);
        }
        _ => {}
    }
    for (role, number) in roles.iter().zip(1..) {
        screen.note(&format!("{number:>3}  {}", described(role)));
    }
    let wanted = "a number or a name of the list";
    settle(None, "Role (number or name): ", wanted, screen, |answer| {
        let number = answer.parse::<usize>().ok();
        let numbered = number.and_then(|number| roles.get(number.checked_sub(1)?));
        named(answer).or(numbered)
    })
}

fn described(role: &Role) -> String {
    let (name, description) = (say::clean(&role.name), say::clean(&role.description));
    format!("{}  {description}", say::style::bold(&name))
}

fn length(given: Option<Span>, role: &Role, screen: &Screen) -> Result<Span, Fail> {
    let (usual, most) = (Span::from_secs(role.default_s), Span::from_secs(role.max_s));
    let given = given.map(|length| length.to_string());
    let question = format!("How long, at most {most} [{usual}]: ");
    let wanted = format!("a time up to {most}");
    settle(given.as_deref(), &question, &wanted, screen, |answer| {
        if answer.is_empty() {
            return Some(usual);
        }
        let length = Span::parse(answer).ok()?;
        (length.as_secs() > 0 && length <= most).then_some(length)
    })
}

fn reason(given: Option<&str>, role: &Role, screen: &Screen) -> Result<String, Fail> {
    let least = usize::try_from(role.reason_min)
        .unwrap_or(usize::MAX)
        .max(1);
    let (question, wanted) = match least {
        1 => ("Reason: ".to_owned(), "a reason".to_owned()),
        _ => (
            format!("Reason, at least {least} characters: "),
            format!("a reason of at least {least} characters"),
        ),
    };
    settle(given, &question, &wanted, screen, |answer| {
        (answer.chars().count() >= least).then(|| answer.to_owned())
    })
}

/// Under which ticket. One that the role does not take costs no other answer.
fn ticket(given: Option<&str>, role: &Role, screen: &Screen) -> Result<String, Fail> {
    let (question, wanted) = match &role.ticket_pattern {
        Some(pattern) => (
            format!("Ticket, such as {}: ", say::clean(pattern)),
            format!("a ticket such as {}", say::clean(pattern)),
        ),
        None => ("Ticket: ".to_owned(), "a ticket".to_owned()),
    };
    settle(given, &question, &wanted, screen, |answer| {
        accepts_ticket(role, answer).then(|| answer.to_owned())
    })
}

/// What was given, where it is good; else the first good answer.
fn settle<T>(
    given: Option<&str>,
    question: &str,
    wanted: &str,
    screen: &Screen,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, Fail> {
    let mut answer = match given {
        Some(given) => given.to_owned(),
        None => put(question, screen)?,
    };
    loop {
        let text = answer.trim();
        if text.chars().any(is_unsafe) {
            screen.note("Not valid: enter one line of plain text");
        } else if let Some(taken) = read(text) {
            return Ok(taken);
        } else {
            screen.note(&format!("Not valid: enter {wanted}"));
        }
        answer = put(question, screen)?;
    }
}

fn put(question: &str, screen: &Screen) -> Result<String, Fail> {
    screen.answer(question)?.ok_or_else(|| {
        Fail::new(
            Exit::Failure,
            "the questions were left; nothing was filed",
            "begin again: tpactl request",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::fake;

    fn web_ops() -> Role {
        Role {
            name: "web-ops".into(),
            description: "The web tier".into(),
            default_s: 3_600,
            max_s: 14_400,
            reason_min: 10,
            ..Role::default()
        }
    }

    fn db_admin() -> Role {
        Role {
            name: "db-admin".into(),
            description: "The database\x1b[2J".into(),
            default_s: 1_800,
            max_s: 3_600,
            ticket_required: true,
            ticket_pattern: Some("OPS-[0-9]+".into()),
            ..Role::default()
        }
    }

    /// What came of the questions, and what was shown meanwhile.
    fn asked(draft: Draft, roles: &[Role], typed: &'static str) -> (Result<Draft, Fail>, String) {
        let (screen, out, err) = fake::screen(Some(typed));
        let came = fill_in(draft, roles, &screen);
        assert_eq!(out.text(), "", "questions are no data");
        (came, anstream::adapter::strip_str(&err.text()).to_string())
    }

    #[test]
    fn the_only_role_is_taken_and_said_and_enter_takes_its_default_time() {
        let typed = "\nnginx answers slowly\n";
        let (draft, shown) = asked(Draft::default(), &[web_ops()], typed);
        let draft = draft.unwrap();
        assert_eq!(draft.role.as_deref(), Some("web-ops"));
        assert_eq!(draft.length, Some(Span::from_secs(3_600)));
        assert_eq!(draft.reason.as_deref(), Some("nginx answers slowly"));
        assert_eq!(draft.ticket, None);
        assert_eq!(
            shown,
            "Role: web-ops  The web tier\n\
             How long, at most 4h [1h]: Reason, at least 10 characters: "
        );
    }

    #[test]
    fn of_several_roles_one_is_chosen_by_number_or_by_name_and_enter_asks_again() {
        let roles = [db_admin(), web_ops()];
        for typed in [
            "2\n\nnginx answers slowly\n",
            "web-ops\n\nnginx answers slowly\n",
            "\n0\n3\nroot\n2\n\nnginx answers slowly\n",
        ] {
            let (draft, shown) = asked(Draft::default(), &roles, typed);
            assert_eq!(draft.unwrap().role.as_deref(), Some("web-ops"), "{typed:?}");
            assert!(shown.contains("  2  web-ops  The web tier\n"), "{shown}");
            let bad = typed.lines().count() - 3;
            assert_eq!(shown.matches("Not valid: ").count(), bad, "{shown}");
        }
    }

    #[test]
    fn words_of_a_role_move_no_cursor() {
        let (_, shown) = asked(Draft::default(), &[db_admin()], "");
        assert!(shown.contains("The database\\u{1b}[2J"), "{shown:?}");
    }

    #[test]
    fn a_time_that_is_too_long_or_none_is_asked_for_again() {
        let typed = "5h\n0s\n90\nsoon\n90m\nnginx answers slowly\n";
        let (draft, shown) = asked(Draft::default(), &[web_ops()], typed);
        assert_eq!(draft.unwrap().length, Some(Span::from_secs(5_400)));
        let again = "Not valid: enter a time up to 4h\nHow long, at most 4h [1h]: ";
        assert_eq!(shown.matches(again).count(), 4, "{shown}");
    }

    #[test]
    fn a_reason_that_is_short_or_no_plain_line_is_asked_for_again() {
        let typed = "\nshort\n\nnginx\x1b[2J is down\nnginx answers slowly\n";
        let (draft, shown) = asked(Draft::default(), &[web_ops()], typed);
        assert_eq!(
            draft.unwrap().reason.as_deref(),
            Some("nginx answers slowly")
        );
        let short = "Not valid: enter a reason of at least 10 characters\n";
        assert_eq!(shown.matches(short).count(), 2, "{shown}");
        let unclean = "Not valid: enter one line of plain text\n";
        assert_eq!(shown.matches(unclean).count(), 1, "{shown}");
    }

    #[test]
    fn a_ticket_is_asked_for_where_the_role_requires_one_and_its_pattern_is_shown() {
        let typed = "\nslow queries\n\nops-12\nOPS-12 and more\nOPS-12\n";
        let (draft, shown) = asked(Draft::default(), &[db_admin()], typed);
        assert_eq!(draft.unwrap().ticket.as_deref(), Some("OPS-12"));
        let again = "Not valid: enter a ticket such as OPS-[0-9]+\n";
        assert_eq!(shown.matches(again).count(), 3, "{shown}");
    }

    #[test]
    fn a_ticket_that_was_given_and_does_not_fit_is_asked_for_again_also_where_none_is_required() {
        let optional = Role {
            ticket_required: false,
            ..db_admin()
        };
        for role in [db_admin(), optional] {
            let given = Draft {
                role: Some("db-admin".into()),
                length: Some(Span::from_secs(600)),
                reason: Some("slow queries".into()),
                ticket: Some("4821".into()),
                ..Draft::default()
            };
            assert!(!given.is_complete(std::slice::from_ref(&role)));
            let (draft, shown) = asked(given, &[role], "OPS-4821\n");
            assert_eq!(draft.unwrap().ticket.as_deref(), Some("OPS-4821"));
            assert!(
                shown.starts_with("Not valid: enter a ticket such as"),
                "{shown}"
            );
        }
    }

    #[test]
    fn what_was_given_is_not_asked_for_unless_the_role_does_not_allow_it() {
        let given = || Draft {
            role: Some("web-ops".into()),
            length: Some(Span::from_secs(7_200)),
            ..Draft::default()
        };
        let typed = "nginx answers slowly\n";
        let (draft, shown) = asked(given(), &[db_admin(), web_ops()], typed);
        assert_eq!(draft.unwrap().length, Some(Span::from_secs(7_200)));
        assert_eq!(shown, "Reason, at least 10 characters: ");
        let too_long = Draft {
            length: Some(Span::from_secs(36_000)),
            ..given()
        };
        let (draft, _) = asked(too_long, &[web_ops()], "2h\nnginx answers slowly\n");
        assert_eq!(draft.unwrap().length, Some(Span::from_secs(7_200)));
    }

    #[test]
    fn the_end_of_input_leaves_at_every_question() {
        let roles = [db_admin(), web_ops()];
        for typed in [
            "",
            "1",
            "1\n",
            "1\n30m",
            "1\n\n",
            "1\n\nslow\n",
            "1\n\nslow\nOPS",
        ] {
            let (draft, shown) = asked(Draft::default(), &roles, typed);
            let fail = draft.unwrap_err();
            assert_eq!(fail.exit(), Exit::Failure, "{typed:?}");
            assert!(fail.lines().concat().contains("nothing was filed"));
            assert!(shown.ends_with(": \n"), "{shown:?}");
        }
    }

    #[test]
    fn a_role_that_is_not_there_is_refused_before_anything_is_asked() {
        let given = Draft {
            role: Some("web-opz".into()),
            ..Draft::default()
        };
        let (draft, shown) = asked(given, &[web_ops()], "");
        let fail = draft.unwrap_err();
        assert_eq!(fail.exit(), Exit::Usage);
        assert!(fail.lines().concat().contains("did you mean web-ops?"));
        assert_eq!(shown, "");
        let (draft, _) = asked(Draft::default(), &[], "");
        assert_eq!(draft.unwrap_err().exit(), Exit::NotPermitted);
    }
}
