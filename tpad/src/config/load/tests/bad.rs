//! What is refused, and in which words.

use super::{Config, role_with};

#[test]
fn every_bad_setting_is_told_with_its_line_and_text() {
    for (text, complaint) in [
        ("[gait]\nlogin = []", "1: unknown key: \"gait\""),
        ("[gate]\nlogins = []", "2: unknown key: \"logins\""),
        ("gate = 1", "1: must be a table: \"1\""),
        (
            "[gate]\nlogin = 'alice'",
            "2: must be a list of texts, as in [\"one\", \"two\"]: \"alice\"",
        ),
        (
            "[gate]\n\nlogin = ['alice',\n 'mallory']",
            "4: no such user on this host: \"mallory\"",
        ),
        (
            "gate.login = ['@enginers']",
            "1: no such group on this host: \"@enginers\"",
        ),
        (
            "gate.login = ['@unreachable']",
            "1: cannot tell whether there is such a group (Connection refused): \"@unreachable\"",
        ),
        (
            "gate.login = ['%wheel']",
            "1: not a user or @group (write a group as \"@name\", not in sudo's way): \"%wheel\"",
        ),
        (
            "gate.login = ['4294967295']",
            "1: not a user or @group (names are wanted, not numbers): \"4294967295\"",
        ),
        (
            "gate.exempt = ['*']",
            "1: with everyone exempt there is no gate: \"*\"",
        ),
        (
            "gate.help = \"a\\nb\"",
            "1: must be one line of at most 200 characters: \"a\\nb\"",
        ),
        (
            "gate.login = ['*']\ngate.services.login = []",
            "2: a gate that stands nowhere: people are gated, but no service is: \"[]\"",
        ),
        (
            "gate.services.sudo = ['../x']",
            "1: not the name of a PAM service: \"../x\"",
        ),
        (
            "gate.services.login = ['sudo']",
            "1: a service stands in one list, once: \"sudo\"",
        ),
        (
            "gate.services.ignore = ['cups', 'sshd']",
            "1: a service stands in one list, once: \"sshd\"",
        ),
        (
            "gate.services.ignore = ['cups', 'cups']",
            "1: a service stands in one list, once: \"cups\"",
        ),
        (
            "limits.pending_per_user = -1",
            "1: must be a whole number from 0 to 1000: \"-1\"",
        ),
        (
            "warn.before = ['90']",
            "1: not a span of time (\"90\" has no unit; write for example 90m, 2h or 7d8h30m10s): \"90\"",
        ),
        (
            "warn.before = ['0s']",
            "1: must be longer than no time at all: \"0s\"",
        ),
        (
            "audit.format = 'json'",
            "1: must be \"kv\" or \"cee\": \"json\"",
        ),
        ("audit.keep = '29d'", "1: at least \"30d\": \"29d\""),
        (
            "notify.run = 'notify'",
            "1: not the path of a program (must begin with an absolute path): \"notify\"",
        ),
    ] {
        let found = Config::new(text, &[]).complaints();
        let complaint = format!("tpad.toml:{complaint}");
        assert!(
            found.contains(&complaint),
            "{text}\n{found:#?}\n{complaint}"
        );
        assert!(found.len() <= 2, "{text}\n{found:#?}");
    }
}

#[test]
fn every_bad_role_is_told_with_its_line_and_text() {
    for (line, complaint) in [
        ("request.whom = ['alice']", "unknown key: \"whom\""),
        ("description = 7", "must be text in quotes: \"7\""),
        ("request.who = []", "a role that nobody can ask for: \"[]\""),
        (
            "request.max = '0s'",
            "must be longer than no time at all: \"0s\"",
        ),
        (
            "request.max = 4",
            "must be a span of time in quotes, as in \"2h\": \"4\"",
        ),
        (
            "request.default = '2h'\nrequest.max = '1h'",
            "default is over max (1h): \"2h\"",
        ),
        (
            "request.reason_min = 1.5",
            "must be a whole number from 0 to 1000: \"1.5\"",
        ),
        (
            "request.ticket.pattern = \"a\\u001b\"",
            "a pattern has no control or invisible characters: \"a\\u001b\"",
        ),
        (
            "request.ticket.required = 'yes'",
            "must be true or false: \"yes\"",
        ),
        ("approve.who = []", "a role that nobody can approve: \"[]\""),
        (
            "approve.who = ['*']",
            "everyone cannot decide for everyone: \"*\"",
        ),
        (
            "approve.who = ['#0']",
            "not a user or @group (names are wanted, not numbers): \"#0\"",
        ),
        (
            "approve.needed = 3",
            "3 must approve, but only 2 can: \"3\"",
        ),
        (
            "approve.who = ['alice']",
            "nobody can approve what alice asks for: \"['alice']\"",
        ),
        (
            "approve.needed = 0",
            "needed = 0 means no approval: that is break_glass = true or auto: \"0\"",
        ),
        (
            "approve.needed = 1\ngives.break_glass = true",
            "break_glass needs no approval: leave needed out: \"1\"",
        ),
        (
            "gives.on_end = 'stop'",
            "must be \"kill\" or \"keep\": \"stop\"",
        ),
        (
            "gives.login = false",
            "a role that gives nothing: \"gives\"",
        ),
        (
            "gives.sudo = [{ run = ['/bin/ls'] }]",
            "a rule without as: \"{ run = ['/bin/ls'] }\"",
        ),
        (
            "gives.sudo = [{ as = 'root' }]",
            "a rule that gives nothing: \"{ as = 'root' }\"",
        ),
        (
            "gives.sudo = [{ as = 'ALL', run = ['/bin/ls'] }]",
            "must be \"user\" or \"user:group\", in names, not numbers: \"ALL\"",
        ),
        (
            "gives.sudo = [{ as = 'root:#0', run = ['/bin/ls'] }]",
            "must be \"user\" or \"user:group\", in names, not numbers: \"root:#0\"",
        ),
        (
            "gives.sudo = [{ as = 'mallory', run = ['/bin/ls'] }]",
            "no such user on this host: \"mallory\"",
        ),
        (
            "gives.sudo = [{ as = 'root', run = ['ls'] }]",
            "cannot be given (must begin with an absolute path): \"ls\"",
        ),
        (
            "gives.sudo = [{ as = 'root', edit = ['/etc/../x'] }]",
            "cannot be given (\"..\" leads out of the folder it stands in): \"/etc/../x\"",
        ),
        (
            "gives.sudo = {}",
            "must be a list of tables, each under its own [[head]]: \"{}\"",
        ),
    ] {
        let found = Config::new("", &[("x.toml", &role_with(line))]).complaints();
        let complaint = format!("roles.d/x.toml:1: {complaint}");
        assert_eq!(found, [complaint], "{line}");
    }
}
