use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::*;

const SECOND_US: u64 = 1_000_000;

/// Plays hostapd.
struct Fake {
    folder: tempfile::TempDir,
    socket: Option<UnixDatagram>,
    attached: Option<SocketAddr>,
    freq_mhz: u16,
    /// Last octet of the address, signal, milliseconds without a word.
    clients: Vec<(u8, i32, u32)>,
    silent: bool,
    commands: Vec<String>,
}

fn address(last: u8) -> String {
    format!("02:00:00:00:00:{last:02x}")
}

impl Fake {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            socket: None,
            attached: None,
            freq_mhz: 5_180,
            clients: Vec::new(),
            silent: false,
            commands: Vec::new(),
        }
    }

    fn start(mut self) -> Self {
        self.restart();
        self
    }

    fn restart(&mut self) {
        self.stop();
        let socket = UnixDatagram::bind(self.folder.path().join("wlan0")).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        self.socket = Some(socket);
    }

    fn stop(&mut self) {
        self.socket = None;
        self.attached = None;
        let _ = std::fs::remove_file(self.folder.path().join("wlan0"));
    }

    fn event(&self, text: &str) {
        let (Some(socket), Some(to)) = (&self.socket, &self.attached) else {
            panic!("nobody is attached");
        };
        socket
            .send_to_addr(text.as_bytes(), to)
            .expect("the source listens");
    }

    /// Answers all commands; whether there were any.
    fn serve(&mut self) -> bool {
        let mut any = false;
        let mut command = [0; 200];
        while let Some(socket) = &self.socket
            && let Ok((len, from)) = socket.recv_from(&mut command)
        {
            any = true;
            let command = String::from_utf8_lossy(&command[..len]).into_owned();
            let answer = self.answer(&command);
            if command == "ATTACH" {
                self.attached = Some(from.clone());
            }
            self.commands.push(command);
            if let (false, Some(socket)) = (self.silent, &self.socket) {
                // A source that is gone does not matter.
                let _ = socket.send_to_addr(answer.as_bytes(), &from);
            }
        }
        any
    }

    fn answer(&self, command: &str) -> String {
        let row = |(last, signal, inactive): &(u8, i32, u32)| {
            let address = address(*last);
            format!("{address}\nflags=[AUTH][ASSOC]\nsignal={signal}\ninactive_msec={inactive}\n")
        };
        match command.split_once(' ') {
            None if command == "ATTACH" || command == "DETACH" => "OK\n".to_owned(),
            None if command == "STATUS" => format!("state=ENABLED\nfreq={}\n", self.freq_mhz),
            None if command == "STA-FIRST" => self.clients.first().map(row).unwrap_or_default(),
            Some(("STA-NEXT", before)) => {
                let at = self
                    .clients
                    .iter()
                    .position(|client| address(client.0) == before);
                at.and_then(|at| self.clients.get(at + 1))
                    .map(row)
                    .unwrap_or_default()
            }
            _ => panic!("{command}"),
        }
    }

    fn source(&self) -> HostapdSource {
        let radio = |band: &str| RadioHello {
            ap: "ap".parse().expect("name"),
            band: band.to_owned(),
        };
        HostapdSource::new(HostapdOptions {
            folder: self.folder.path().to_owned(),
            interface: "wlan0".to_owned(),
            radios: vec![radio("2.4"), radio("5")],
            interval: Duration::from_secs(1),
        })
    }
}

/// Lets both speak until the source waits for time to pass.
fn poll(source: &mut HostapdSource, fake: &mut Fake, now_us: u64) -> Vec<Heard> {
    let mut heard = Vec::new();
    loop {
        let drained = source
            .drain(now_us, 1_000, &mut |one| heard.push(one))
            .expect("it stands");
        assert!(
            matches!(drained, Drained::NextAt(at_us) if at_us > now_us),
            "{drained:?}"
        );
        if !fake.serve() {
            return heard;
        }
    }
}

fn told(heard: &Heard) -> (u8, u8, u8, Option<i8>, Kind, u64, bool) {
    let Transmitter::Address(address) = heard.from else {
        panic!("a client has an address");
    };
    let last = address.octets()[5];
    let (kind, at_us) = (heard.kind, heard.heard_at_us);
    (
        last,
        heard.radio,
        heard.channel,
        heard.rssi_dbm,
        kind,
        at_us,
        heard.associated,
    )
}

#[test]
fn the_table_is_walked_and_each_client_told_once() {
    let mut fake = Fake::new().start();
    fake.clients = vec![(1, -50, 100), (2, -60, 5_000), (3, 0, 10)];
    let mut source = fake.source();
    let heard = poll(&mut source, &mut fake, 10 * SECOND_US);
    assert_eq!(heard.len(), 1);
    let expected = (1, 1, 36, Some(-50), Kind::Data, 9_900_000, true);
    assert_eq!(told(&heard[0]), expected);
    let health = source.health();
    assert_eq!(
        (health.frames, health.stale, health.without_signal),
        (3, 1, 1)
    );
    // Silent since; then heard again.
    fake.clients = vec![(1, -50, 1_100)];
    assert!(poll(&mut source, &mut fake, 11 * SECOND_US).is_empty());
    fake.clients = vec![(1, -55, 0)];
    assert_eq!(poll(&mut source, &mut fake, 12 * SECOND_US).len(), 1);
    assert!(!fake.commands.is_empty() && source.watermark_us() == 12 * SECOND_US);
    // Only what changes nothing was asked.
    let harmless = ["ATTACH", "STATUS", "STA-FIRST", "STA-NEXT"];
    let is_harmless = |command: &String| harmless.iter().any(|known| command.starts_with(known));
    assert!(fake.commands.iter().all(is_harmless), "{:?}", fake.commands);
}

#[test]
fn probes_are_heard_as_they_come_and_new_clients_at_once() {
    let mut fake = Fake::new().start();
    let mut source = fake.source();
    poll(&mut source, &mut fake, 10 * SECOND_US);
    fake.event(&format!("<3>RX-PROBE-REQUEST sa={} signal=-71", address(9)));
    fake.event(&format!("<3>RX-PROBE-REQUEST sa={}", address(9)));
    fake.clients = vec![(1, -50, 0)];
    fake.event(&format!("<3>AP-STA-CONNECTED {}", address(1)));
    fake.event("<3>AP-STA-");
    let now_us = 10 * SECOND_US + 5_000;
    let heard = poll(&mut source, &mut fake, now_us);
    assert_eq!(heard.len(), 2);
    let expected = (9, 1, 36, Some(-71), Kind::Probe, now_us, false);
    assert_eq!(told(&heard[0]), expected);
    assert_eq!(told(&heard[1]).0, 1);
    assert_eq!(source.health().without_signal, 1);
    // One that leaves and comes back is new.
    fake.event(&format!("<3>AP-STA-DISCONNECTED {}", address(1)));
    fake.event(&format!("<3>AP-STA-CONNECTED {}", address(1)));
    assert_eq!(poll(&mut source, &mut fake, now_us + 1).len(), 1);
}

#[test]
fn hostapd_that_comes_goes_and_comes_back_is_attached_to() {
    let mut fake = Fake::new();
    let mut source = fake.source();
    poll(&mut source, &mut fake, 0);
    let notice = source.health().notice.expect("it is missing");
    assert!(notice.contains("see that hostapd runs"), "{notice}");
    let mut now_us = 0;
    for restarts in 0..3 {
        fake.restart();
        fake.clients = vec![(1, -50, 0)];
        now_us += 60 * SECOND_US;
        assert_eq!(poll(&mut source, &mut fake, now_us).len(), 1);
        let health = source.health();
        assert_eq!((health.restarts, health.notice), (restarts, None));
        // It says goodbye, or just goes.
        if restarts == 0 {
            fake.event("<3>CTRL-EVENT-TERMINATING ");
        } else {
            fake.stop();
        }
        now_us += SECOND_US;
        poll(&mut source, &mut fake, now_us);
        assert!(source.fd().is_none() && source.health().notice.is_some());
    }
}

#[test]
fn hostapd_that_does_not_answer_is_attached_to_anew() {
    let mut fake = Fake::new().start();
    let mut source = fake.source();
    fake.silent = true;
    poll(&mut source, &mut fake, 0);
    assert!(source.fd().is_some());
    let until_us = HOSTAPD_ANSWER_MAX.as_micros() as u64;
    poll(&mut source, &mut fake, until_us);
    assert!(
        source
            .health()
            .notice
            .expect("no answer")
            .contains("no answer")
    );
    assert_eq!(fake.commands, ["ATTACH", "DETACH"]);
}

#[test]
fn a_table_that_never_ends_is_left() {
    let mut fake = Fake::new().start();
    // The same address again and again: what follows it is itself.
    fake.clients = vec![(1, -50, 0), (2, -50, 0), (1, -50, 0)];
    let mut source = fake.source();
    poll(&mut source, &mut fake, 0);
    assert_eq!(source.health().frames, HOSTAPD_CLIENTS_MAX as u64);
    assert_eq!(source.step, Step::Idle);
}

#[test]
fn a_flood_is_taken_in_bounded_looks() {
    let mut fake = Fake::new().start();
    let mut source = fake.source();
    poll(&mut source, &mut fake, 0);
    let probe = format!("<3>RX-PROBE-REQUEST sa={} signal=-71", address(9));
    let mut sent = 0;
    for _ in 0..20 {
        // A socket holds only so many datagrams; the kernel refuses more.
        for _ in 0..5 {
            fake.event(&probe);
            sent += 1;
        }
        let drained = source.drain(1, 2, &mut |_| {}).expect("it stands");
        assert_eq!(drained, Drained::More);
        source.drain(1, 100, &mut |_| {}).expect("it stands");
    }
    assert_eq!(source.health().heard, sent);
}

#[test]
fn a_short_queue_is_read_more_often() {
    assert_eq!(wait_max(10), Duration::from_millis(10));
    assert_eq!(wait_max(512), LOOK_INTERVAL_MAX);
    assert_eq!(wait_max(0), LOOK_INTERVAL_MIN);
}
