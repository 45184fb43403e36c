//! Requests for tests, at the time of [`crate::clock::fixed`].

use tpa_bus::access::{Approval, Request, Session};

const NOW: i64 = 1_795_527_060;

/// bob's, waiting for the first of two approvals.
pub fn pending() -> Request {
    Request {
        id: "K0000001".into(),
        state: "pending".into(),
        user: "bob".into(),
        uid: 1002,
        role: "db-admin".into(),
        reason: "Look at the slow query of the shop".into(),
        requested_by: "bob".into(),
        requested_at: NOW - 600,
        duration_s: 3_600,
        needed: 2,
        approvers: vec!["@oncall".into(), "carol".into()],
        lapses_at: Some(NOW + 3_000),
        gives: vec!["sudo as postgres: /usr/bin/psql -d shop".into()],
        reviewable: Some(false),
        ..Request::default()
    }
}

/// The same when carol has approved it: first use starts it.
pub fn unused() -> Request {
    Request {
        state: "approved".into(),
        not_before: Some(NOW - 60),
        lapses_at: Some(NOW + 7_140),
        use_by: Some(NOW + 7_140),
        decided_by: Some("carol".into()),
        decided_at: Some(NOW - 60),
        ..pending()
    }
}

/// alice's, approved by carol, with a login open.
pub fn active() -> Request {
    Request {
        id: "7H2KM4QX".into(),
        state: "active".into(),
        user: "alice".into(),
        uid: 1001,
        role: "web-ops".into(),
        reason: "Restart nginx after the certificate change".into(),
        ticket: Some("OPS-4821".into()),
        requested_by: "alice".into(),
        requested_at: NOW - 120,
        duration_s: 7_200,
        not_before: Some(NOW - 60),
        not_after: Some(NOW + 7_140),
        needed: 1,
        approvals: vec![Approval {
            by: "carol".into(),
            uid: 1003,
            at: NOW - 60,
            comment: Some("go".into()),
            proof: Some("session".into()),
            key: None,
        }],
        approvers: vec!["@oncall".into(), "carol".into()],
        decided_by: Some("carol".into()),
        sessions: vec![Session {
            grant: "7H2KM4QX".into(),
            service: "sshd".into(),
            user: "alice".into(),
            pid: 4711,
            session: Some("12".into()),
            tty: Some("pts/0".into()),
            rhost: Some("192.0.2.7".into()),
            opened_at: NOW - 30,
            detached: None,
        }],
        remaining_s: Some(7_140),
        gives: vec![
            "login".into(),
            "sudo as root: /usr/bin/systemctl restart nginx".into(),
        ],
        reviewable: Some(false),
        ..Request::default()
    }
}

/// The same as it is when its time is over.
pub fn ended(state: &str) -> Request {
    Request {
        state: state.into(),
        ended_at: Some(NOW + 7_140),
        end_reason: Some(state.into()),
        sessions: Vec::new(),
        remaining_s: None,
        ..active()
    }
}
