//! What may be used to fit, and what is for scoring only: two types that never mix.

use agent::source::replay::dataset::{Anchor, Dataset, Reading, Split};

/// One scan with what was heard in it and where the client truly was.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Epoch {
    /// Seconds on the clock of its walk, or the number of the sample at its place.
    pub(crate) t_s: f64,
    /// The device.
    pub(crate) device: String,
    /// The walk; `None` for a static place.
    pub(crate) walk: Option<String>,
    /// The place.
    pub(crate) place: String,
    /// What was heard.
    pub(crate) readings: Vec<Reading>,
    /// Where the client was.
    pub(crate) truth: Truth,
}

/// Where a client truly was, in metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Truth {
    pub(crate) x_m: f64,
    pub(crate) y_m: f64,
    pub(crate) z_m: Option<f64>,
    pub(crate) floor: Option<i32>,
}

/// Epochs that a fit may see. Only [`split`] makes them.
#[derive(Debug)]
pub(crate) struct CalibrationEpochs(Vec<Epoch>);

/// Epochs for scoring. Only [`split`] makes them.
#[derive(Debug)]
pub(crate) struct TestEpochs(Vec<Epoch>);

impl CalibrationEpochs {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Epoch> {
        self.0.iter()
    }
}

impl TestEpochs {
    pub(crate) fn as_slice(&self) -> &[Epoch] {
        &self.0
    }

    /// The devices that are to be located.
    pub(crate) fn devices(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|epoch| epoch.device.as_str())
    }
}

/// A data set taken apart.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Name of its folder.
    pub(crate) name: String,
    /// Its radios, as readings count them.
    pub(crate) anchors: Vec<Anchor>,
    /// For the fit.
    pub(crate) calibration: CalibrationEpochs,
    /// For the scores.
    pub(crate) test: TestEpochs,
}

/// Takes a data set apart.
pub(crate) fn split(set: Dataset) -> Parts {
    let mut readings = vec![Vec::new(); set.epochs.len()];
    for reading in set.readings {
        readings[reading.epoch].push(reading);
    }
    let (mut calibration, mut test) = (Vec::new(), Vec::new());
    for (epoch, readings) in set.epochs.into_iter().zip(readings) {
        let part = match epoch.split {
            Split::Calibration => &mut calibration,
            Split::Test => &mut test,
        };
        part.push(Epoch {
            t_s: epoch.t_s,
            device: epoch.client,
            walk: epoch.trajectory,
            place: epoch.place,
            readings,
            truth: Truth {
                x_m: epoch.x_m,
                y_m: epoch.y_m,
                z_m: epoch.z_m,
                floor: epoch.floor,
            },
        });
    }
    Parts {
        name: set.name,
        anchors: set.anchors,
        calibration: CalibrationEpochs(calibration),
        test: TestEpochs(test),
    }
}

#[cfg(test)]
pub(crate) mod fixture {
    //! A small data set.

    use super::*;

    pub(crate) fn anchor(id: &str, x_m: f64, y_m: f64, band: &str) -> Anchor {
        let (id, band) = (id.to_owned(), band.to_owned());
        Anchor {
            id,
            x_m,
            y_m,
            z_m: None,
            floor: None,
            band,
            freq_mhz: None,
        }
    }

    pub(crate) fn reading(t_s: f64, anchor: usize, rssi_dbm: f64) -> Reading {
        let rssi_dbm = Some(rssi_dbm);
        Reading {
            epoch: 0,
            t_s,
            anchor,
            rssi_dbm,
            range_m: None,
            range_std_m: None,
        }
    }

    pub(crate) fn epoch(walk: Option<&str>, place: &str, t_s: f64) -> Epoch {
        Epoch {
            t_s,
            device: "phone".into(),
            walk: walk.map(str::to_owned),
            place: place.into(),
            readings: vec![reading(t_s, 0, -60.0)],
            truth: Truth {
                x_m: 1.0,
                y_m: 2.0,
                z_m: None,
                floor: None,
            },
        }
    }

    pub(crate) fn calibration(epochs: Vec<Epoch>) -> CalibrationEpochs {
        CalibrationEpochs(epochs)
    }

    pub(crate) fn test(epochs: Vec<Epoch>) -> TestEpochs {
        TestEpochs(epochs)
    }
}
