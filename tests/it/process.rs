//! Programs as their users run them: a node and agents in a folder of their own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test gives up on it, on a machine that has much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// A folder with an authority, a site and configurations.
pub(crate) struct Folder {
    dir: TempDir,
    quic_port: u16,
}

impl Folder {
    /// With an authority, the example hall, and a node that listens on a free port of loopback.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hall = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sites/hall.toml");
        fs::copy(hall, dir.path().join("hall.toml")).unwrap();
        let folder = Self {
            dir,
            quic_port: free_port(),
        };
        folder.run_node_command(&["ca", "init"]);
        folder.write("node.toml", &folder.node_toml());
        folder
    }

    fn node_toml(&self) -> String {
        format!(
            "state_dir = \"state\"\nruntime_dir = \"run\"\n\
             [quic]\nlisten = \"127.0.0.1:{}\"\nauthority = \"pki/ca.pem\"\n\
             certificate = \"pki/node.pem\"\nkey = \"pki/node.key\"\n\
             [http]\nlisten = \"127.0.0.1:0\"\n[messages]\nlisten = \"127.0.0.1:0\"\n\
             [[site]]\nfile = \"hall.toml\"\n",
            self.quic_port
        )
    }

    /// Configures an agent of the hall that hears a simulated world, with a certificate of the
    /// authority in `pki`.
    pub(crate) fn configure_agent(&self, agent: &str, pki: &str) -> PathBuf {
        self.run_node_command(&[
            "ca", "issue", "--agent", agent, "--site", "hall", "--dir", pki,
        ]);
        let config = format!(
            "nodes = [\"127.0.0.1:{}\"]\nserver_name = \"localhost\"\n\
             [identity]\nauthority = \"pki/ca.pem\"\n\
             certificate = \"{pki}/agents/{agent}.pem\"\nkey = \"{pki}/agents/{agent}.key\"\n\
             [[source]]\nkind = \"synthetic\"\nsite = \"hall.toml\"\nagent = \"{agent}\"\n\
             clients = 20\n",
            self.quic_port
        );
        self.write(&format!("{agent}.toml"), &config)
    }

    pub(crate) fn run_node_command(&self, args: &[&str]) -> Output {
        let output = self.command(NODE).args(args).output().unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    /// A file or folder in this one.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where the node listens for agents.
    pub(crate) fn quic_port(&self) -> u16 {
        self.quic_port
    }

    /// The node listens on this port from its next start on.
    pub(crate) fn move_node(&mut self, port: u16) {
        self.quic_port = port;
        self.write("node.toml", &self.node_toml());
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

/// A port of loopback on which nobody listens now.
pub(crate) fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

/// The node's program.
pub(crate) const NODE: &str = env!("CARGO_BIN_EXE_node-under-test");

/// The agent's program.
pub(crate) const AGENT: &str = env!("CARGO_BIN_EXE_agent-under-test");

/// A child process that is killed, at the latest, when the test is over.
pub(crate) struct Running {
    child: Child,
    stderr: Option<std::thread::JoinHandle<String>>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it was built");
        let mut pipe = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = pipe.read_to_string(&mut text);
            text
        });
        Self {
            child,
            stderr: Some(stderr),
        }
    }

    /// `kill -9`: no farewell.
    pub(crate) fn kill(&mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.stderr()
    }

    /// Sends a signal, named as `kill` names it.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(told.unwrap().success());
    }

    /// SIGTERM: the program leaves in good order. Its exit status and what it said on stderr.
    pub(crate) fn terminate(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        (status, self.stderr())
    }

    /// Memory that the process occupies now.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let size = line.and_then(|line| line.trim().strip_suffix(" kB"));
        size.and_then(|kib| kib.parse().ok())
            .unwrap_or_else(|| panic!("no VmRSS in {status}"))
    }

    fn stderr(&mut self) -> String {
        self.stderr
            .take()
            .map(|thread| thread.join().unwrap())
            .unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running node and where it serves HTTP.
pub(crate) struct NodeProcess {
    pub(crate) process: Running,
    http: String,
    messages: String,
}

impl NodeProcess {
    /// Starts `serve` and waits until it says that it is ready.
    pub(crate) fn start(folder: &Folder) -> Self {
        Self::start_with(folder, &[])
    }

    /// The same with further arguments.
    pub(crate) fn start_with(folder: &Folder, more: &[&str]) -> Self {
        let mut command = folder.command(NODE);
        command.args(["serve", "--config", "node.toml"]).args(more);
        let mut process = Running::start(command);
        let mut line = String::new();
        BufReader::new(process.child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("no ready line but {line:?}: {}", process.stderr()));
        Self {
            http: ready["http"].as_str().unwrap().to_owned(),
            messages: ready["messages"].as_str().unwrap().to_owned(),
            process,
        }
    }

    /// Address of its HTTP listener.
    pub(crate) fn http(&self) -> &str {
        &self.http
    }

    /// Address of its listener of messages.
    pub(crate) fn messages(&self) -> &str {
        &self.messages
    }

    /// Reads a JSON resource.
    pub(crate) fn get(&self, path: &str) -> Value {
        get(&self.http, path)
    }

    /// Reads one of the listener of messages.
    pub(crate) fn get_messages(&self, path: &str) -> Value {
        get(&self.messages, path)
    }

    /// Observations folded so far.
    pub(crate) fn folded(&self) -> u64 {
        self.get("/api/v1/ledger")["total"]["folded"]["observations"]
            .as_u64()
            .unwrap()
    }

    /// Waits until more than so many observations are folded.
    pub(crate) fn wait_for_folded_above(&self, observations: u64) {
        let began = Instant::now();
        while self.folded() <= observations {
            assert!(
                began.elapsed() < PATIENCE,
                "nothing is folded: {}",
                self.get("/api/v1/ledger")
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn get(address: &str, path: &str) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let json = &body[body.find('{').unwrap()..=body.rfind('}').unwrap()];
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {answer}"))
}

/// Starts an agent by its configuration.
pub(crate) fn start_agent(folder: &Folder, config: &Path) -> Running {
    let mut command = folder.command(AGENT);
    command.arg("run").arg("--config").arg(config);
    Running::start(command)
}
