//! `trilobite calibrate`: none, by itself, from points said "I am here", from a walked survey.
//!
//! Whatever way it is learned, a calibration is kept only if it would have located, or explained,
//! data that it was not learned from better than none would; otherwise the answer says why not. The
//! file lies beside the site file, is readable, and an old one is never overwritten without a
//! backup.
//!
//! [`command`] is the command line on files or against a running node; [`desk`] is what a running
//! node does, with [`learn`] and [`held_back`] between them. [`stored`] and [`survey_file`] are the two
//! files, [`files`] how one is replaced.

pub mod cancel;
pub mod command;
pub mod dataset;
pub mod desk;
pub mod files;
pub mod held_back;
pub mod learn;
pub mod live;
pub mod origin;
pub mod points;
mod remote;
pub mod stored;
pub mod survey_file;

#[cfg(test)]
mod tests;
