//! Explanations and accuracy, from workers that a test plays.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::extract::{Path, State};
use futures_util::FutureExt as _;
use ingest::{AskError, BeaconReading, ClientWindow};
use locate::{Locator, Model, ModelOptions, Sighting, Track};
use nalgebra::Point2;
use serde_json::Value;
use site::{Calibration, FloorIndex, RadioIndex, Site};
use wire::{ClientId, ClientName};

use super::caller::Running;
use super::{OFFICE, office};
use crate::http::limits::EXPLAINING_MAX;
use crate::http::{HttpState, Workers, accuracy, explain};
use crate::latest::Hub;
use crate::names::Names;
use ingest::SentFix;

const AT_US: u64 = 1_795_169_700_430_000;

static SITE: LazyLock<(Site, Arc<Model>)> = LazyLock::new(|| {
    let site = Site::parse(OFFICE).unwrap();
    let model = Model::new(&site, &Calibration::default(), &ModelOptions::default());
    (site, Arc::new(model))
});

/// Clients 1 to 40 walk about the second floor; whoever is asked for gets a window.
#[derive(Default)]
struct Stand {
    is_silent: bool,
    is_deaf: bool,
    why_not: Option<AskError>,
    samples: AtomicUsize,
    windows: AtomicUsize,
    /// While the other end lives, samples and windows wait.
    gate: Option<Mutex<Receiver<()>>>,
}

impl Stand {
    /// A stand whose answers wait until the sender is dropped.
    fn gated() -> (Self, Sender<()>) {
        let (open, gate) = channel();
        let gate = Some(Mutex::new(gate));
        let stand = Self {
            gate,
            ..Self::default()
        };
        (stand, open)
    }

    fn pass(&self) -> Result<(), AskError> {
        if let Some(gate) = &self.gate {
            let gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
            assert!(gate.recv().is_err(), "the gate opens by being dropped");
        }
        self.why_not.map_or(Ok(()), Err)
    }
}

fn window(client: u64, is_silent: bool) -> Option<ClientWindow> {
    let (site, model) = &*SITE;
    if !(1..=40).contains(&client) {
        return None;
    }
    let place = Point2::new(4.0 + client as f64, 5.0 + (client % 7) as f64);
    let radios = (0..site.radios().count() as u16).map(RadioIndex);
    let mut heard: Vec<(RadioIndex, f64)> = radios
        .filter_map(|radio| Some((radio, model.expected_dbm(radio, FloorIndex(1), place)?)))
        .filter(|(_, dbm)| *dbm > -80.0)
        .collect();
    heard.sort_by(|a, b| b.1.total_cmp(&a.1));
    let sightings = heard.iter().take(12).map(|&(radio, dbm)| Sighting {
        radio,
        // Some scatter, the same in every run.
        rssi_dbm: Some(dbm as f32 + f32::from(radio.0 % 5) - 2.0),
        count: 2,
        age_s: 0.4,
        range: None,
    });
    let sightings: Vec<Sighting> = sightings.collect();
    let mut track = Track::default();
    let fix = Locator::new(model.clone()).locate(&sightings, &mut track, AT_US as f64 * 1e-6);
    let older = Sighting {
        radio: RadioIndex(0),
        rssi_dbm: Some(-88.0),
        count: 1,
        age_s: 12.0,
        range: None,
    };
    Some(ClientWindow {
        client: ClientId(client),
        sightings,
        older: vec![older],
        track_before: (!is_silent).then(Track::default),
        track,
        fix: fix.filter(|_| !is_silent),
        at_us: AT_US,
        model: model.clone(),
    })
}

impl Workers for Stand {
    fn window(&self, _: usize, client: ClientId) -> Result<ClientWindow, AskError> {
        self.windows.fetch_add(1, Ordering::SeqCst);
        self.pass()?;
        window(client.0, self.is_silent).ok_or(AskError::Unknown)
    }

    fn sample(&self, _: usize, len: usize) -> Result<Vec<ClientWindow>, AskError> {
        self.samples.fetch_add(1, Ordering::SeqCst);
        self.pass()?;
        let clients = if self.is_deaf { 0..0 } else { 1..len as u64 };
        // Each of them twice, as in two rounds of the sweep.
        let twice = clients.clone().chain(clients);
        Ok(twice.filter_map(|client| window(client, false)).collect())
    }

    fn beacons(&self, _: usize) -> Result<Vec<BeaconReading>, AskError> {
        let (site, model) = &*SITE;
        if self.is_deaf {
            return Ok(Vec::new());
        }
        let mut readings = Vec::new();
        for sender in &site.anchors {
            for hearer in site.anchors.iter().filter(|hearer| hearer.id != sender.id) {
                let (receiver, radio) = (&hearer.radios[0], &sender.radios[0]);
                let place = sender.position.xy();
                let dbm = model
                    .expected_dbm(receiver.index, sender.floor, place)
                    .unwrap();
                if receiver.band == radio.band && dbm > -85.0 {
                    readings.push(BeaconReading {
                        receiver: receiver.index,
                        transmitter: radio.index,
                        mean_dbm: dbm as f32,
                        deviation_db: 2.0,
                        count: 50,
                        heard_at_us: AT_US - 3_000_000,
                        range: None,
                    });
                }
            }
        }
        Ok(readings)
    }

    fn model(&self, _: usize) -> Result<Arc<Model>, AskError> {
        Ok(SITE.1.clone())
    }

    fn now_us(&self) -> u64 {
        AT_US
    }
}

fn staffed(stand: Stand) -> (HttpState, Arc<Hub>, Arc<Stand>) {
    let (state, hub, _) = office();
    let stand = Arc::new(stand);
    (state.with_workers(stand.clone()), hub, stand)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[tokio::test]
async fn a_fix_is_explained() {
    let (state, ..) = staffed(Stand::default());
    let names = Arc::new(Names::default());
    names.insert(ClientId(7), ClientName::new("badge-7").unwrap());
    let node = Running::start(state.with_names(names)).await;
    let path = "/api/v1/sites/office/clients/badge-7/explain";
    let answer = node.json(path).await;
    assert_eq!(
        (&answer["fix"]["client"], &answer["evidence"]),
        (&"badge-7".into(), &"exact".into())
    );
    let radios = answer["radios"].as_array().unwrap();
    assert_eq!(radios.len(), 13);
    let weights: f64 = radios.iter().map(|radio| number(&radio["weight"])).sum();
    assert!(
        (weights + number(&answer["track_weight"]) - 1.0).abs() < 0.002,
        "{weights}"
    );
    let first = &radios[0];
    assert!(number(&first["weight"]) >= number(&radios[1]["weight"]));
    let rssi = &first["rssi"];
    let residual = number(&rssi["corrected_dbm"]) - number(&rssi["expected_dbm"]);
    assert!((residual - number(&rssi["residual_db"])).abs() < 0.02);
    assert_eq!(radios[12]["rejected"], "old");
    let floors = answer["floors"].as_array().unwrap();
    let total: f64 = floors
        .iter()
        .map(|floor| number(&floor["probability"]))
        .sum();
    assert!(floors.len() == 3 && (total - 1.0).abs() < 0.001);
    let best = &answer["changes"][0];
    assert!(
        number(&best["r50_m"]["after"]) < number(&best["r50_m"]["before"]),
        "{best}"
    );
    assert!(!best["what"].as_str().unwrap().is_empty());
    node.stop().await;
}

#[tokio::test]
async fn a_silent_client_is_explained_by_what_is_held() {
    let (state, hub, _) = staffed(Stand {
        is_silent: true,
        ..Stand::default()
    });
    let fix = window(7, false).unwrap().fix.unwrap();
    hub.publish(&[SentFix {
        site: 0,
        client: ClientId(7),
        fix,
        sent_at_us: AT_US,
    }]);
    let node = Running::start(state).await;
    let answer = node
        .json("/api/v1/sites/office/clients/0000000000000007/explain")
        .await;
    assert_eq!(answer["evidence"], "held");
    let never = "/api/v1/sites/office/clients/0000000000000008/explain";
    let never = node.get(never, "").await;
    assert_eq!(never.status, 404);
    assert!(
        never.text().contains("never enough for a fix"),
        "{}",
        never.text()
    );
    node.stop().await;
}

#[tokio::test]
async fn who_is_not_heard_is_not_found_in_words() {
    let (state, ..) = staffed(Stand::default());
    let node = Running::start(state).await;
    for (path, words) in [
        (
            "office/clients/00000000000000ff/explain",
            "has heard this client",
        ),
        ("office/clients/nobody-here/explain", "this is no client"),
        ("elsewhere/clients/0000000000000001/explain", "no such site"),
        ("elsewhere/accuracy", "no such site"),
    ] {
        let answer = node.get(&format!("/api/v1/sites/{path}"), "").await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains(words), "{path}: {}", answer.text());
    }
    node.stop().await;
    let (without, ..) = office();
    let node = Running::start(without).await;
    let path = "/api/v1/sites/office/clients/0000000000000001/explain";
    assert_eq!(node.get(path, "").await.status, 404);
    node.stop().await;
}

#[tokio::test]
async fn accuracy_tells_the_present_error_and_what_a_lost_anchor_costs() {
    let (state, _, stand) = staffed(Stand::default());
    let node = Running::start(state).await;
    let answer = node.json("/api/v1/sites/office/accuracy").await;
    assert_eq!(answer["stated"]["clients"], 40, "each client once");
    assert!(number(&answer["stated"]["r50_median_m"]) < number(&answer["stated"]["r90_median_m"]));
    let beacons = &answer["beacons"];
    assert_eq!(beacons["age_ms"], 3_000);
    assert!(number(&beacons["anchors_located"]) > 20.0, "{beacons}");
    assert!(number(&beacons["median_m"]) <= number(&beacons["p90_m"]));
    let lost = &answer["without_anchor"];
    assert_eq!(lost["clients"], 40);
    let within = number(&lost["readings"]["within_90"]);
    assert!((0.8..=1.0).contains(&within), "{within}");
    let dearest = lost["anchors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|anchor| number(&anchor["r50_ratio_median"]))
        .fold(0.0, f64::max);
    assert!(dearest > 1.05, "{dearest}");
    // Asked again at once, the same answer is told.
    let again = node.json("/api/v1/sites/office/accuracy").await;
    assert_eq!(again["time"], answer["time"]);
    assert_eq!(stand.samples.load(Ordering::SeqCst), 1);
    node.stop().await;
}

#[tokio::test]
async fn accuracy_of_an_empty_site_is_unknown_not_zero() {
    let (state, ..) = staffed(Stand {
        is_deaf: true,
        ..Stand::default()
    });
    let node = Running::start(state).await;
    let answer = node.json("/api/v1/sites/office/accuracy").await;
    for key in ["stated", "beacons", "without_anchor"] {
        assert_eq!(answer[key], Value::Null, "{key}");
    }
    node.stop().await;
}

#[tokio::test]
async fn who_asks_for_accuracy_and_leaves_starts_no_second_computation() {
    let (stand, open) = Stand::gated();
    let (state, _, stand) = staffed(stand);
    let ask = || accuracy::show(State(state.clone()), Ok(Path("office".to_owned())));
    for _ in 0..20 {
        // Each has asked when it is dropped: it waits for the computation or for its turn.
        assert!(ask().now_or_never().is_none());
    }
    drop(open);
    let answer = ask().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(stand.samples.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn who_asks_for_explanations_and_leaves_frees_no_turn() {
    let (stand, open) = Stand::gated();
    let (state, _, stand) = staffed(stand);
    let path = || Path(("office".to_owned(), "0000000000000007".to_owned()));
    let ask = || explain::explain(State(state.clone()), Ok(path()));
    for _ in 0..EXPLAINING_MAX {
        assert!(ask().now_or_never().is_none());
    }
    let refused = ask().await.unwrap_err();
    assert!(format!("{refused:?}").contains("too many explanations"));
    drop(open);
    let all = u32::try_from(EXPLAINING_MAX).unwrap();
    let _all = state.explaining.acquire_many(all).await.unwrap();
    assert_eq!(stand.windows.load(Ordering::SeqCst), EXPLAINING_MAX);
}

#[tokio::test]
async fn a_worker_that_does_not_answer_is_unavailable_and_not_unknown() {
    for (why_not, words) in [
        (AskError::Busy, "too busy"),
        (AskError::Stopped, "has stopped"),
    ] {
        let (state, ..) = staffed(Stand {
            why_not: Some(why_not),
            ..Stand::default()
        });
        let node = Running::start(state).await;
        for path in ["clients/0000000000000007/explain", "accuracy"] {
            let answer = node.get(&format!("/api/v1/sites/office/{path}"), "").await;
            assert_eq!(answer.status, 503, "{path}");
            assert!(answer.text().contains(words), "{path}: {}", answer.text());
        }
        node.stop().await;
    }
}
