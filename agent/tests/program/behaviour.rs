//! Signals, the status socket and the supervisor, at the program as a process.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::addresses::searched::Searched;
use crate::fake_node::{FakeNode, Guest, Papers, in_time};
use crate::process::program;
use crate::testing::{dot11, heard_at, pcap};

const CLIENT: [u8; 6] = [0x00, 0x1b, 0xc5, 0xd2, 0xe9, 0xa7];

/// An agent that plays a long capture at its pace.
struct Running {
    folder: TempDir,
    child: Child,
    /// Lines of its log.
    log: mpsc::Receiver<String>,
}

impl Running {
    fn start(papers: &Papers, node: &FakeNode, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in ["ca.pem", "agent.pem", "agent.key"]
            .iter()
            .zip(&papers.agent_pem)
        {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        }
        let probe = heard_at(2_437, -60, &dot11(0x40, 0, [[0xff; 6], CLIENT, [0xff; 6]]));
        let frames: Vec<_> = (0..20_000)
            .map(|n| (1_000 + n / 100, n % 100 * 10_000, probe.as_slice()))
            .collect();
        for name in ["long.pcap", "other.pcap"] {
            let capture = pcap(false, 0xa1b2_c3d4, 127, &frames);
            fs::write(folder.path().join(name), capture).expect("written");
        }
        let text = configuration(&node.address().to_string(), "long.pcap", &["2.4"], "");
        let config = folder.path().join("agent.toml");
        fs::write(&config, text).expect("written");
        let mut command: Command = program(&["run", "--config", config.to_str().expect("a path")]);
        let mut child = command
            .envs(environment.iter().copied())
            .spawn()
            .expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("kept"));
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { folder, child, log }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the program runs");
    }

    /// Writes another configuration and has the agent read it.
    fn reload(&self, text: &str) {
        fs::write(self.path("agent.toml"), text).expect("written");
        self.signal(Signal::HUP);
    }

    /// Waits for a line of the log.
    fn logged(&self, part: &str) -> String {
        let mut seen = String::new();
        loop {
            match self.log.recv_timeout(Duration::from_secs(20)) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => seen = seen + &line + "\n",
                Err(error) => panic!("{part:?} is not logged ({error}):\n{seen}"),
            }
        }
    }

    fn status(&self, json: bool) -> String {
        let socket = self.path("agent.sock");
        let mut arguments = vec!["status", "--socket", &socket];
        arguments.extend(json.then_some("--json"));
        let output = program(&arguments).output().expect("the program runs");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(node: &str, capture: &str, bands: &[&str], more: &str) -> String {
    let radio = |band: &&str| format!("[[radio]]\nap = \"ap-1\"\nband = \"{band}\"\n");
    let radios: String = bands.iter().map(radio).collect();
    format!(
        "nodes = [\"{node}\"]\n\
         [identity]\nauthority = \"ca.pem\"\ncertificate = \"agent.pem\"\nkey = \"agent.key\"\n\
         [batching]\nhold_ms = 20\n\
         [status]\nsocket = \"agent.sock\"\n\
         {radios}[[source]]\nkind = \"pcap\"\npath = \"{capture}\"\n{more}"
    )
}

/// Lets the agent leave in good order.
async fn leave(mut running: Running, mut guest: Guest) -> String {
    running.signal(Signal::TERM);
    in_time(guest.settle()).await;
    let code = running.child.wait().expect("the program ends").code();
    let mut out = String::new();
    let mut stdout = running.child.stdout.take().expect("kept");
    stdout.read_to_string(&mut out).expect("text");
    assert_eq!(code, Some(0));
    assert!(
        !Path::new(&running.path("agent.sock")).exists(),
        "the socket is removed"
    );
    out
}

#[tokio::test]
async fn a_hangup_changes_rules_and_refuses_what_is_wrong() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let running = Running::start(&papers, &node, &[]);
    let address = node.address().to_string();
    let guest = in_time(node.welcome(1)).await;
    in_time(guest.datagrams(5)).await;

    running.reload("nodes = 3\n");
    let line = running.logged("the configuration stays as it was");
    assert!(line.contains("line 1"), "{line}");
    in_time(guest.datagrams(5)).await;

    let deny = "[privacy]\ndeny = [\"00:1b:c5\"]\n";
    running.reload(&configuration(&address, "long.pcap", &["2.4"], deny));
    running.logged("configuration read again; the sources are as before");
    // The next frame of the capture is a hundredth of a second away.
    let until = Instant::now() + Duration::from_secs(20);
    while running.status(true).contains("\"denied\":0,") {
        assert!(Instant::now() < until, "the new rule is not followed");
    }

    // Sources are opened anew only when theirs changed; another radio takes another hello.
    running.reload(&configuration(&address, "other.pcap", &["2.4", "5"], ""));
    running.logged("configuration read again; 1 sources opened anew");
    let mut first = guest;
    in_time(first.settle()).await;
    let guest = in_time(node.welcome(2)).await;
    let bands: Vec<_> = guest
        .hello()
        .radios
        .iter()
        .map(|radio| radio.band.as_str())
        .collect();
    assert_eq!(bands, ["2.4", "5"]);
    in_time(guest.datagrams(5)).await;

    running.reload(&configuration(
        "127.0.0.1:9",
        "other.pcap",
        &["2.4", "5"],
        "",
    ));
    let line = running.logged("from the next start only");
    assert!(line.ends_with("nodes"), "{line}");
    leave(running, guest).await;
}

#[tokio::test]
async fn the_status_tells_of_link_sources_rules_and_ledger() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let running = Running::start(&papers, &node, &[]);
    let guest = in_time(node.welcome(7)).await;
    in_time(guest.datagrams(5)).await;
    let json = running.status(true);
    for part in [
        "\"connected\":true",
        "\"session\":7",
        "\"sources\":[{\"frames\":",
        "\"opted_out\":0",
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
    assert!(
        json.contains(&format!("\"address\":\"{}\"", node.address())),
        "{json}"
    );
    let text = running.status(false);
    for part in ["observations offered", "  malformed", "privacy\n", "link\n"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let searched = Searched::new(&[CLIENT]);
    searched.text("the status", (json + &text).as_bytes());
    let mode = fs::metadata(running.path("agent.sock"))
        .expect("a socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    leave(running, guest).await;
}

#[test]
fn without_an_agent_the_status_says_so() {
    let output = program(&["status", "--socket", "/nowhere/agent.sock"]).output();
    let output = output.expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("no agent answers at /nowhere/agent.sock"),
        "{text}"
    );
}

#[tokio::test]
async fn a_supervisor_is_told_that_the_agent_lives() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let supervisor = UnixDatagram::bind(&path).expect("a socket");
    supervisor
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a socket");
    let path = path.display().to_string();
    let environment = [
        ("NOTIFY_SOCKET", path.as_str()),
        ("WATCHDOG_USEC", "200000"),
    ];
    let running = Running::start(&papers, &node, &environment);
    let told = || {
        let mut word = [0; 64];
        let len = supervisor.recv(&mut word).expect("a word in time");
        String::from_utf8_lossy(&word[..len]).into_owned()
    };
    assert_eq!(told(), "READY=1");
    let guest = in_time(node.welcome(1)).await;
    for _ in 0..5 {
        assert_eq!(told(), "WATCHDOG=1");
    }
    leave(running, guest).await;
    let last = std::iter::repeat_with(told).find(|word| word != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
}

#[tokio::test]
async fn an_agent_without_memory_for_its_queues_ends() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let mut running = Running::start(&papers, &node, &[]);
    let guest = in_time(node.welcome(1)).await;
    // Within the limit it runs.
    drop(guest);
    let _ = running.child.kill();
    let text = configuration(
        "127.0.0.1:9",
        "long.pcap",
        &["2.4"],
        "[limits]\nmemory_mib = 8\n",
    );
    let text = text.replace(
        "hold_ms = 20",
        "hold_ms = 20\nqueue_observations_max = 1000000",
    );
    fs::write(running.path("agent.toml"), text).expect("written");
    let config = running.path("agent.toml");
    let output = program(&["run", "--config", &config])
        .output()
        .expect("the program runs");
    assert_ne!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("memory allocation of"), "{text}");
}
