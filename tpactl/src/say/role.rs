//! What may be asked for.

use tpa_bus::access::Role;

use super::page::field;
use super::time::short;
use super::{clean, count, names, style};

/// A role: what it is for, for how long, who decides, what it gives.
pub fn role(role: &Role) -> Vec<String> {
    let heading = format!(
        "{}  {}",
        style::bold(&clean(&role.name)),
        clean(&role.description)
    );
    let length = format!(
        "{} by default, {} at most",
        short(role.default_s),
        short(role.max_s)
    );
    let first_use = role.use_within_s.map(|within| {
        let within = short(within);
        format!(", from its first use, which must come within {within}")
    });
    let time = length + &first_use.unwrap_or_default();
    let approvals = usize::try_from(role.needed).unwrap_or(usize::MAX);
    let decision = match (role.break_glass, role.auto) {
        (true, _) => format!(
            "no approval: active at once, reviewed by {}",
            names(&role.approvers)
        ),
        (_, true) => "no approval: approved at once for you".to_owned(),
        _ => format!(
            "{} from {}; lapses after {}",
            count(approvals, "approval"),
            names(&role.approvers),
            short(role.lapse_s)
        ),
    };
    let ticket = match (&role.ticket_pattern, role.ticket_required) {
        (Some(pattern), true) => Some(format!("required, such as {}", clean(pattern))),
        (Some(pattern), false) => Some(format!("may be named, such as {}", clean(pattern))),
        (None, true) => Some("required".to_owned()),
        (None, false) => None,
    };
    let reason = (role.reason_min > 0).then(|| format!("{} characters or more", role.reason_min));
    let recorded = role.record.then(|| "what runs under sudo".to_owned());
    [
        vec![heading],
        field("time", [time]),
        field("needs", [decision]),
        field("reason", reason),
        field("ticket", ticket),
        field("gives", role.gives.iter().map(|rule| clean(rule))),
        field("goes on", role.goes_on.as_deref().map(clean)),
        field("removed", role.tidies.as_deref().map(clean)),
        field("recorded", recorded),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_says_what_to_ask_for_and_who_decides() {
        let shown = role(&Role {
            name: "web-ops".into(),
            description: "Restart the web tier".into(),
            default_s: 3_600,
            max_s: 14_400,
            lapse_s: 3_600,
            reason_min: 10,
            ticket_required: true,
            ticket_pattern: Some("OPS-[0-9]+".into()),
            approvers: vec!["@oncall".into(), "carol".into()],
            needed: 1,
            gives: vec!["login".into()],
            ..Role::default()
        })
        .join("\n");
        assert_eq!(
            anstream::adapter::strip_str(&shown).to_string(),
            "\
web-ops  Restart the web tier
  time        1h by default, 4h at most
  needs       1 approval from @oncall, carol; lapses after 1h
  reason      10 characters or more
  ticket      required, such as OPS-[0-9]+
  gives       login"
        );
    }
}
