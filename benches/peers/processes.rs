//! Publishers and consumer as processes: start, begin together, count their processor time.
//!
//! A child tells its parent on its standard output: the consumer where it listens, a publisher that
//! it is connected; at the end how many observations there were. A publisher begins when its
//! standard input says so, so that connecting is not counted.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use benches::cpu;

use crate::observation::Fold;
use crate::shape::{PUBLISHERS, Peer, SHAPES, Shape};

/// What came of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) clients: usize,
    pub(crate) wall: Duration,
    /// Of all processes.
    pub(crate) cpu: Duration,
}

impl Measured {
    pub(crate) fn lost(&self) -> u64 {
        self.sent - self.received
    }

    pub(crate) fn per_cpu_s(&self) -> f64 {
        self.received as f64 / self.cpu.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// What a child process is to do.
#[derive(Debug)]
pub(crate) enum Role {
    Consume {
        peer: Peer,
        shape: Shape,
    },
    Publish {
        peer: Peer,
        shape: Shape,
        number: usize,
        place: String,
        lasting: Duration,
    },
}

impl Role {
    /// The role that the parent gave; `None` in the parent.
    pub(crate) fn from_arguments() -> Option<Self> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let case = |index: &str| SHAPES[index.parse::<usize>().expect("a case's index")];
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["consume", index] => {
                let (peer, shape) = case(index);
                Some(Self::Consume { peer, shape })
            }
            ["publish", index, number, place, millis] => {
                let (peer, shape) = case(index);
                Some(Self::Publish {
                    peer,
                    shape,
                    number: number.parse().expect("a publisher's number"),
                    place: place.to_owned(),
                    lasting: Duration::from_millis(millis.parse().expect("milliseconds")),
                })
            }
            _ => None,
        }
    }
}

/// Runs a consumer and its publishers.
pub(crate) fn measure(peer: Peer, shape: &Shape, lasting: Duration) -> Measured {
    let case = SHAPES.iter().position(|case| *case == (peer, *shape));
    let case = case.expect("a case of the list").to_string();
    let mut consumer = Process::start(&["consume", &case]);
    let place = consumer.line();
    let mut publishers: Vec<Process> = (0..PUBLISHERS)
        .map(|number| {
            let (number, millis) = (number.to_string(), lasting.as_millis().to_string());
            Process::start(&["publish", &case, &number, &place, &millis])
        })
        .collect();
    for publisher in &mut publishers {
        assert_eq!(publisher.line(), "connected");
    }
    let ended = cpu::of_children();
    let so_far = |process: &Process| cpu::of(process.child.id());
    let connecting: Duration = publishers.iter().chain([&consumer]).map(so_far).sum();
    let began = Instant::now();
    for publisher in &mut publishers {
        publisher.nudge();
    }
    let sent = publishers
        .iter_mut()
        .map(|publisher| numbers(&publisher.line())[0])
        .sum();
    consumer.nudge();
    let folded = numbers(&consumer.line());
    let wall = began.elapsed();
    publishers.into_iter().for_each(Process::end);
    consumer.end();
    let all = cpu::of_children().saturating_sub(ended);
    Measured {
        sent,
        received: folded[0],
        clients: folded[1] as usize,
        wall,
        cpu: all.saturating_sub(connecting),
    }
}

fn numbers(line: &str) -> Vec<u64> {
    let words = line.split_whitespace();
    words.map(|word| word.parse().expect("a count")).collect()
}

/// A child; it is killed when its parent gives up.
#[derive(Debug)]
struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("a program knows its file"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the system starts a process");
        Self {
            input: child.stdin.take().expect("it was asked for"),
            output: BufReader::new(child.stdout.take().expect("it was asked for")),
            child,
        }
    }

    /// The next line that the child says.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.output.read_line(&mut line).expect("text");
        assert!(read > 0, "a process ended early; its words are above");
        line.trim_end().to_owned()
    }

    /// Tells a publisher to begin, the consumer that all have ended.
    fn nudge(&mut self) {
        // One that has ended says so when its next line is asked for.
        let _ = self.input.write_all(b"\n");
    }

    fn end(mut self) {
        let status = self.child.wait().expect("a child");
        assert!(status.success(), "a process ended with {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already when all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a child: tells the parent.
pub(crate) fn tell(line: &str) {
    let mut out = std::io::stdout();
    let told = writeln!(out, "{line}").and_then(|()| out.flush());
    told.expect("the parent listens");
}

/// In a publisher: connected; returns when all others are, too.
pub(crate) fn wait_begin() {
    tell("connected");
    wait_nudge();
}

/// Waits until the parent nudges: publishers begin, the consumer hears that they have ended.
pub(crate) fn wait_nudge() {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).expect("text");
    assert!(read > 0, "the parent is gone");
}

/// In the consumer: all publishers are gone.
pub(crate) fn tell_folded(fold: &Fold) {
    tell(&format!("{} {}", fold.received(), fold.clients()));
}
