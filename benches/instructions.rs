//! How many instructions does an observation take on the hot path?
//!
//! Counts repeat to a fraction of a per cent on any machine, loaded or not, where times do not.
//! Each case runs in a process of its own under `valgrind --tool=callgrind`, which counts only
//! inside of [`counted_by_callgrind`]. Valgrind 3.19 has no AVX-512: code that picks its vector
//! width at run time is counted as on a processor with AVX2. Cache misses are not seen here;
//! `--bench fold` has them.
//!
//! `cargo bench --bench instructions` prints a table and, as its last line, JSON. Without valgrind
//! it says so and ends well.

use std::hint::black_box;
use std::io::Write as _;
use std::process::{Command, Stdio};

use benches::arrivals::{Arrivals, DATAGRAMS, Network};
use benches::datagram;
use benches::outgoing::Alone;
use benches::rig::{FULL_ROWS, GROUP_DATAGRAMS, Ids, Rig};
use benches::select::Selection;
use benches::whole::Whole;

/// What tells a child process its case.
const CASE: &str = "TRILOBITE_BENCH_CASE";

/// The function inside of which callgrind counts, however its name is decorated.
const COUNTED: &str = "*counted_by_callgrind*";

/// Rounds of each case.
const ROUNDS: usize = 64;

/// Clients of the cases with both ends. Their number changes misses, which are not counted, and
/// hardly an instruction; fewer are sooner made.
const WHOLE_CLIENTS: usize = 10_000;

/// Something that is done over and over.
trait Case {
    /// What is not counted.
    fn prepare(&mut self) {}

    /// What is counted; says how many observations were in it.
    fn run(&mut self) -> usize;
}

/// A name, and what makes the case.
type Entry = (&'static str, fn() -> Box<dyn Case>);

const CASES: [Entry; 11] = [
    ("decode/full", || {
        Box::new(Decode(datagram::full(Ids::Full)))
    }),
    ("decode/short", || {
        Box::new(Decode(datagram::full(Ids::Short)))
    }),
    ("fold/full/100000", || {
        Box::new(Fold(Rig::new(100_000, Ids::Full)))
    }),
    ("fold/short/100000", || {
        Box::new(Fold(Rig::new(100_000, Ids::Short)))
    }),
    ("dedupe/lossy", || {
        Box::new(Dedupe(Arrivals::new(Network::Lossy)))
    }),
    ("batcher/full", || Box::new(Pack(Alone::new(Ids::Full)))),
    ("batcher/short", || Box::new(Pack(Alone::new(Ids::Short)))),
    ("node/full", || Box::new(Node::new(Ids::Full))),
    ("node/short", || Box::new(Node::new(Ids::Short))),
    ("agents/full", || {
        Box::new(Agents(Whole::new(WHOLE_CLIENTS, Ids::Full)))
    }),
    ("agents/short", || {
        Box::new(Agents(Whole::new(WHOLE_CLIENTS, Ids::Short)))
    }),
];

/// Decoding a full datagram and reading its rows.
struct Decode((Vec<u8>, usize));

impl Case for Decode {
    fn run(&mut self) -> usize {
        black_box(datagram::read(black_box(&self.0.0)));
        self.0.1
    }
}

/// A worker takes in datagrams.
struct Fold(Rig);

impl Case for Fold {
    fn prepare(&mut self) {
        self.0.prepare(GROUP_DATAGRAMS);
    }

    fn run(&mut self) -> usize {
        self.0.take_in();
        GROUP_DATAGRAMS * self.0.rows()
    }
}

/// Telling new datagrams from old ones.
struct Dedupe(Arrivals);

impl Case for Dedupe {
    fn run(&mut self) -> usize {
        black_box(self.0.take_in());
        DATAGRAMS * FULL_ROWS
    }
}

/// An agent packs a burst.
struct Pack(Alone);

impl Case for Pack {
    fn run(&mut self) -> usize {
        self.0.burst(|datagram| {
            black_box(datagram);
        })
    }
}

/// A node takes in bursts through its link: decrypt, decode, fold, answer.
struct Node {
    whole: Whole,
    sent: usize,
}

impl Node {
    fn new(ids: Ids) -> Self {
        Self {
            whole: Whole::new(WHOLE_CLIENTS, ids),
            sent: 0,
        }
    }
}

impl Case for Node {
    fn prepare(&mut self) {
        self.sent = self.whole.agents_turn();
    }

    fn run(&mut self) -> usize {
        self.whole.node_turn();
        self.sent
    }
}

/// Agents pack bursts and send them through their links.
struct Agents(Whole);

impl Case for Agents {
    fn prepare(&mut self) {
        self.0.node_turn();
    }

    fn run(&mut self) -> usize {
        self.0.agents_turn()
    }
}

/// Callgrind counts from here on until this returns.
#[inline(never)]
fn counted_by_callgrind(case: &mut dyn Case) -> usize {
    black_box(case.run())
}

fn main() {
    match std::env::var(CASE) {
        Ok(name) => be_counted(&name),
        Err(_) => count_all(&Selection::from_arguments()),
    }
}

/// In the child: the case, some rounds; prints how many observations were in them.
fn be_counted(name: &str) {
    let (_, make) = CASES
        .iter()
        .find(|(case, _)| *case == name)
        .expect("the parent names one of the cases");
    let mut case = make();
    // Once uncounted, so that what is made on first use is there.
    case.prepare();
    case.run();
    let mut observations = 0;
    for _ in 0..ROUNDS {
        case.prepare();
        observations += counted_by_callgrind(case.as_mut());
    }
    print(&format!("{observations}\n"));
}

fn count_all(selection: &Selection) {
    if !has_valgrind() {
        print("instructions: skipped, there is no valgrind on this machine\n");
        return;
    }
    let mut json = serde_json::Map::new();
    print("instructions per observation (callgrind)\n");
    for (name, _) in CASES.iter().filter(|(name, _)| selection.has(name)) {
        let per_observation = count(name);
        print(&format!("{name:<24} {per_observation:>10.2}\n"));
        json.insert(
            (*name).to_owned(),
            ((per_observation * 100.0).round() / 100.0).into(),
        );
    }
    print(&format!(
        "{}\n",
        serde_json::json!({ "instructions_per_observation": json })
    ));
}

fn has_valgrind() -> bool {
    let mut version = Command::new("valgrind");
    let quiet = version
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Runs the case in a child; returns its instructions per observation.
fn count(name: &str) -> f64 {
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--collect-atstart=no",
            "--callgrind-out-file=/dev/null",
        ])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(std::env::current_exe().expect("a program knows its file"))
        .env(CASE, name)
        .output()
        .expect("valgrind answered a moment ago");
    let (told, log) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let counts = told.trim().parse::<f64>().ok().zip(collected(&log));
    let Some((observations, instructions)) = counts.filter(|_| output.status.success()) else {
        panic!("{name}: no count came of it; valgrind says:\n{log}");
    };
    assert!(
        instructions > 0.0,
        "{name}: nothing was counted inside of {COUNTED}"
    );
    instructions / observations
}

/// Callgrind's last words: `==71== Collected : 12345`.
fn collected(log: &str) -> Option<f64> {
    let line = log.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

fn print(text: &str) {
    // A reader that is gone is no reason to stop.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
