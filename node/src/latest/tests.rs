use test_fix::fix_at;

use super::*;

/// A fix for tests, without naming the linear algebra crate.
mod test_fix {
    use locate::{Fix, Flags, Source};

    pub(super) fn fix_at(x_m: f64) -> Fix {
        Fix {
            position_in_site: [x_m, 2.0, 1.2].into(),
            covariance_m2: [[1.0, 0.1], [0.1, 0.8]].into(),
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

fn sent(client: u64, x_m: f64, sent_at_us: u64) -> SentFix {
    SentFix {
        site: 0,
        client: ClientId(client),
        fix: fix_at(x_m),
        sent_at_us,
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

#[test]
fn pages_follow_each_other_in_order_of_client() {
    let hub = Hub::new(1);
    let all: Vec<_> = (0..50)
        .map(|client| sent(client * 7 % 50, 0.0, 1))
        .collect();
    hub.publish(&all);
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = hub.page(0, after, 8, |sent| sent.client.0 % 2 == 0);
        let Some(last) = page.last() else { break };
        after = Some(last.sent.client);
        seen.extend(page.iter().map(|fix| fix.sent.client.0));
    }
    assert_eq!(seen, (0..50).step_by(2).collect::<Vec<_>>());
    assert!(hub.page(0, None, 0, |_| true).is_empty());
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
