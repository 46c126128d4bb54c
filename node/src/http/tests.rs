//! The routes over loopback, as a stranger sees them.

mod authorisation;
mod calibration;
mod caller;
mod description;
mod presence;
mod resources;
mod streams;
mod surface;
mod tls;
mod workers;

use std::sync::Arc;

use locate::{Fix, Flags, Source};
use site::{FloorIndex, Site};
use wire::ClientId;

use super::{Door, Face, Health, HttpState, SiteEntry};
use crate::config::MessagesConfig;
use crate::latest::Hub;
use crate::messages::Messages;
use crate::status::{AgentView, Books, CountedView, LedgerView, StatusView, Tally, WorkerView};
use ingest::SentFix;

const OFFICE: &str = include_str!("../../../sites/office.toml");

/// A node with one site, its hub and its health.
fn office() -> (HttpState, Arc<Hub>, Arc<Health>) {
    let site = Site::parse(OFFICE).expect("the example site is valid");
    let agent = AgentView {
        agent: site.anchors[0].agent.clone(),
        site: site.id.clone(),
        connected: true,
        counted: Some(CountedView {
            length_ms: 60_000,
            devices: [0, 1, 4, 9],
            ..CountedView::default()
        }),
        ..AgentView::default()
    };
    let books = Books {
        offered: Tally {
            observations: 10,
            datagrams: 1,
        },
        received: Tally {
            observations: 10,
            datagrams: 1,
        },
        folded: Tally {
            observations: 10,
            datagrams: 1,
        },
        dropped_node_by_reason: vec![("late", Tally::default())],
        ..Books::default()
    };
    let status = Arc::new(StatusView {
        ledger: LedgerView {
            total: books.clone(),
            sites: vec![(site.id.clone(), books)],
            agents: vec![agent],
        },
        workers: vec![WorkerView {
            solve_cpu_s: 1.25,
            rounds_skipped: 3,
            ..WorkerView::default()
        }],
        ..StatusView::default()
    });
    let hub = Arc::new(Hub::new(1));
    let health = Arc::new(Health::default());
    let sites = Arc::new(vec![SiteEntry { site }]);
    let state = HttpState::new(sites, Arc::clone(&hub), move || Arc::clone(&status));
    (state.with_health(Arc::clone(&health)), hub, health)
}

/// One listener of the office with somebody at its door, and a store in a folder of its own.
fn listed(face: Face, door: Door) -> (HttpState, (outbox::Store, tempfile::TempDir)) {
    let folder = tempfile::tempdir().expect("a folder for a test");
    let config = outbox::StoreConfig::sqlite(folder.path().join("outbox.sqlite"));
    let store = outbox::Store::open(config, &[]).expect("a store in a new folder");
    let (state, ..) = office();
    let state = state.with_door(Arc::new(door));
    let state = match face {
        Face::Map => state,
        Face::Messages => {
            let messages = Messages::new(store.clone(), state.door().clone());
            state.for_messages(Arc::new(messages), MessagesConfig::default().pace())
        }
    };
    (state, (store, folder))
}

/// A fix made at the second of DESIGN's example.
fn sent(client: u64, floor: u8) -> SentFix {
    let fix = Fix {
        position_in_site: [12.4141, 7.0251, 1.2].into(),
        covariance_m2: [[1.21, 0.1], [0.1, 0.84]].into(),
        height_deviation_m: 0.5,
        floor: FloorIndex(floor),
        floor_probability: 0.98,
        r50_m: 1.1,
        r90_m: 2.2,
        radios: 7,
        observations: 31,
        age_s: 0.18,
        source: Source::Grid,
        flags: Flags {
            outside: true,
            ..Flags::default()
        },
    };
    SentFix {
        site: 0,
        client: ClientId(client),
        fix,
        sent_at_us: 1_795_169_700_430_000,
    }
}
