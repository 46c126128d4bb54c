use std::sync::atomic::AtomicBool;

use test_fix::fix_at;

use super::*;

/// A fix for tests, without naming the linear algebra crate.
mod test_fix {
    use locate::{Fix, Flags, Source};

    pub(super) fn fix_at(x_m: f64) -> Fix {
        Fix {
            position_in_site: [x_m, 2.0, 1.2].into(),
            // What packing leaves as it is.
            covariance_m2: [[1.0, 0.0], [0.0, 0.5]].into(),
            height_deviation_m: 0.5,
            floor: site::FloorIndex(0),
            floor_probability: 0.9,
            r50_m: 1.0,
            r90_m: 2.0,
            radios: 5,
            observations: 20,
            age_s: 0.2,
            source: Source::Grid,
            flags: Flags::default(),
        }
    }
}

pub(crate) fn sent(client: u64, x_m: f64, sent_at_ms: u64) -> SentFix {
    SentFix {
        site: 0,
        client: ClientId(client),
        fix: fix_at(x_m),
        sent_at_us: 1_795_169_700_000_000 + sent_at_ms * 1_000,
    }
}

#[test]
fn the_latest_fix_of_each_client_is_remembered() {
    let hub = Hub::new(1);
    hub.publish(&[sent(1, 1.0, 10), sent(2, 2.0, 10), sent(1, 3.0, 20)]);
    assert_eq!(hub.latest(0, ClientId(1)).unwrap().sent, sent(1, 3.0, 20));
    assert_eq!(hub.latest(0, ClientId(3)), None);
    assert_eq!(
        hub.counts(0),
        HubCounts {
            clients: 2,
            published: 3,
            ..HubCounts::default()
        }
    );
    hub.publish(&[SentFix {
        site: 7,
        ..sent(1, 1.0, 10)
    }]);
    assert_eq!(hub.counts(7), HubCounts::default());
}

/// An id of a test, spread over all shards as keyed hashes are.
fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[test]
fn pages_follow_each_other_in_order_of_client() {
    let hub = Hub::new(1);
    // Half of them in one shard, half all over; of each half every second on the upper floor.
    let mut expected = Vec::new();
    for number in 0..2_000 {
        let client = if number % 4 < 2 {
            number
        } else {
            spread(number)
        };
        let mut fix = sent(client, 0.0, 1);
        fix.fix.floor = FloorIndex(u8::from(number % 2 == 1));
        hub.publish(&[fix]);
        if number % 2 == 1 {
            expected.push(client);
        }
    }
    expected.sort_unstable();
    for limit in [1, 7, 64, 5_000] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = hub.page(0, after, limit, Some(FloorIndex(1)));
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(last.sent.client);
            seen.extend(page.iter().map(|fix| fix.sent.client.0));
        }
        assert_eq!(seen, expected, "{limit} per page");
    }
    assert_eq!(hub.page(0, None, 5_000, None).len(), 2_000);
    assert!(hub.page(0, None, 0, None).is_empty());
    assert!(hub.page(1, None, 10, None).is_empty());
}

#[test]
fn clients_unseen_for_long_are_forgotten() {
    let hub = Hub::new(1);
    hub.publish(&[sent(1, 1.0, 0), sent(2, 1.0, 0)]);
    let at = hub.latest(0, ClientId(1)).unwrap().at;
    assert_eq!(hub.sweep(at + FIX_AGE_MAX), 0);
    assert_eq!(hub.sweep(at + FIX_AGE_MAX + Duration::from_millis(1)), 2);
    assert_eq!(hub.latest(0, ClientId(1)), None);
    assert_eq!(hub.counts(0).clients, 0);
    assert_eq!(hub.counts(0).expired, 2);
}

/// What the next news tell, in order of client.
async fn fixes(feed: &mut Feed) -> Vec<SentFix> {
    let Some(News::Fixes(fixes)) = feed.next().await else {
        panic!("no fixes")
    };
    let mut fixes: Vec<_> = fixes.into_iter().map(|fix| fix.sent).collect();
    fixes.sort_by_key(|sent| sent.client);
    fixes
}

#[tokio::test]
async fn a_follower_hears_what_is_known_and_then_what_is_new_once() {
    let hub = Arc::new(Hub::new(1));
    hub.publish(&[sent(1, 1.0, 1)]);
    let mut feed = hub.follow(0).unwrap();
    hub.publish(&[sent(1, 2.0, 2), sent(2, 2.0, 2)]);
    // Client 1 moved on before its known fix was told: only the new one is.
    assert_eq!(fixes(&mut feed).await, [sent(1, 2.0, 2), sent(2, 2.0, 2)]);
    let mut late = hub.follow(0).unwrap();
    assert_eq!(fixes(&mut late).await, [sent(1, 2.0, 2), sent(2, 2.0, 2)]);
    assert!(hub.follow(1).is_none());
}

#[tokio::test]
async fn a_slow_follower_loses_the_oldest_and_learns_how_many() {
    let hub = Arc::new(Hub::new(1));
    let mut feed = hub.follow(0).unwrap();
    let extra = 100;
    for number in 0..(PORTIONS_MAX + extra) as u64 {
        hub.publish(&[
            sent(number % 10, 0.0, number),
            sent(10 + number % 10, 0.0, number),
        ]);
    }
    assert_eq!(feed.next().await, Some(News::Lagged(2 * extra as u64)));
    let first = extra as u64;
    let told = [
        sent(first % 10, 0.0, first),
        sent(10 + first % 10, 0.0, first),
    ];
    assert_eq!(fixes(&mut feed).await, told);
    assert_eq!(hub.counts(0).lagged, 2 * extra as u64);
}

#[tokio::test]
async fn a_follower_hears_each_known_client_once_from_all_shards() {
    let hub = Arc::new(Hub::new(1));
    let known: Vec<_> = (0..3_000)
        .map(|number| sent(spread(number), 0.0, number))
        .collect();
    hub.publish(&known);
    let mut feed = hub.follow(0).unwrap();
    let mut told = fixes(&mut feed).await;
    // New ones and new clients that come meanwhile are told as they came, after the known ones.
    let news: Vec<_> = (2_900..3_100)
        .map(|number| sent(spread(number), 1.0, number))
        .collect();
    hub.publish(&news);
    let outdated = told
        .iter()
        .filter(|sent| news.iter().any(|new| new.client == sent.client));
    let expected = 3_000 - 100 + outdated.count() + news.len();
    while told.len() < expected {
        told.extend(fixes(&mut feed).await);
    }
    assert_eq!(told.len(), expected);
    assert!(
        told[expected - news.len()..]
            .iter()
            .all(|sent| sent.fix.position_in_site.x == 1.0)
    );
    told.sort_by_key(|sent| sent.client);
    told.dedup_by_key(|sent| sent.client);
    assert_eq!(told.len(), 3_100);
}

#[test]
fn readers_do_not_stop_a_publisher() {
    let hub = Arc::new(Hub::new(1));
    hub.publish(
        &(0..10_000)
            .map(|n| sent(spread(n), 0.0, n))
            .collect::<Vec<_>>(),
    );
    let deaf = hub.follow(0).unwrap();
    let stop = AtomicBool::new(false);
    let paging = std::sync::Barrier::new(3);
    std::thread::scope(|scope| {
        let reader = || {
            let mut pages = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(hub.page(0, None, 10_000, None).len(), 10_000);
                pages += 1;
                if pages == 1 {
                    paging.wait();
                }
            }
        };
        scope.spawn(reader);
        scope.spawn(reader);
        paging.wait();
        // Ends only if nobody keeps it waiting: neither who pages all the time nor who never reads.
        for round in 1..100 {
            let fixes: Vec<_> = (0..10_000).map(|n| sent(spread(n), 0.0, round)).collect();
            hub.publish(&fixes);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(hub.counts(0).published, 1_000_000);
    assert_eq!(hub.counts(0).clients, 10_000);
    drop(deaf);
}

#[test]
fn clients_beyond_the_limit_are_refused_and_counted() {
    let site = SiteLatest::new();
    site.clients
        .store(CLIENTS_PER_SITE_MAX - 1, Ordering::Relaxed);
    site.publish(
        &[&sent(1, 0.0, 1), &sent(2, 0.0, 1), &sent(1, 1.0, 1)],
        Instant::now(),
    );
    assert_eq!(site.counts().refused, 1);
    assert_eq!(site.counts().clients, CLIENTS_PER_SITE_MAX as u64);
    assert_eq!(site.counts().published, 3);
}
