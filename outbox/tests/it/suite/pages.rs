//! Pages: what is asked for, without gap or repetition.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use outbox::limits::PAGE_ROWS_LOOKED_MAX;
use outbox::{Cursor, Message, PageError, PageQuery, Place, Share, Start};

use crate::support::{
    DAY, NOON, all, from_oldest, is_gone, message, messages, open, page, publish,
};

pub(super) fn pages_join_without_gap_or_repetition(place: &Place) {
    let store = open(place);
    let empty = page(&store, Start::Oldest);
    assert!(empty.messages.is_empty() && !empty.more);
    // Over several days, in a mixed order.
    let made: Vec<Message> = (0..60)
        .map(|n| {
            let time = NOON
                .plus(DAY * (n * 7 % 4))
                .plus(Duration::from_secs(n.into()));
            message(
                time,
                if n % 3 == 0 { "a.b" } else { "c.d" },
                &format!("/things/{n}"),
            )
        })
        .collect();
    made.chunks(7).for_each(|some| publish(&store, some));
    for limit in [1, 7, 59, 60, 61, usize::MAX] {
        let query = PageQuery {
            limit,
            ..PageQuery::new(Start::Cursor(empty.next))
        };
        assert_eq!(all(&store, &query).0, made, "limit {limit}");
    }
    let one = store
        .page(&PageQuery {
            limit: 59,
            ..PageQuery::new(Start::Oldest)
        })
        .unwrap();
    assert!(one.more);
    let rest = page(&store, Start::Cursor(one.next));
    assert_eq!(rest.messages, made[59..]);
    assert!(!rest.more);
    assert!(page(&store, Start::Head).messages.is_empty());
}

pub(super) fn types_and_resources_are_chosen(place: &Place) {
    let store = open(place);
    let kinds = [
        "zone.entered",
        "zone.left",
        "zone",
        "ap.online",
        "zones.all",
    ];
    let sites = ["/sites/hq", "/sites/hq2/zones/1", "/sites/hq/zones/1"];
    let made: Vec<Message> = (0..30)
        .map(|n| {
            let time = NOON.plus(DAY * (n as u32 % 2));
            message(time, kinds[n % kinds.len()], sites[n % sites.len()])
        })
        .collect();
    publish(&store, &made);
    let check = |patterns: &[&str], resources: &[&str], wanted: fn(&Message) -> bool| {
        let query = PageQuery {
            kinds: patterns
                .iter()
                .map(|pattern| pattern.parse().unwrap())
                .collect(),
            resources: resources.iter().map(ToString::to_string).collect(),
            limit: 4,
            ..PageQuery::new(Start::Oldest)
        };
        let expected: Vec<_> = made
            .iter()
            .filter(|message| wanted(message))
            .cloned()
            .collect();
        let (found, next) = all(&store, &query);
        assert_eq!(found, expected, "{patterns:?} {resources:?}");
        // Behind everything, given or not: the cursor does not age because nothing was wanted.
        assert_eq!(next, store.head().unwrap());
    };
    check(&["zone.*"], &[], |message| {
        message.kind.as_str().starts_with("zone.")
    });
    check(&["zone.left", "ap.online"], &[], |message| {
        matches!(message.kind.as_str(), "zone.left" | "ap.online")
    });
    check(&["nothing.like.it"], &[], |_| false);
    check(&[], &["/sites/hq"], |message| {
        message.resource.is_under("/sites/hq")
    });
    check(&["zone.*"], &["/sites/hq2", "/elsewhere"], |message| {
        message.kind.as_str().starts_with("zone.") && message.resource.is_under("/sites/hq2")
    });
}

pub(super) fn what_the_policy_hides_is_absent(place: &Place) {
    let store = open(place);
    let made = messages(10);
    publish(&store, &made);
    let query = PageQuery {
        sees: Some(Arc::new(|message| {
            !message.resource.as_str().ends_with('3')
        })),
        limit: 5,
        ..PageQuery::new(Start::Oldest)
    };
    let (found, next) = all(&store, &query);
    assert_eq!(found.len(), 9);
    assert!(
        found
            .iter()
            .all(|message| message.resource.as_str() != "/things/3")
    );
    assert_eq!(next, store.head().unwrap());
}

pub(super) fn members_share_all_resources(place: &Place) {
    let store = open(place);
    let made = messages(60);
    publish(&store, &made);
    let mut seen = BTreeSet::new();
    for member in 0..3 {
        let share = Some(Share { member, of: 3 });
        let (part, _) = all(
            &store,
            &PageQuery {
                share,
                ..PageQuery::new(Start::Oldest)
            },
        );
        assert!(
            (5..=40).contains(&part.len()),
            "member {member}: {}",
            part.len()
        );
        part.iter()
            .for_each(|message| assert!(seen.insert(message.id)));
    }
    assert_eq!(seen.len(), made.len());
}

pub(super) fn a_page_looks_at_so_many_rows_and_goes_on(place: &Place) {
    let store = open(place);
    publish(&store, &messages(PAGE_ROWS_LOOKED_MAX + 10));
    let last = message(NOON, "test.made", "/last");
    publish(&store, std::slice::from_ref(&last));
    let query = PageQuery {
        resources: vec!["/last".to_owned()],
        ..PageQuery::new(Start::Oldest)
    };
    let first = store.page(&query).unwrap();
    assert!(first.messages.is_empty() && first.more);
    let second = store
        .page(&PageQuery {
            after: Start::Cursor(first.next),
            ..query
        })
        .unwrap();
    assert_eq!(second.messages, [last]);
    assert!(!second.more);
}

pub(super) fn since_begins_with_the_first_of_that_time(place: &Place) {
    let store = open(place);
    let at = |seconds: u64| NOON.plus(Duration::from_secs(seconds));
    let early = message(at(0), "a.b", "/early");
    let late_commit = message(at(10), "a.b", "/late");
    let tomorrow = message(at(86_400), "a.b", "/tomorrow");
    let now = message(at(20), "a.b", "/now");
    // The message of second 10 is committed after that of second 20.
    for one in [&early, &now, &late_commit, &tomorrow] {
        publish(&store, std::slice::from_ref(one));
    }
    let since = |seconds: u64| page(&store, Start::Since(at(seconds))).messages;
    assert_eq!(
        since(0),
        [
            early.clone(),
            now.clone(),
            late_commit.clone(),
            tomorrow.clone()
        ]
    );
    assert_eq!(
        since(5),
        [now.clone(), late_commit.clone(), tomorrow.clone()]
    );
    assert_eq!(since(15), [now, late_commit, tomorrow.clone()]);
    assert_eq!(since(30), [tomorrow]);
    assert!(since(90_000).is_empty());
    assert_eq!(
        page(&store, Start::Since(NOON.minus(DAY * 3_000)))
            .messages
            .len(),
        4
    );
    assert_eq!(
        page(&store, Start::Since(at(90_000))).next,
        store.head().unwrap()
    );
}

pub(super) fn cursors_of_other_histories_are_gone(place: &Place) {
    let store = open(place);
    publish(&store, &messages(3));
    let head = store.head().unwrap();
    assert!(!is_gone(&store, head));
    let text = head.to_string();
    let (epoch, place) = text.split_once('-').unwrap();
    let other_epoch = if epoch == "1" { "2" } else { "1" };
    let other: Cursor = format!("{other_epoch}-{place}").parse().unwrap();
    assert!(is_gone(&store, other));
    let ahead: Cursor = format!("{epoch}-7fffffffffffffff-7fffffffffffffff")
        .parse()
        .unwrap();
    let Err(PageError::Gone { oldest }) = store.page(&PageQuery::new(Start::Cursor(ahead))) else {
        panic!("a cursor ahead of the store was answered");
    };
    assert_eq!(page(&store, Start::Cursor(oldest)).messages.len(), 3);
}

pub(super) fn hostile_texts_change_nothing(place: &Place) {
    let store = open(place);
    let made = messages(3);
    publish(&store, &made);
    let hostile = [
        "'; DROP TABLE outbox_state; --",
        "%",
        "\0",
        "../..",
        "/things/0' OR '1'='1",
    ];
    for text in hostile {
        let query = PageQuery {
            resources: vec![text.to_owned()],
            ..PageQuery::new(Start::Oldest)
        };
        assert!(all(&store, &query).0.is_empty(), "{text:?}");
        assert!(text.parse::<Cursor>().is_err());
        assert!(store.kv(made[0].id, text).is_ok() || text.contains('\0'));
    }
    assert_eq!(from_oldest(&store), made);
}
