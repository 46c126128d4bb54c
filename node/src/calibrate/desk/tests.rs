//! Two orders at once, edits at bad moments, workers that do not answer.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};

use ingest::{AskError, BeaconReading};
use locate::Model;
use wire::ClientId;

use super::super::live::HeardClient;
use super::*;
use crate::sites;

const HALL: &str = r#"
site = "hall"
floor = [{ id = "1", elevation_m = 0, height_m = 3, outline = [[0, 0], [9, 0], [9, 9], [0, 9]] }]
anchor = [{ id = "a", floor = "1", position = [1, 1], radios = ["5"] }]
"#;

/// What a calibration file says.
fn text(deviation_db: f64) -> String {
    format!("site = \"hall\"\nclient_offset_deviation_db = {deviation_db}\n")
}

type Answer = Box<dyn FnMut() -> Result<(), ReplaceError> + Send>;

/// Workers that take every model, unless the test says otherwise.
#[derive(Default)]
struct Worker {
    models: Mutex<Vec<Arc<Model>>>,
    answer: Mutex<Option<Answer>>,
    /// Tells when a sample is asked for, and waits until it may be answered.
    gate: Mutex<Option<(Sender<()>, Receiver<()>)>>,
}

impl Live for Worker {
    fn window(&self, _: usize, _: ClientId) -> Result<HeardClient, AskError> {
        Err(AskError::Unknown)
    }

    fn sample(&self, _: usize, _: usize) -> Result<Vec<HeardClient>, AskError> {
        if let Some((asked, may_go)) = self.gate.lock().unwrap().take() {
            asked.send(()).unwrap();
            let _ = may_go.recv();
        }
        Ok(Vec::new())
    }

    fn beacons(&self, _: usize) -> Result<Vec<BeaconReading>, AskError> {
        Ok(Vec::new())
    }

    fn replace_model(&self, _: usize, model: Arc<Model>) -> Result<(), ReplaceError> {
        self.models.lock().unwrap().push(model);
        match self.answer.lock().unwrap().as_mut() {
            Some(answer) => answer(),
            None => Ok(()),
        }
    }
}

struct Office {
    _folder: tempfile::TempDir,
    calibration: PathBuf,
    worker: Arc<Worker>,
    desk: Desk,
}

impl Office {
    /// Two sites of which the first has its calibration elsewhere, by configuration.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let calibration = folder.path().join("learned.toml");
        let (hall, shed) = (
            folder.path().join("hall.toml"),
            folder.path().join("shed.toml"),
        );
        fs::write(&hall, HALL).unwrap();
        fs::write(&shed, HALL.replace("hall", "shed")).unwrap();
        let loaded = [
            sites::load(&hall, Some(&calibration)).unwrap(),
            sites::load(&shed, None).unwrap(),
        ];
        let worker = Arc::new(Worker::default());
        Self {
            desk: Desk::new(&loaded, worker.clone()),
            calibration,
            worker,
            _folder: folder,
        }
    }

    /// Two looks, as a content needs that stays.
    fn look(&self) {
        self.desk.look(0);
        self.desk.look(0);
    }

    fn offered(&self) -> usize {
        self.worker.models.lock().unwrap().len()
    }

    fn deviation_db(&self) -> Option<f64> {
        self.desk.in_force(0).calibration.client_offset_deviation_db
    }

    fn reload(&self) -> LoadedSite {
        let site = self.calibration.with_file_name("hall.toml");
        sites::load(&site, Some(&self.calibration)).unwrap()
    }
}

#[test]
fn a_configured_calibration_is_set_aside_and_the_node_starts_again() {
    let office = Office::new();
    fs::write(&office.calibration, text(5.0)).unwrap();
    office.look();
    assert_eq!(office.deviation_db(), Some(5.0));
    assert_eq!(
        office.reload().calibration.client_offset_deviation_db,
        Some(5.0)
    );
    let outcome = office.desk.calibrate(0, Way::None).unwrap();
    assert_eq!(outcome.backup.as_deref(), Some("learned.toml.1"));
    assert!(!office.calibration.exists());
    let again = office.reload();
    assert_eq!((again.origin.way, again.stamp), (Way::None, None));
    // And there is nothing new to see.
    office.look();
    assert_eq!(office.offered(), 2);
}

#[test]
fn one_site_of_a_node_is_calibrated_at_a_time() {
    let office = Office::new();
    let (asked, is_asked) = channel();
    let (may_go, waits) = channel();
    *office.worker.gate.lock().unwrap() = Some((asked, waits));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| office.desk.calibrate(0, Way::SelfMade));
        is_asked.recv().unwrap();
        for site in [0, 1] {
            let refused = office.desk.calibrate(site, Way::None).unwrap_err();
            assert!(matches!(&refused, DeskError::Busy { running } if running == "hall"));
        }
        drop(may_go);
        assert!(!first.join().unwrap().unwrap().kept);
    });
    assert!(office.desk.calibrate(1, Way::None).unwrap().kept);
}

#[test]
fn a_node_that_stops_calls_a_calibration_off_and_no_file_changes() {
    let office = Office::new();
    fs::write(&office.calibration, text(5.0)).unwrap();
    let (asked, is_asked) = channel();
    let (may_go, waits) = channel();
    *office.worker.gate.lock().unwrap() = Some((asked, waits));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| office.desk.calibrate(0, Way::SelfMade));
        is_asked.recv().unwrap();
        office.desk.stop();
        drop(may_go);
        let off = running.join().unwrap().unwrap_err();
        assert!(matches!(off, DeskError::Cancelled(_)), "{off}");
    });
    let late = office.desk.calibrate(0, Way::None).unwrap_err();
    assert!(matches!(late, DeskError::Cancelled(_)), "{late}");
    office.look();
    assert_eq!(office.offered(), 0);
    assert_eq!(fs::read_to_string(&office.calibration).unwrap(), text(5.0));
}

#[test]
fn an_edit_while_the_worker_takes_the_one_before_is_not_lost() {
    let office = Office::new();
    fs::write(&office.calibration, text(5.0)).unwrap();
    let (path, mut edits) = (office.calibration.clone(), vec![text(6.0)]);
    // As long as the one before, and in the same tick of the disk's clock.
    *office.worker.answer.lock().unwrap() = Some(Box::new(move || {
        if let Some(edit) = edits.pop() {
            fs::write(&path, edit).unwrap();
        }
        Ok(())
    }));
    office.look();
    assert_eq!(office.deviation_db(), Some(5.0));
    office.look();
    assert_eq!((office.deviation_db(), office.offered()), (Some(6.0), 2));
}

#[test]
fn an_edit_between_start_and_the_first_look_is_not_lost() {
    let office = Office::new();
    fs::write(&office.calibration, text(5.0)).unwrap();
    let desk = Desk::new(&[office.reload()], office.worker.clone());
    fs::write(&office.calibration, text(6.0)).unwrap();
    desk.look(0);
    desk.look(0);
    assert_eq!(
        desk.in_force(0).calibration.client_offset_deviation_db,
        Some(6.0)
    );
}

#[test]
fn a_file_that_is_being_written_waits_until_it_stays() {
    let office = Office::new();
    let whole = text(5.0);
    for end in [10, 15, 20, whole.len()] {
        fs::write(&office.calibration, &whole[..end]).unwrap();
        office.desk.look(0);
        assert_eq!(office.desk.in_force(0).refused, None);
    }
    assert_eq!(office.offered(), 0);
    office.desk.look(0);
    assert_eq!(office.deviation_db(), Some(5.0));
}

#[test]
fn a_file_that_cannot_be_read_is_not_gone() {
    let office = Office::new();
    fs::write(&office.calibration, text(5.0)).unwrap();
    office.look();
    fs::remove_file(&office.calibration).unwrap();
    fs::create_dir(&office.calibration).unwrap();
    office.look();
    let kept = office.desk.in_force(0);
    assert_eq!(kept.calibration.client_offset_deviation_db, Some(5.0));
    assert!(kept.refused.unwrap().contains("cannot be read"));
    // As it was again: nothing to do but to say so.
    fs::remove_dir(&office.calibration).unwrap();
    fs::write(&office.calibration, text(5.0)).unwrap();
    office.look();
    assert_eq!(
        (office.desk.in_force(0).refused, office.offered()),
        (None, 1)
    );
}

#[test]
fn a_radio_map_that_the_worker_does_not_answer_about_is_made_once_and_offered_again() {
    let office = Office::new();
    let silent = || Box::new(|| Err(ReplaceError::Silent)) as Answer;
    *office.worker.answer.lock().unwrap() = Some(silent());
    fs::write(&office.calibration, text(5.0)).unwrap();
    for _ in 0..5 {
        office.desk.look(0);
    }
    assert_eq!((office.offered(), office.deviation_db()), (4, None));
    let models = office.worker.models.lock().unwrap().clone();
    assert!(models.iter().all(|model| Arc::ptr_eq(model, &models[0])));
    // Back to what is in force: the worker may have taken the other one, so it is told.
    fs::remove_file(&office.calibration).unwrap();
    office.look();
    assert_eq!(office.offered(), 5);
    *office.worker.answer.lock().unwrap() = None;
    office.desk.look(0);
    office.look();
    assert_eq!(office.offered(), 6);
}

#[test]
fn a_radio_map_that_the_worker_cannot_use_is_offered_once() {
    let office = Office::new();
    *office.worker.answer.lock().unwrap() = Some(Box::new(|| Err(ReplaceError::Site(0))));
    fs::write(&office.calibration, text(5.0)).unwrap();
    for _ in 0..5 {
        office.desk.look(0);
    }
    assert_eq!(office.offered(), 1);
    assert!(office.desk.in_force(0).refused.is_some());
}
