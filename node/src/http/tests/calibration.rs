//! Survey points and calibration, over HTTP, with a worker that hears what the test says.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use ingest::{AskError, BeaconReading, ReplaceError};
use locate::{Model, Sighting};
use serde_json::{Value, json};
use site::{RadioIndex, Site};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wire::ClientId;

use super::caller::{Answer, Running};
use crate::calibrate::desk::Desk;
use crate::calibrate::live::{HeardClient, Live};
use crate::http::{HttpState, SiteEntry};
use crate::latest::Hub;
use crate::sites;
use crate::status::StatusView;

const AT: &str = "/api/v1/sites/office";

/// A flat under the office's name: its radio map takes no time.
const FLAT: &str = r#"
site = "office"
floor = [{ id = "1", elevation_m = 0, height_m = 3, outline = [[0, 0], [40, 0], [40, 25], [0, 25]],
           blocked = [[[38, 23], [39, 23], [39, 24], [38, 24]]],
           wall = [{ material = "brick", path = [[20, 0], [20, 20]] }] }]
anchor = [
  { id = "ap-1", floor = "1", position = [5, 5], radios = ["5"] },
  { id = "ap-2", floor = "1", position = [35, 5], radios = ["5"] },
  { id = "ap-3", floor = "1", position = [35, 20], radios = ["5"] },
  { id = "ap-4", floor = "1", position = [5, 20], radios = ["5"] },
  { id = "ap-5", floor = "1", position = [18, 12], radios = ["5"] },
]
"#;

/// A worker with one client, who stands where the test says.
#[derive(Default)]
struct Worker {
    /// Where client 7 stands; nobody hears it without.
    place: Mutex<Option<[f64; 3]>>,
    clock_us: Mutex<u64>,
    models: Mutex<Vec<Arc<Model>>>,
    /// Why windows are not told.
    why_not: Mutex<Option<AskError>>,
    samples: AtomicUsize,
    /// What the next sample waits for.
    gate: Mutex<Option<Receiver<()>>>,
}

impl Worker {
    /// Strengths of radios that read up to 18 dB apart, which no site file says.
    fn sightings(place: [f64; 3]) -> Vec<Sighting> {
        let site = Site::parse(FLAT).unwrap();
        let sightings = site
            .radios()
            .enumerate()
            .filter_map(|(index, (anchor, _))| {
                let away_m = (anchor.position - nalgebra::Point3::from(place)).norm();
                let rssi_dbm = -48.0 - 33.0 * away_m.log10() + 9.0 * (index % 3) as f64;
                (rssi_dbm > -105.0).then_some(Sighting {
                    radio: RadioIndex(index as u16),
                    rssi_dbm: Some(rssi_dbm as f32),
                    count: 2,
                    age_s: 0.1,
                    range: None,
                })
            });
        sightings.collect()
    }
}

impl Live for Worker {
    fn window(&self, _: usize, client: ClientId) -> Result<HeardClient, AskError> {
        if let Some(why) = *self.why_not.lock().unwrap() {
            return Err(why);
        }
        let place = (*self.place.lock().unwrap()).ok_or(AskError::Unknown)?;
        let mut clock_us = self.clock_us.lock().unwrap();
        *clock_us += 500_000;
        Ok(HeardClient {
            client,
            sightings: Self::sightings(place),
            is_fresh: true,
            at_us: 1_000_000_000 + *clock_us,
        })
    }

    fn sample(&self, _: usize, _: usize) -> Result<Vec<HeardClient>, AskError> {
        self.samples.fetch_add(1, Ordering::SeqCst);
        // Until the other end is dropped.
        if let Some(gate) = self.gate.lock().unwrap().take() {
            let _ = gate.recv();
        }
        Ok(Vec::new())
    }

    fn beacons(&self, _: usize) -> Result<Vec<BeaconReading>, AskError> {
        Ok(Vec::new())
    }

    fn replace_model(&self, _: usize, model: Arc<Model>) -> Result<(), ReplaceError> {
        self.models.lock().unwrap().push(model);
        Ok(())
    }
}

async fn serving(folder: &Path) -> (Running, Arc<Worker>, Arc<Desk>) {
    let file = folder.join("office.toml");
    std::fs::write(&file, FLAT).unwrap();
    let loaded = sites::load(&file, None).unwrap();
    let worker = Arc::new(Worker::default());
    let desk = Arc::new(Desk::new(&[loaded], worker.clone()));
    let site = Site::parse(FLAT).unwrap();
    let entries = Arc::new(vec![SiteEntry { site }]);
    let status = Arc::new(StatusView::default());
    let state = HttpState::new(entries, Arc::new(Hub::new(1)), move || status.clone());
    let node = Running::start(state.with_desk(desk.clone())).await;
    (node, worker, desk)
}

impl Running {
    pub(super) async fn send(&self, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{kind}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        Answer::parse(&bytes)
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        let kind = "content-type: application/json\r\n";
        self.send("POST", path, kind, &body.to_string()).await
    }
}

fn here(x_m: f64, y_m: f64) -> Value {
    json!({"client": "0000000000000007", "x_m": x_m, "y_m": y_m, "floor": "1", "seconds": 1.0})
}

fn what(answer: &Answer) -> String {
    let told = answer.json();
    format!(
        "{}; {}",
        told["error"]["what"].as_str().unwrap(),
        told["error"]["what_to_do"].as_str().unwrap()
    )
}

#[tokio::test]
async fn points_are_taken_listed_and_removed_and_calibrate_the_site() {
    let folder = tempfile::tempdir().unwrap();
    let (node, worker, desk) = serving(folder.path()).await;
    let before = node.json(&format!("{AT}/calibration")).await;
    assert_eq!(
        (&before["way"], &before["radios"]),
        (&json!("none"), &json!(0))
    );

    let places = [
        (3.0, 4.0),
        (14.0, 3.0),
        (25.0, 5.0),
        (36.0, 4.0),
        (4.0, 21.0),
        (33.0, 21.0),
        (12.0, 12.0),
        (24.0, 13.0),
        (37.0, 12.0),
        (15.0, 20.0),
    ];
    for (x_m, y_m) in places {
        *worker.place.lock().unwrap() = Some([x_m, y_m, 1.2]);
        let answer = node.post(&format!("{AT}/survey"), &here(x_m, y_m)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert!(answer.json()["radios"].as_u64().unwrap() >= 3);
    }
    let listed = node.json(&format!("{AT}/survey")).await;
    assert_eq!(listed["points"].as_array().unwrap().len(), places.len());
    assert_eq!(listed["points"][9]["id"], 10);

    let gone = node
        .send("DELETE", &format!("{AT}/survey/10"), "", "")
        .await;
    assert_eq!(gone.status, 204);
    let again = node
        .send("DELETE", &format!("{AT}/survey/10"), "", "")
        .await;
    assert_eq!(again.status, 404);

    let answer = node
        .post(&format!("{AT}/calibration"), &json!({"way": "survey"}))
        .await;
    let told = answer.json();
    assert_eq!(
        (answer.status, &told["kept"]),
        (200, &json!(true)),
        "{told}"
    );
    let held_back = &told["tried"]["held_back"];
    assert!(held_back["after"]["rmse_m"].as_f64() < held_back["before"]["rmse_m"].as_f64());
    assert_eq!(told["in_force"]["points"], 9);
    assert_eq!(worker.models.lock().unwrap().len(), 1);
    let stored = std::fs::read_to_string(folder.path().join("office.calibration.toml")).unwrap();
    assert!(stored.starts_with("# Made 20"), "{stored}");
    // What the node wrote itself is not news to it.
    desk.look(0);
    assert_eq!(worker.models.lock().unwrap().len(), 1);

    let answer = node.get(&format!("{AT}/calibration"), "").await;
    let tag = answer.headers["etag"].clone();
    let same = node
        .get(
            &format!("{AT}/calibration"),
            &format!("if-none-match: {tag}\r\n"),
        )
        .await;
    assert_eq!(same.status, 304);
    let none = node
        .post(&format!("{AT}/calibration"), &json!({"way": "none"}))
        .await
        .json();
    assert_eq!(
        (&none["in_force"]["way"], &none["backup"]),
        (&json!("none"), &json!("office.calibration.toml.1"))
    );
    let changed = node
        .get(
            &format!("{AT}/calibration"),
            &format!("if-none-match: {tag}\r\n"),
        )
        .await;
    assert_eq!(changed.status, 200);
    node.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let (node, worker, _) = serving(folder.path()).await;
    let survey = format!("{AT}/survey");
    let silent = node.post(&survey, &here(3.0, 4.0)).await;
    assert_eq!(silent.status, 409);
    assert!(
        what(&silent).contains("nobody heard this client within 1 s"),
        "{}",
        what(&silent)
    );
    *worker.place.lock().unwrap() = Some([3.0, 4.0, 1.2]);
    let check = async |body: Value, status: u16, words: &str| {
        let answer = node.post(&survey, &body).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(what(&answer).contains(words), "{}", what(&answer));
    };
    check(here(99.0, 4.0), 400, "lies outside floor \"1\"").await;
    // Inside the shaft.
    check(here(38.5, 23.5), 400, "lets nobody walk").await;
    check(
        json!({"client": "7", "x_m": 1, "y_m": 1, "floor": "1"}),
        400,
        "16 hexadecimal digits",
    )
    .await;
    check(
        json!({"client": "0000000000000007", "x_m": 1, "y_m": 1, "floor": "9"}),
        400,
        "use one of 1",
    )
    .await;
    check(
        json!({"client": "0000000000000007", "x_m": 1}),
        400,
        "missing field",
    )
    .await;
    check(json!({"x": "y".repeat(5_000)}), 413, "4096 bytes").await;
    let mut long = here(3.0, 4.0);
    long["seconds"] = json!(600);
    check(long, 400, "listen for 1 to 30 s").await;

    let form = "content-type: text/plain\r\n";
    let foreign = node
        .send("POST", &survey, form, &here(3.0, 4.0).to_string())
        .await;
    assert_eq!(foreign.status, 415);
    let calibration = format!("{AT}/calibration");
    let odd = node.post(&calibration, &json!({"way": "magic"})).await;
    assert!(what(&odd).contains("no way \"magic\""), "{}", what(&odd));
    let few = node
        .post(&calibration, &json!({"way": "survey"}))
        .await
        .json();
    assert_eq!(few["kept"], false);
    assert!(
        few["told"]
            .as_str()
            .unwrap()
            .contains("0 places are too few"),
        "{few}"
    );
    let little = node
        .post(&calibration, &json!({"way": "self"}))
        .await
        .json();
    assert!(
        little["told"]
            .as_str()
            .unwrap()
            .contains("too little was heard"),
        "{little}"
    );
    assert!(worker.models.lock().unwrap().is_empty());
    node.stop().await;
}

#[tokio::test]
async fn an_edited_file_is_used_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (node, worker, desk) = serving(folder.path()).await;
    let file = folder.path().join("office.calibration.toml");
    let site = Site::parse(FLAT).unwrap();
    let radio = &site.anchors[0];
    let table = |key: &str| {
        format!(
            "site = \"office\"\n[[radio]]\nanchor = {:?}\nband = {:?}\n{key} = -44\nexponent = 2.5\ndeviation_db = 4\n",
            radio.id,
            radio.radios[0].band.as_str()
        )
    };
    desk.look(0);
    assert!(worker.models.lock().unwrap().is_empty());
    std::fs::write(&file, table("rssi_at_1m_dbm")).unwrap();
    desk.look(0);
    assert!(
        worker.models.lock().unwrap().is_empty(),
        "it may be half written"
    );
    desk.look(0);
    desk.look(0);
    assert_eq!(worker.models.lock().unwrap().len(), 1);
    let used = node.json(&format!("{AT}/calibration")).await;
    assert_eq!((&used["way"], &used["radios"]), (&json!("file"), &json!(1)));

    std::fs::write(&file, table("rssi_at_1m")).unwrap();
    desk.look(0);
    desk.look(0);
    assert_eq!(worker.models.lock().unwrap().len(), 1);
    let kept = node.json(&format!("{AT}/calibration")).await;
    assert_eq!(kept["radios"], 1);
    let refused = kept["refused"].as_str().unwrap();
    assert!(refused.contains("office.calibration.toml:5:"), "{refused}");

    std::fs::remove_file(&file).unwrap();
    desk.look(0);
    desk.look(0);
    let gone = node.json(&format!("{AT}/calibration")).await;
    assert_eq!(
        (&gone["way"], &gone["refused"]),
        (&json!("none"), &Value::Null)
    );
    node.stop().await;
}

#[tokio::test]
async fn an_order_whose_client_left_goes_on_and_the_next_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let (node, worker, _) = serving(folder.path()).await;
    let calibration = format!("{AT}/calibration");
    let (open, gate) = channel();
    *worker.gate.lock().unwrap() = Some(gate);
    {
        let order = json!({"way": "self"});
        let asked = node.post(&calibration, &order);
        let mut asked = std::pin::pin!(asked);
        // Until the worker is asked; then the client leaves.
        while worker.samples.load(Ordering::SeqCst) == 0 {
            assert!(asked.as_mut().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
    }
    for _ in 0..3 {
        let busy = node.post(&calibration, &json!({"way": "none"})).await;
        assert_eq!(busy.status, 409);
        let told = what(&busy);
        assert!(told.contains("\"office\" is being calibrated"), "{told}");
    }
    assert_eq!(worker.samples.load(Ordering::SeqCst), 1);
    drop(open);
    while node
        .post(&calibration, &json!({"way": "none"}))
        .await
        .status
        != 200
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        worker.samples.load(Ordering::SeqCst),
        3,
        "it went on to its end"
    );
    node.stop().await;
}

#[tokio::test]
async fn a_busy_worker_is_not_told_as_a_client_that_nobody_hears() {
    let folder = tempfile::tempdir().unwrap();
    let (node, worker, _) = serving(folder.path()).await;
    for (why, words) in [
        (AskError::Busy, "too busy to tell"),
        (AskError::Stopped, "has stopped"),
    ] {
        *worker.why_not.lock().unwrap() = Some(why);
        let answer = node.post(&format!("{AT}/survey"), &here(3.0, 4.0)).await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(what(&answer).contains(words), "{}", what(&answer));
    }
    node.stop().await;
}

#[tokio::test]
async fn a_survey_that_takes_no_more_is_a_conflict_and_a_disk_that_fails_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (node, worker, _) = serving(folder.path()).await;
    *worker.place.lock().unwrap() = Some([3.0, 4.0, 1.2]);
    let survey = folder.path().join("office.survey.ndjson");
    let check = async |status: u16, words: &str| {
        let answer = node.post(&format!("{AT}/survey"), &here(3.0, 4.0)).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(what(&answer).contains(words), "{}", what(&answer));
    };
    fill(&survey);
    check(409, "delete points, or begin a new file").await;
    std::fs::write(&survey, "{}\n").unwrap();
    check(409, "mend or remove the line").await;
    let order = node
        .post(&format!("{AT}/calibration"), &json!({"way": "survey"}))
        .await;
    assert_eq!(order.status, 409, "{}", order.text());
    std::fs::remove_file(&survey).unwrap();
    std::fs::create_dir(&survey).unwrap();
    check(500, "cannot be read or written").await;
    node.stop().await;
}

/// As long as a survey may be.
fn fill(survey: &Path) {
    let bytes = crate::calibrate::survey_file::SURVEY_BYTES_MAX as usize;
    std::fs::write(survey, format!("#{}\n", " ".repeat(bytes - 2))).unwrap();
}
