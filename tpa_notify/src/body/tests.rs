use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::words::tests::job;

const KINDS: [&str; 8] = [
    "slack",
    "teams",
    "mattermost",
    "discord",
    "pagerduty",
    "opsgenie",
    "webhook",
    "mail",
];

/// Text with much of what has a meaning somewhere.
fn hostile() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        Just("```".to_owned()),
        Just("`".to_owned()),
        Just("<!channel>".to_owned()),
        Just("<https://evil.example|click>".to_owned()),
        Just("<at>All</at>".to_owned()),
        Just("@here @everyone @all".to_owned()),
        Just("[x](http://evil.example)".to_owned()),
        Just("**bold** _it_ # head\n> quote".to_owned()),
        Just("\r\nBcc: all@evil.example\r\n\r\n.\r\n".to_owned()),
        Just("\"},{\"".to_owned()),
        Just("\u{202e}\u{200b}".to_owned()),
        ".{0,12}",
    ];
    proptest::collection::vec(parts, 0..10).prop_map(|parts| parts.concat())
}

/// A request in which everything that people have a say in is this text.
fn asked(kind: &str, text: &str) -> Job {
    let fields = [
        "user",
        "role",
        "reason",
        "ticket",
        "actor",
        "comment",
        "approvers",
        "why",
    ];
    let mut all: Vec<(&str, &str)> = fields.iter().map(|name| (*name, text)).collect();
    all.push(("grant", "7H2KM4QX"));
    job(kind, "request-created", &all)
}

/// What stands outside of Markdown's code.
fn outside_code(text: &str) -> String {
    text.split('`').step_by(2).collect()
}

fn is_clean(text: &str) -> bool {
    let signs = [
        "evil",
        "<!",
        "<at",
        "@here",
        "@everyone",
        "](",
        "**",
        "\u{202e}",
        "\u{200b}",
    ];
    !signs.iter().any(|sign| text.contains(sign))
}

/// Each literal element of Slack's rich text.
fn elements(body: &Value) -> Vec<Value> {
    let sections = body["blocks"][0]["elements"].as_array().unwrap();
    let each = sections.iter().flat_map(|section| {
        assert_eq!(section["type"], "rich_text_section");
        section["elements"].as_array().unwrap().clone()
    });
    each.collect()
}

proptest! {
    #[test]
    fn in_slack_all_is_literal_text_and_the_summary_is_of_our_own_words(text in hostile()) {
        let body = body(&asked("slack", &text), None);
        prop_assert!(is_clean(body["text"].as_str().unwrap()));
        prop_assert_eq!(body["blocks"].as_array().unwrap().len(), 1);
        for element in elements(&body) {
            prop_assert_eq!(&element["type"], "text");
            let ours = element["style"]["code"] != true;
            prop_assert!(!ours || is_clean(element["text"].as_str().unwrap()), "{}", element);
        }
    }

    #[test]
    fn in_mattermost_and_discord_what_people_typed_is_code(text in hostile()) {
        for kind in ["mattermost", "discord"] {
            let body = body(&asked(kind, &text), None);
            let shown = body["text"].as_str().or(body["content"].as_str()).unwrap();
            prop_assert_eq!(shown.matches('`').count() % 2, 0, "{}", shown);
            for line in shown.lines() {
                prop_assert_eq!(line.matches('`').count() % 2, 0, "{}", line);
            }
            prop_assert!(is_clean(&outside_code(shown)), "{}", shown);
            prop_assert!(shown.chars().count() <= DISCORD + 100 || kind == "mattermost");
        }
    }

    #[test]
    fn in_teams_there_is_nothing_but_text_runs_without_addresses(text in hostile()) {
        let body = body(&asked("teams", &text), None);
        let card = &body["attachments"][0]["content"];
        prop_assert!(card.get("msteams").is_none());
        for block in card["body"].as_array().unwrap() {
            prop_assert_eq!(&block["type"], "RichTextBlock");
            for run in block["inlines"].as_array().unwrap() {
                prop_assert_eq!(&run["type"], "TextRun");
                prop_assert!(!run["text"].as_str().unwrap().contains("evil.example"));
                prop_assert!(!run["text"].as_str().unwrap().contains("://"));
            }
        }
    }

    #[test]
    fn pagers_read_lines_without_addresses_and_within_their_limits(text in hostile()) {
        let alert = body(&asked("opsgenie", &text), None);
        prop_assert!(alert["message"].as_str().unwrap().chars().count() <= ALERT + 1);
        let page = body(&asked("pagerduty", &text), Some("k"));
        let summary = page["payload"]["summary"].as_str().unwrap();
        prop_assert!(summary.chars().count() <= SUMMARY + 1);
        for shown in [summary, alert["description"].as_str().unwrap()] {
            prop_assert!(!shown.contains("evil.example") && !shown.contains("://"), "{}", shown);
        }
    }

    #[test]
    fn a_webhook_reads_what_was_typed_as_it_was(text in hostile()) {
        let body = body(&asked("webhook", &text), None).to_string();
        let read: Value = serde_json::from_str(&body).unwrap();
        prop_assert_eq!(read["events"][0]["fields"]["reason"].as_str(), Some(text.as_str()));
    }
}

#[test]
fn every_kind_names_the_command_to_type_next() {
    for kind in KINDS {
        let job = job(
            kind,
            "request-created",
            &[("grant", "7H2KM4QX"), ("user", "alice")],
        );
        let body = body(&job, Some("k")).to_string();
        assert!(body.contains("tpactl approve 7H2KM4QX"), "{kind}: {body}");
    }
}

#[test]
fn a_mention_is_refused_by_discord_itself_too() {
    let body = body(&asked("discord", "@everyone"), None);
    assert_eq!(body["allowed_mentions"]["parse"], serde_json::json!([]));
}

#[test]
fn many_events_come_in_one_message_that_counts_the_rest() {
    for kind in KINDS {
        let mut many = job(kind, "login-denied", &[("user", "mallory")]);
        many.events = vec![many.events[0].clone(); 10];
        many.more = [("login-denied".to_owned(), 90)].into();
        let body = body(&many, Some("k")).to_string();
        assert!(body.contains("And 90 more"), "{kind}: {body}");
        assert!(body.len() < 28_000, "{kind}: {}", body.len());
    }
}

#[test]
fn a_test_says_that_it_is_one() {
    for kind in KINDS {
        let mut test = job(kind, "", &[]);
        test.test = true;
        test.events.clear();
        let body = body(&test, Some("k")).to_string();
        assert!(
            body.contains("This is a test of TPA on web-01"),
            "{kind}: {body}"
        );
    }
}

#[test]
fn a_page_of_one_grant_is_one_story() {
    let of = |event: &str| {
        body(
            &job("pagerduty", event, &[("grant", "7H2KM4QX")]),
            Some("key"),
        )
    };
    let (used, reviewed) = (of("break-glass-used"), of("break-glass-reviewed"));
    assert_eq!(used["dedup_key"], reviewed["dedup_key"]);
    assert_eq!(used["payload"]["severity"], "critical");
    assert_eq!(used["routing_key"], "key");
}
