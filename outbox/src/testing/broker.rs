//! Brokers that live as long as a test: NATS with JetStream, Mosquitto, RabbitMQ.

use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a broker may take until it answers; RabbitMQ takes its time on a loaded machine.
const START_PATIENCE: Duration = Duration::from_secs(180);

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broker {
    /// `nats-server` with JetStream.
    Nats,
    /// `mosquitto`, which keeps what it has for those who are away.
    Mosquitto,
    /// `rabbitmq-server`, with a port mapper of its own.
    Rabbit,
}

/// A broker on a random port of the loopback that lets everybody in.
#[derive(Debug)]
pub struct BrokerServer {
    broker: Broker,
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    /// RabbitMQ's ports for its port mapper and other nodes.
    more_ports: [u16; 2],
    mapper: Option<Child>,
    server: Option<Child>,
}

impl BrokerServer {
    /// Starts a broker in a folder below `parent`; says `skipped` and gives nothing where it is not
    /// installed.
    ///
    /// # Errors
    /// A broker that does not answer.
    pub fn start_below(parent: &Path, broker: Broker) -> io::Result<Option<Self>> {
        let (name, more) = match broker {
            Broker::Nats => ("nats-server", "/usr/sbin"),
            Broker::Mosquitto => ("mosquitto", "/usr/sbin"),
            // The one on the path becomes another user.
            Broker::Rabbit => ("rabbitmq-server", "/usr/lib/rabbitmq/bin"),
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::iter::once(PathBuf::from(more)).chain(std::env::split_paths(&path));
        let Some(program) = places.find(|folder| folder.join(name).is_file()) else {
            eprintln!("skipped: no {name} on this machine");
            return Ok(None);
        };
        let folder = parent.join(name);
        fs::create_dir(&folder)?;
        let free =
            || -> io::Result<u16> { Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port()) };
        let mut server = Self {
            broker,
            program: program.join(name),
            folder,
            port: free()?,
            more_ports: [free()?, free()?],
            mapper: None,
            server: None,
        };
        server.start()?;
        Ok(Some(server))
    }

    /// Starts it on the port it had before.
    ///
    /// # Errors
    /// A broker that does not answer within its patience; with the end of its log.
    pub fn start(&mut self) -> io::Result<()> {
        fs::create_dir_all(self.data())?;
        let log = File::options().create(true).append(true).open(self.log())?;
        if self.broker == Broker::Rabbit && self.mapper.is_none() {
            let [mapper, _] = self.more_ports.map(|port| port.to_string());
            let mut epmd = Command::new("epmd");
            epmd.args(["-port", &mapper, "-address", "127.0.0.1"]);
            let quiet = epmd.stdin(Stdio::null()).stdout(Stdio::null());
            self.mapper = Some(quiet.stderr(Stdio::null()).spawn()?);
        }
        let mut command = self.command()?;
        command.current_dir(&self.folder).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        // A script and its children end together.
        let mut child = command.process_group(0).spawn()?;
        let began = Instant::now();
        while !self.answers() {
            let ended = child.try_wait()?;
            if ended.is_some() || began.elapsed() > START_PATIENCE {
                end(&mut child);
                return Err(io::Error::other(format!("{ended:?}; {}", self.log_end())));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.server = Some(child);
        Ok(())
    }

    /// Kills it and all of its processes at once, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.server.take() {
            end(&mut child);
        }
    }

    /// Deletes everything that it keeps; it must not be running.
    ///
    /// # Errors
    /// Files that cannot be deleted.
    ///
    /// # Panics
    /// While it runs.
    pub fn lose_everything(&self) -> io::Result<()> {
        assert!(
            self.server.is_none(),
            "a running broker keeps what is deleted under it"
        );
        fs::remove_dir_all(self.data())
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        let scheme = match self.broker {
            Broker::Nats => "nats",
            Broker::Mosquitto => "mqtt",
            Broker::Rabbit => "amqp",
        };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    fn command(&self) -> io::Result<Command> {
        let mut command = Command::new(&self.program);
        let port = self.port.to_string();
        match self.broker {
            Broker::Nats => {
                command.args(["-a", "127.0.0.1", "-p", &port, "-js", "-sd"]);
                command.arg(self.data());
            }
            Broker::Mosquitto => {
                let config = self.folder.join("mosquitto.conf");
                let data = self.data();
                let text = format!(
                    "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n\
                     persistence_location {}/\nuser root\n",
                    data.display()
                );
                fs::write(&config, text)?;
                command.arg("-c").arg(config);
            }
            Broker::Rabbit => {
                let plugins = self.folder.join("plugins");
                fs::write(&plugins, "[].\n")?;
                let [mapper, others] = self.more_ports.map(|port| port.to_string());
                command
                    .env("HOME", &self.folder)
                    .env("ERL_EPMD_PORT", mapper)
                    .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
                    .env("RABBITMQ_CONFIG_FILE", self.folder.join("none"))
                    .env("RABBITMQ_ENABLED_PLUGINS_FILE", plugins)
                    .env("RABBITMQ_NODENAME", format!("rabbit{port}@localhost"))
                    .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
                    .env("RABBITMQ_NODE_PORT", &port)
                    .env("RABBITMQ_DIST_PORT", others)
                    .env("RABBITMQ_MNESIA_BASE", self.data())
                    .env("RABBITMQ_MNESIA_DIR", self.data().join("mnesia"))
                    .env("RABBITMQ_LOG_BASE", &self.folder)
                    .env("RABBITMQ_PID_FILE", self.folder.join("pid"))
                    .env("RABBITMQ_FEATURE_FLAGS_FILE", self.data().join("flags"))
                    .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none");
            }
        }
        Ok(command)
    }

    /// Whether it speaks: RabbitMQ listens before it does.
    fn answers(&self) -> bool {
        use io::{Read as _, Write as _};
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let hello: &[u8] = match self.broker {
            Broker::Nats => b"",
            Broker::Mosquitto => &[
                0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0, 0, 2, b'h', b'i',
            ],
            Broker::Rabbit => b"AMQP\0\0\x09\x01",
        };
        let heard = stream
            .set_read_timeout(Some(Duration::from_secs(2)))
            .and_then(|()| stream.write_all(hello))
            .and_then(|()| stream.read(&mut [0; 16]));
        heard.is_ok_and(|count| count > 0)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn log_end(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().rev().take(6).collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for BrokerServer {
    fn drop(&mut self) {
        self.kill();
        if let Some(mut mapper) = self.mapper.take() {
            // One that is gone already is what was wanted.
            let _ = mapper.kill();
            let _ = mapper.wait();
        }
    }
}

fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        // One that is gone already is what was wanted.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}
