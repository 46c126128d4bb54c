//! No address of any input is in anything that the program gives out.
//!
//! The program runs as its user runs it, at log level trace, over every capture in the shared data
//! and over one of our own: `decode`, `privacy`, and `run` against a node that keeps every datagram
//! and frame as it was before encryption. Standard output, standard error (log and panics), `Debug`
//! texts, datagrams and frames are searched for every address of the capture in every form in which
//! someone might write it, and as bytes.

mod inputs;
pub(crate) mod searched;

use std::path::Path;
use std::process::Output;

use agent::address::Address;
use agent::config::FileConfig;
use agent::privacy::Stage;
use agent::source::pace::Pace;
use agent::source::pcap::{CaptureOptions, PcapSource};
use agent::source::{Drained, Heard, Source, Transmitter};
use wire::Frame;
use wire::control::encode_frame;
use wire::frame::PseudonymKey;

use crate::fake_node::{FakeNode, Papers, in_time};
use crate::process::{program, spawn};
use inputs::inputs;
use searched::Searched;

fn search_output(searched: &Searched, what: &str, output: &Output) {
    searched.text(&format!("{what}: standard output"), &output.stdout);
    searched.text(&format!("{what}: standard error"), &output.stderr);
}

#[test]
fn decode_and_privacy_show_none() {
    for input in inputs() {
        let searched = Searched::new(&input.addresses);
        let file = input.path.to_str().expect("a path");
        let config = input.configured("127.0.0.1:1", &["none", "none", "none"]);
        let config = config.path().join("agent.toml");
        let config = config.to_str().expect("a path");
        for arguments in [
            &["decode", file][..],
            &["decode", "--tsv", file],
            &["privacy", file],
            &["privacy", "--config", config, file],
        ] {
            let output = program(arguments).output().expect("the program runs");
            let code = if input.is_refused { 2 } else { 0 };
            let what = format!("{} {}", arguments[0], input.name);
            assert_eq!(output.status.code(), Some(code), "{what}");
            assert!(
                code != 0 || !output.stdout.is_empty(),
                "{what} says nothing"
            );
            search_output(&searched, &what, &output);
        }
    }
}

#[test]
fn decode_shows_them_on_request() {
    let input = inputs().pop().expect("our own");
    let file = input.path.to_str().expect("a path");
    let output = program(&["decode", "--tsv", "--show-addresses", file]).output();
    let searched = Searched::new(&input.addresses);
    let found = searched.found_in_text(&output.expect("the program runs").stdout);
    assert!(found, "the search finds what is there");
}

/// What a node keeps of a visit.
struct Visit {
    datagrams: Vec<Vec<u8>>,
    frames: Vec<Frame>,
}

/// Serves one agent until it leaves.
async fn serve(node: &FakeNode) -> Visit {
    let mut guest = node.welcome_with_short_ids(1, 100).await;
    let mut visit = Visit {
        datagrams: Vec::new(),
        frames: vec![Frame::Hello(guest.hello().clone())],
    };
    let sent = loop {
        let frame = guest.read().await.expect("an agent that leaves in order");
        visit.frames.push(frame);
        if let Some(Frame::Report(report)) = visit.frames.last()
            && report.last
        {
            break report.counters.datagrams_sent;
        }
    };
    while (visit.datagrams.len() as u64) < sent {
        let datagram = guest.datagram().await.expect("all that was sent");
        visit.datagrams.push(datagram.to_vec());
    }
    guest.write(Frame::Settled {}).await;
    visit
}

#[tokio::test]
async fn a_run_tells_none_and_logs_none() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let (mut datagrams, mut frames) = (0, 0);
    for input in inputs() {
        let searched = Searched::new(&input.addresses);
        let address = node.address().to_string();
        let pem = papers.agent_pem.each_ref().map(String::as_str);
        let folder = input.configured(&address, &pem);
        let config = folder.path().join("agent.toml");
        let run = program(&["run", "--config", config.to_str().expect("a path")]);
        let run = spawn(run);
        if !input.is_refused {
            let visit = in_time(serve(&node)).await;
            datagrams += visit.datagrams.len();
            frames += visit.frames.len();
            search_visit(&searched, &input.name, &visit);
        }
        let output = in_time(run).await.expect("the program runs");
        let code = if input.is_refused { 2 } else { 0 };
        assert_eq!(output.status.code(), Some(code), "{}", input.name);
        search_output(&searched, &format!("run {}", input.name), &output);
    }
    // Our own capture alone makes several of both.
    assert!(
        datagrams >= 1 && frames >= 3,
        "{datagrams} datagrams, {frames} frames"
    );
}

fn search_visit(searched: &Searched, name: &str, visit: &Visit) {
    for datagram in &visit.datagrams {
        searched.bytes(&format!("run {name}: a datagram"), datagram);
        searched.text(&format!("run {name}: a datagram"), datagram);
    }
    for frame in &visit.frames {
        // What the agent wrote: the same frame gives the same bytes.
        let mut bytes = Vec::new();
        encode_frame(frame, &mut bytes).expect("it was sent");
        searched.bytes(&format!("run {name}: a frame"), &bytes);
        searched.text(&format!("run {name}: a frame"), &bytes);
        searched.text(
            &format!("run {name}: a frame"),
            format!("{frame:?}").as_bytes(),
        );
    }
}

#[test]
fn debug_texts_show_none() {
    for input in inputs().into_iter().filter(|input| !input.is_refused) {
        let searched = Searched::new(&input.addresses);
        let folder = input.configured("127.0.0.1:1", &["none", "none", "none"]);
        let config = FileConfig::load(&folder.path().join("agent.toml")).expect("our own file");
        let mut texts = format!("{config:?} {config:#?}");
        let options = CaptureOptions {
            radios: config.radios.clone(),
            access_points: input.addresses.iter().copied().map(Address::new).collect(),
            pace: Pace::AsFastAsPossible,
        };
        texts += &format!("{options:?}");
        let mut source = PcapSource::open(&input.path, options).expect("a capture");
        let mut stage = Stage::new(config.agent.privacy.clone());
        stage.set_key(&PseudonymKey {
            period: 1,
            key: [7; 32],
        });
        loop {
            let drained = source.drain(0, 8, &mut |heard| {
                texts += &format!("{:?}", stage.handle(heard));
            });
            texts += &format!("{source:?} {stage:?} {:?} {drained:?}", source.health());
            if drained.is_ok_and(|drained| drained == Drained::Finished) {
                break;
            }
        }
        searched.text(&format!("{}: Debug", input.name), texts.as_bytes());
    }
}

/// Compiles only if a type has no `Debug` of its own: with one, `check` would be ambiguous.
trait NoDebug<Marker> {
    fn check() {}
}

struct HasDebug;

impl<T> NoDebug<()> for T {}
impl<T: std::fmt::Debug> NoDebug<HasDebug> for T {}

#[test]
fn what_was_heard_cannot_be_printed() {
    <Heard as NoDebug<_>>::check();
    <Transmitter as NoDebug<_>>::check();
}

#[test]
fn a_wrong_configuration_does_not_repeat_an_address() {
    let text = "00:1b:c5:d2:e9:a7:00";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("agent.toml");
    for key in ["opted_out", "allow", "deny"] {
        let config = inputs::configuration("127.0.0.1:1", Path::new("x.pcap"), &[]);
        let config = config + &format!("[privacy]\n{key} = [\"{text}\"]\n");
        std::fs::write(&path, config).expect("written");
        let run = program(&["run", "--config", path.to_str().expect("a path")]).output();
        let run = run.expect("the program runs");
        assert_eq!(run.status.code(), Some(2));
        let error = String::from_utf8_lossy(&run.stderr).to_lowercase();
        assert!(
            error.contains(key) && !error.contains("c5:d2:e9"),
            "{error}"
        );
    }
}
