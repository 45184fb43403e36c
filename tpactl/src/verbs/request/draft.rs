//! What a request says so far: the options of the command line, and what was answered since.

use tpa_bus::access::Role;
use tpa_bus::pattern::Pattern;
use tpa_bus::span::Span;

use crate::completion;
use crate::when::{Moment, span};

/// A request that is not filed yet.
#[derive(Debug, Default, clap::Args)]
pub struct Draft {
    /// The role to ask for; tpactl roles lists them. On a terminal, asked for when not given
    #[arg(add = completion::roles())]
    pub role: Option<String>,
    /// For how long, such as 2h; the role's default when not given
    #[arg(long = "for", value_name = "SPAN", value_parser = span, conflicts_with = "until")]
    pub length: Option<Span>,
    /// Until when: 17:30 (the next one), or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// Why; on a terminal, asked for when not given
    #[arg(long, value_name = "TEXT", alias = "comment")]
    pub reason: Option<String>,
    /// The ticket that it belongs to; on a terminal, asked for where the role requires one
    #[arg(long)]
    pub ticket: Option<String>,
}

impl Draft {
    /// Whether something was left out that a role may require.
    pub fn has_gaps(&self) -> bool {
        self.role.is_none() || self.reason.is_none() || self.ticket.is_none()
    }

    /// Whether it can be filed as it is, as far as the roles tell.
    pub fn is_complete(&self, roles: &[Role]) -> bool {
        let (Some(name), Some(_)) = (&self.role, &self.reason) else {
            return false;
        };
        let role = roles.iter().find(|role| role.name == *name);
        role.is_none_or(|role| match &self.ticket {
            Some(ticket) => accepts_ticket(role, ticket),
            None => !role.ticket_required,
        })
    }

    /// The role and the options that say it.
    pub fn words(&self) -> Vec<String> {
        let options = [
            ("--for", self.length.map(|length| length.to_string())),
            ("--until", self.until.map(|until| until.to_string())),
            ("--reason", self.reason.clone()),
            ("--ticket", self.ticket.clone()),
        ];
        let said = options
            .into_iter()
            .filter_map(|(name, value)| Some([name.to_owned(), value?]));
        self.role.iter().cloned().chain(said.flatten()).collect()
    }
}

/// Whether the role takes this ticket. A pattern that cannot be read here is for `tpad` to judge.
pub fn accepts_ticket(role: &Role, ticket: &str) -> bool {
    let pattern = role.ticket_pattern.as_deref().map(Pattern::parse);
    match pattern {
        Some(Ok(pattern)) => pattern.matches(ticket),
        Some(Err(_)) | None => !ticket.is_empty(),
    }
}
