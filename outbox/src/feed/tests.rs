//! Queries in, answers out: no store, no socket.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::limits::{PAGE_MESSAGES_MAX, QUERY_BYTES_MAX};
use super::*;
use crate::{Cursor, Message, Start};

fn feed() -> Feed {
    Feed {
        path: "/messages".to_owned(),
        site_prefix: "/api/v1/sites/".to_owned(),
        resync: "/api/v1/sites".to_owned(),
        source: "/messages".to_owned(),
        retention_days: 5,
    }
}

fn ask(query: &str) -> Ask {
    let asked = feed().ask(Some(query), None);
    asked.unwrap_or_else(|answer| panic!("{query}: {}", text(&answer)))
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

/// The parameter that a query is refused for.
fn refused(query: &str) -> String {
    let answer = feed().ask(Some(query), None).unwrap_err();
    assert_eq!(answer.status, 400, "{query}");
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(!body["error"]["what_to_do"].as_str().unwrap().is_empty());
    body["error"]["parameter"].as_str().unwrap().to_owned()
}

fn cursor() -> Cursor {
    let folder = tempfile::tempdir().unwrap();
    let store = crate::Store::open(crate::StoreConfig::sqlite(folder.path().join("a")), &[]);
    store.unwrap().head().unwrap()
}

fn message(kind: &str, resource: &str) -> Message {
    Message::new(kind.parse().unwrap(), resource.parse().unwrap())
}

#[test]
fn without_a_word_all_there_is_is_asked_for() {
    for query in [None, Some(""), Some("&&")] {
        let ask = feed().ask(query, None).unwrap();
        assert_eq!(ask.page.after, Start::Oldest);
        assert!(ask.page.kinds.is_empty() && ask.page.resources.is_empty());
        assert_eq!(ask.page.limit, PAGE_MESSAGES_MAX);
        assert_eq!((ask.wait, ask.coalesce), (Duration::ZERO, false));
        assert_eq!(ask.format, Format::Json);
    }
}

#[test]
fn every_parameter_reaches_the_store_as_a_type() {
    let cursor = cursor();
    let ask = ask(&format!(
        "after={cursor}&type=zone.*&type=ap%2Eoffline&site=hq&site=s%C3%BCd&limit=10&wait=30\
         &coalesce=resource&group=cleaners&member=1&of=3"
    ));
    assert_eq!(ask.page.after, Start::Cursor(cursor));
    let kinds: Vec<String> = ask.page.kinds.iter().map(ToString::to_string).collect();
    assert_eq!(kinds, ["zone.*", "ap.offline"]);
    assert_eq!(
        ask.page.resources,
        ["/api/v1/sites/hq", "/api/v1/sites/süd"]
    );
    assert_eq!(ask.page.limit, 10);
    assert_eq!((ask.wait.as_secs(), ask.coalesce), (30, true));
    let share = ask.page.share.unwrap();
    assert_eq!((share.member, share.of), (1, 3));
}

#[test]
fn a_time_may_have_its_plus_unencoded() {
    let one = ask("since=2026-11-20T10:15:00+01:00").page.after;
    assert!(matches!(one, Start::Since(_)));
    assert_eq!(one, ask("since=2026-11-20T09:15:00Z").page.after);
    assert_eq!(ask("after=head").page.after, Start::Head);
}

#[test]
fn numbers_beyond_their_bound_are_clamped() {
    let huge = "9".repeat(40);
    assert_eq!(ask(&format!("limit={huge}")).page.limit, PAGE_MESSAGES_MAX);
    assert_eq!(ask(&format!("wait={huge}")).wait.as_secs(), 60);
    assert_eq!(ask("limit=1").page.limit, 1);
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    for (query, parameter) in [
        ("after=", "after"),
        ("after=1", "after"),
        ("since=yesterday", "since"),
        ("since=", "since"),
        ("after=head&since=2026-11-20T09:15:00Z", "since"),
        ("type=", "type"),
        ("type=*", "type"),
        ("type=zone*", "type"),
        ("site=", "site"),
        ("site=..", "site"),
        ("site=.", "site"),
        ("site=hq%2F..", "site"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=1e3", "limit"),
        ("limit=", "limit"),
        ("wait=30s", "wait"),
        ("coalesce=1", "coalesce"),
        ("group=a", "member"),
        ("group=a&member=0", "of"),
        ("member=0&of=2", "group"),
        ("group=a&member=2&of=2", "member"),
        ("group=a&member=0&of=0", "of"),
        ("group=a&member=0&of=257", "of"),
        ("group=a%20b&member=0&of=2", "group"),
        ("limit=1&limit=2", "limit"),
        ("LIMIT=1", "LIMIT"),
        ("limit", "limit"),
        ("a%00b=1", "a?b"),
    ] {
        assert_eq!(refused(query), parameter, "{query}");
    }
    assert_eq!(refused(&"type=a&".repeat(33)), "type");
    assert_eq!(
        refused(&format!("type={}", "a".repeat(QUERY_BYTES_MAX))),
        "query"
    );
}

/// What people and machines put where it does not belong.
const HOSTILE: [&str; 16] = [
    "'; DROP TABLE message; --",
    "\" OR 1=1",
    "../../etc/passwd",
    "%2e%2e%2f",
    "<script>alert(1)</script>",
    "\0",
    "\r\nset-cookie: a=b",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "\u{202e}\u{feff}",
    "%",
    "%zz",
    "%ff",
    "NULL",
    "-1",
    "𝟙",
];

#[test]
fn hostile_values_of_every_parameter_are_refused_and_never_repeated() {
    for parameter in [
        "after", "since", "type", "limit", "wait", "coalesce", "member", "of", "group", "site",
    ] {
        for hostile in HOSTILE {
            for value in [hostile.to_owned(), query::encoded(hostile)] {
                let value = value.replace(['&', '#'], "");
                // Some strings are names: of a group, of a site that nobody has.
                let is_name = ["site", "group"].contains(&parameter);
                let answer = match feed().ask(Some(&format!("{parameter}={value}")), None) {
                    Err(answer) => answer,
                    Ok(ask) if is_name => {
                        assert!(
                            ask.page
                                .resources
                                .iter()
                                .all(|r| r.parse::<crate::Resource>().is_ok())
                        );
                        continue;
                    }
                    Ok(_) => panic!("{parameter}={value} was taken"),
                };
                assert_eq!(answer.status, 400);
                let body: Value = serde_json::from_slice(&answer.body).unwrap();
                let told = text(&answer);
                let name = &body["error"]["parameter"];
                let names = [parameter, "member", "of", "group"];
                assert!(
                    names.iter().any(|known| name == known),
                    "{parameter}={value}: {told}"
                );
                assert!(hostile.len() < 4 || !told.contains(hostile), "{told}");
                let printable =
                    |(_, value): &(_, String)| value.bytes().all(|b| (32..127).contains(&b));
                assert!(answer.headers.iter().all(printable));
            }
        }
    }
}

proptest! {
    #[test]
    fn no_query_panics_and_none_is_taken_by_halves(query in ".{0,200}", name in 0_usize..10) {
        let names = ["after", "since", "type", "site", "limit", "wait", "coalesce", "group", "member", "of"];
        for query in [query.clone(), format!("{}={query}", names[name])] {
            if let Err(answer) = feed().ask(Some(&query), None) {
                prop_assert_eq!(answer.status, 400);
            }
        }
    }

    #[test]
    fn what_is_encoded_is_decoded_as_it_was(value in "[a-zA-Z0-9._~ü€-]{1,40}") {
        prop_assume!(value != "." && value != "..");
        let ask = ask(&format!("site={}", query::encoded(&value)));
        prop_assert_eq!(&ask.page.resources[0], &format!("/api/v1/sites/{value}"));
    }
}

fn page(messages: Vec<Message>) -> Page {
    let folder = tempfile::tempdir().unwrap();
    let store = crate::Store::open(crate::StoreConfig::sqlite(folder.path().join("a")), &[]);
    let mut page = store.unwrap().page(&PageQuery::new(Start::Oldest)).unwrap();
    page.messages = messages;
    page
}

#[test]
fn the_answer_has_four_fields_and_the_cursor() {
    let sent = message("zone.entered", "/api/v1/sites/hq/zones/lobby");
    let page = page(vec![sent.clone()]);
    let next = page.next.to_string();
    let answer = feed().answer(&ask("type=zone.*&limit=7&after=head"), page);
    assert_eq!(answer.status, 200);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        body,
        json!({
            "messages": [{
                "id": sent.id.to_string(), "time": sent.time.to_string(),
                "type": "zone.entered", "resource": "/api/v1/sites/hq/zones/lobby",
            }],
            "next": next, "more": false,
        })
    );
    let header = |name| {
        answer
            .headers
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v.as_str())
    };
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("cache-control"), Some("no-store"));
    assert_eq!(header("feed-next"), Some(next.as_str()));
    let link = header("link").unwrap();
    // The link asks for the same, from the next cursor on.
    let query = link
        .strip_prefix("</messages?")
        .and_then(|l| l.strip_suffix(">; rel=\"next\""));
    let again = ask(query.unwrap());
    assert!(matches!(again.page.after, Start::Cursor(c) if c.to_string() == next));
    assert_eq!((again.page.limit, again.page.kinds.len()), (7, 1));
}

#[test]
fn cloud_events_carry_the_same_and_no_data() {
    let sent = message("ap.offline", "/api/v1/sites/hq/aps/ap-1");
    let accept = ["application/cloudevents-batch+json, */*;q=0.1"];
    let ask = feed().ask(None, accept).unwrap();
    let answer = feed().answer(&ask, page(vec![sent.clone()]));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        body,
        json!([{
            "specversion": "1.0", "id": sent.id.to_string(), "source": "/messages",
            "type": "ap.offline", "subject": "/api/v1/sites/hq/aps/ap-1",
            "time": sent.time.to_string(),
        }])
    );
    assert!(answer.headers.contains(&(
        "content-type",
        "application/cloudevents-batch+json".to_owned()
    )));
    assert!(answer.headers.contains(&("retention-days", "5".to_owned())));
    assert_eq!(feed().ask(None, ["text/html"]).unwrap_err().status, 406);
}

#[test]
fn coalesced_is_the_newest_of_each_resource_in_the_order_of_the_page() {
    let (lobby, hall) = (
        "/api/v1/sites/hq/zones/lobby",
        "/api/v1/sites/hq/zones/hall",
    );
    let messages = vec![
        message("zone.entered", lobby),
        message("zone.entered", hall),
        message("zone.left", lobby),
        message("zone.dwell", lobby),
    ];
    let answer = feed().answer(&ask("coalesce=resource"), page(messages.clone()));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let ids: Vec<&str> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids,
        [messages[1].id.to_string(), messages[3].id.to_string()]
    );
}

#[test]
fn gone_tells_the_oldest_cursor_and_where_to_read_the_state() {
    let oldest = cursor();
    let answer = feed().gone(&oldest);
    assert_eq!(answer.status, 410);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["oldest"], oldest.to_string());
    assert_eq!(body["resync"], "/api/v1/sites");
    assert!(matches!(
        ask(&format!("after={oldest}")).page.after,
        Start::Cursor(_)
    ));
}
