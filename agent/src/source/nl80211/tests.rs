mod ranging;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc;

use wire::Kind;

use super::*;
use crate::netlink::{Answer, Attributes, Messages, controller};
use crate::nl80211::attribute;
use crate::source::Transmitter;
use crate::testing::kernel::{Row, Told, done};

const FAMILY: u16 = 28;
const SECOND_US: u64 = 1_000_000;
const NO_SUCH_DEVICE: i32 = -19;

/// Plays the kernel at the other end of the source's socket.
struct Kernel {
    socket: UnixDatagram,
    to_source: mpsc::Sender<OwnedFd>,
    has_family: bool,
    interfaces: Vec<(u32, &'static str, u32, u32)>,
    /// Rows of an interface, or the error that it gives.
    stations: Vec<(u32, Result<Vec<Row>, i32>)>,
    noise_dbm: Option<i8>,
    /// Dumps of interfaces that are still to be interrupted, and those that were asked for.
    interruptions: u32,
    interface_dumps: u32,
}

impl Kernel {
    fn new() -> (Self, mpsc::Receiver<OwnedFd>) {
        let (to_source, sockets) = mpsc::channel();
        let mut kernel = Self {
            socket: UnixDatagram::unbound().expect("a socket"),
            to_source,
            has_family: true,
            interfaces: vec![(7, "wlan0", 3, 2_437), (8, "wlan1", 3, 5_180)],
            stations: Vec::new(),
            noise_dbm: Some(-95),
            interruptions: 0,
            interface_dumps: 0,
        };
        kernel.restart();
        (kernel, sockets)
    }

    /// Breaks the socket; another one waits for the source.
    fn restart(&mut self) {
        let (own, other) = UnixDatagram::pair().expect("a pair of sockets");
        own.set_nonblocking(true).expect("a socket");
        other.set_nonblocking(true).expect("a socket");
        self.socket = own;
        self.to_source
            .send(other.into())
            .expect("the test holds it");
    }

    /// Answers all requests; whether there were any.
    fn serve(&mut self) -> bool {
        let mut request = [0; 1_024];
        let mut any = false;
        while let Ok(len) = self.socket.recv(&mut request) {
            any = true;
            let sequence = Messages::new(&request[..len])
                .next()
                .expect("a request")
                .sequence;
            // Two messages to a datagram, as the kernel packs them.
            let answer = self.answer(&request[..len], sequence);
            for datagram in answer.chunks(2) {
                self.socket
                    .send(&datagram.concat())
                    .expect("the source listens");
            }
        }
        any
    }

    fn answer(&mut self, request: &[u8], sequence: u32) -> Vec<Vec<u8>> {
        let Some(Answer::Row {
            family,
            command,
            attributes,
        }) = Messages::new(request).next().map(|message| message.answer)
        else {
            panic!("no request");
        };
        let interface = attributes
            .find(attribute::IFINDEX)
            .and_then(|index| index.u32());
        let (rows, code) = match (family, command) {
            (controller::FAMILY, _) if self.has_family => (vec![family_row()], 0),
            (controller::FAMILY, _) => (Vec::new(), -2),
            (FAMILY, command::GET_INTERFACE) => {
                self.interface_dumps += 1;
                (self.interface_rows(), 0)
            }
            (FAMILY, command::GET_SURVEY) => (self.survey_rows(interface), 0),
            (FAMILY, command::GET_STATION) => self.station_rows(interface),
            other => panic!("a request for {other:?}"),
        };
        let mut answer: Vec<_> = rows.iter().map(|row| row.bytes(FAMILY, sequence)).collect();
        if command == command::GET_INTERFACE && self.interruptions > 0 {
            self.interruptions -= 1;
            // The flags of the last row.
            answer.last_mut().expect("a row")[6] |= 0x10;
        }
        answer.push(done(sequence, code));
        answer
    }

    fn interface_rows(&self) -> Vec<Row> {
        let row = |(index, name, kind, freq): &(u32, &'static str, u32, u32)| {
            Row::interface(
                *index,
                name,
                *kind,
                [0, 0, 0, 0, 0, *index as u8],
                Some(*freq),
            )
        };
        self.interfaces.iter().map(row).collect()
    }

    fn survey_rows(&self, interface: Option<u32>) -> Vec<Row> {
        let freq = |index| {
            self.interfaces
                .iter()
                .find(|one| Some(one.0) == index)
                .map(|one| one.3)
        };
        vec![
            Row::survey(2_412, Some(-80), false),
            Row::survey(freq(interface).unwrap_or(2_412), self.noise_dbm, true),
        ]
    }

    fn station_rows(&mut self, interface: Option<u32>) -> (Vec<Row>, i32) {
        let is_there = self.interfaces.iter().any(|one| Some(one.0) == interface);
        let at = self
            .stations
            .iter()
            .position(|one| Some(one.0) == interface);
        match at.map(|at| self.stations.remove(at).1) {
            Some(Ok(rows)) => (rows, 0),
            Some(Err(code)) => (Vec::new(), code),
            None if is_there => (Vec::new(), 0),
            None => (Vec::new(), NO_SUCH_DEVICE),
        }
    }
}

fn family_row() -> Row {
    Row::new(1, |row| {
        row.add(controller::ATTRIBUTE_FAMILY_ID, &FAMILY.to_ne_bytes())
    })
}

fn client(number: u8, told: &[Told<'_>]) -> Row {
    Row::station([2, 0, 0, 0, 0, number], told)
}

fn source(interfaces: &[&str], sockets: mpsc::Receiver<OwnedFd>) -> StationsSource {
    let radio = |band: &str| RadioHello {
        ap: "ap".parse().expect("name"),
        band: band.to_owned(),
    };
    let options = StationsOptions {
        interfaces: interfaces.iter().map(|name| (*name).to_owned()).collect(),
        radios: vec![radio("2.4"), radio("5")],
        interval: Duration::from_secs(1),
        ranging: None,
    };
    let connect = move || {
        let socket = sockets.try_recv().map_err(io::Error::other)?;
        Ok(NetlinkSocket::of(socket))
    };
    StationsSource::with_connect(options, Box::new(connect))
}

/// Lets the source and the kernel speak until the source waits for time to pass.
fn poll(source: &mut StationsSource, kernel: &mut Kernel, now_us: u64) -> Vec<Heard> {
    let mut heard = Vec::new();
    loop {
        let drained = source
            .drain(now_us, 1_000, &mut |one| heard.push(one))
            .expect("it stands");
        assert!(
            matches!(drained, Drained::NextAt(at_us) if at_us > now_us),
            "{drained:?}"
        );
        if !kernel.serve() {
            return heard;
        }
    }
}

fn number(heard: &Heard) -> u8 {
    match heard.from {
        Transmitter::Address(address) => address.octets()[5],
        Transmitter::Client(_) => panic!("a station has an address"),
    }
}

#[test]
fn clients_of_all_access_points_are_heard_when_they_spoke_last() {
    let (mut kernel, sockets) = Kernel::new();
    kernel.interfaces.push((9, "wlan2", 2, 2_437));
    let first = [
        Told::Signal(-60),
        Told::SignalAverage(-62),
        Told::Inactive(100),
    ];
    let second = [Told::Signal(-70), Told::Associated(false)];
    kernel.stations = vec![
        (7, Ok(vec![client(1, &first)])),
        (
            8,
            Ok(vec![client(2, &second), client(3, &[Told::Inactive(5)])]),
        ),
    ];
    let mut source = source(&[], sockets);
    let heard = poll(&mut source, &mut kernel, 10 * SECOND_US);
    let told = |heard: &Heard| {
        let of_radio = (heard.radio, heard.channel, heard.noise_dbm);
        (
            number(heard),
            of_radio,
            heard.rssi_dbm,
            heard.kind,
            heard.heard_at_us,
            heard.associated,
        )
    };
    assert_eq!(heard.len(), 2);
    let expected = (
        1,
        (0, 6, Some(-95)),
        Some(-62),
        Kind::Average,
        9_900_000,
        true,
    );
    assert_eq!(told(&heard[0]), expected);
    let expected = (
        2,
        (1, 36, Some(-95)),
        Some(-70),
        Kind::Data,
        10_000_000,
        false,
    );
    assert_eq!(told(&heard[1]), expected);
    let health = source.health();
    assert_eq!(
        (health.frames, health.heard, health.without_signal),
        (3, 2, 1)
    );
    assert_eq!((health.notice, health.restarts), (None, 0));
    assert_eq!(source.networks().count(), 2);
    assert_eq!(source.watermark_us(), 10 * SECOND_US);
}

#[test]
fn a_row_that_says_nothing_new_is_not_sent_again() {
    let (mut kernel, sockets) = Kernel::new();
    let mut source = source(&["wlan0"], sockets);
    let mut heard_at = |second: u64, inactive_ms| {
        let told = [Told::Signal(-60), Told::Inactive(inactive_ms)];
        kernel.stations = vec![(7, Ok(vec![client(1, &told)]))];
        poll(&mut source, &mut kernel, second * SECOND_US).len()
    };
    assert_eq!(heard_at(10, 300), 1);
    assert_eq!(heard_at(11, 1_300), 0);
    assert_eq!(heard_at(12, 2_300), 0);
    assert_eq!(heard_at(13, 0), 1);
    // Nothing is asked before the interval is over.
    assert_eq!(heard_at(13, 0), 0);
    assert_eq!((source.health().stale, source.health().heard), (2, 2));
}

#[test]
fn an_interface_that_goes_and_comes_back_is_polled_again() {
    let (mut kernel, sockets) = Kernel::new();
    let mut source = source(&["wlan0", "wlan1"], sockets);
    let row = || Ok(vec![client(1, &[Told::Signal(-60)])]);
    poll(&mut source, &mut kernel, 10 * SECOND_US);
    assert_eq!(source.health().notice, None);
    let wlan0 = kernel.interfaces.remove(0);
    kernel.stations = vec![(8, row())];
    // The other one is heard all the same.
    assert_eq!(poll(&mut source, &mut kernel, 11 * SECOND_US).len(), 1);
    poll(&mut source, &mut kernel, 12 * SECOND_US);
    let notice = source.health().notice.expect("it is missing");
    assert!(
        notice.starts_with("source nl80211: wlan0: not there"),
        "{notice}"
    );
    kernel.interfaces.push((12, wlan0.1, wlan0.2, wlan0.3));
    kernel.stations = vec![(12, row())];
    assert_eq!(poll(&mut source, &mut kernel, 30 * SECOND_US).len(), 1);
    assert_eq!(source.health().notice, None);
}

#[test]
fn an_interface_made_anew_under_its_name_counts_as_a_restart() {
    let (mut kernel, sockets) = Kernel::new();
    let mut source = source(&[], sockets);
    poll(&mut source, &mut kernel, 10 * SECOND_US);
    kernel.interfaces[0].0 = 70;
    kernel.stations = vec![(70, Ok(vec![client(1, &[Told::Signal(-60)])]))];
    poll(&mut source, &mut kernel, 11 * SECOND_US);
    assert_eq!(poll(&mut source, &mut kernel, 12 * SECOND_US).len(), 1);
    assert_eq!(source.health().restarts, 1);
}

#[test]
fn a_socket_that_breaks_is_opened_again() {
    let (mut kernel, sockets) = Kernel::new();
    let mut source = source(&[], sockets);
    poll(&mut source, &mut kernel, 10 * SECOND_US);
    kernel.restart();
    let heard = poll(&mut source, &mut kernel, 11 * SECOND_US);
    assert!(heard.is_empty() && source.fd().is_none());
    assert!(source.health().notice.is_some());
    kernel.stations = vec![(7, Ok(vec![client(1, &[Told::Signal(-60)])]))];
    assert_eq!(poll(&mut source, &mut kernel, 20 * SECOND_US).len(), 1);
    let health = source.health();
    assert_eq!((health.restarts, health.notice), (1, None));
}

#[test]
fn a_kernel_that_does_not_answer_is_asked_anew() {
    let (kernel, sockets) = Kernel::new();
    let mut source = source(&[], sockets);
    let mut drain = |now_us| source.drain(now_us, 9, &mut |_| {}).expect("it stands");
    let until_us = NETLINK_ANSWER_MAX.as_micros() as u64;
    assert_eq!(drain(0), Drained::NextAt(until_us));
    assert!(matches!(drain(until_us), Drained::NextAt(at_us) if at_us > until_us));
    let notice = source.health().notice.expect("no answer");
    assert_eq!(notice, "source nl80211: the kernel does not answer");
    drop(kernel);
}

#[test]
fn a_kernel_without_wifi_says_so() {
    let (mut kernel, sockets) = Kernel::new();
    kernel.has_family = false;
    let mut source = source(&[], sockets);
    poll(&mut source, &mut kernel, 0);
    let notice = source.health().notice.expect("no family");
    assert!(notice.contains("this kernel has no Wi-Fi"), "{notice}");
    kernel.has_family = true;
    kernel.interfaces.clear();
    kernel.restart();
    poll(&mut source, &mut kernel, SECOND_US);
    let notice = source.health().notice.expect("no access point");
    assert!(
        notice.contains("no interface of this device is an access point"),
        "{notice}"
    );
}

#[test]
fn no_more_is_given_out_than_there_is_room() {
    let (mut kernel, sockets) = Kernel::new();
    let rows = (0..10).map(|n| client(n, &[Told::Signal(-60)])).collect();
    kernel.stations = vec![(7, Ok(rows))];
    let mut source = source(&["wlan0"], sockets);
    let mut heard = Vec::new();
    loop {
        let before = heard.len();
        let drained = source
            .drain(0, 3, &mut |one| heard.push(number(&one)))
            .expect("it stands");
        assert!(heard.len() - before <= 3);
        if drained != Drained::More && !kernel.serve() {
            break;
        }
    }
    assert!(heard.into_iter().eq(0..10));
}

#[test]
fn an_interrupted_list_of_interfaces_is_read_again_but_not_for_ever() {
    let (mut kernel, sockets) = Kernel::new();
    kernel.interruptions = 1;
    let mut source = source(&[], sockets);
    poll(&mut source, &mut kernel, 0);
    assert_eq!((kernel.interface_dumps, source.cells.len()), (2, 2));
    kernel.interruptions = u32::MAX;
    kernel.interface_dumps = 0;
    poll(&mut source, &mut kernel, 60 * SECOND_US);
    assert_eq!(
        (kernel.interface_dumps, source.cells.len()),
        (INTERFACE_DUMPS_MAX, 2)
    );
}

#[test]
fn rows_without_an_address_are_malformed_and_late_answers_passed_over() {
    let (mut kernel, sockets) = Kernel::new();
    let mut source = source(&["wlan0"], sockets);
    let bare = Row::new(command::NEW_STATION, |row| {
        row.add_u32(attribute::IFINDEX, 7)
    });
    let late = client(9, &[Told::Signal(-60)]).bytes(FAMILY, 0x7fff_ffff);
    kernel.stations = vec![(7, Ok(vec![bare, client(1, &[Told::Signal(-60)])]))];
    kernel.socket.send(&late).expect("the source listens");
    kernel
        .socket
        .send(b"no message")
        .expect("the source listens");
    let heard = poll(&mut source, &mut kernel, 0);
    assert!(heard.len() == 1 && number(&heard[0]) == 1);
    assert_eq!((source.health().malformed, source.health().frames), (1, 2));
}

#[test]
fn the_real_kernel_tells_its_families() {
    let mut dialogue = Dialogue::new(NetlinkSocket::open().expect("generic netlink"));
    let answer = |dialogue: &mut Dialogue| {
        let mut families = Vec::new();
        // The kernel answers before the request is over.
        while let Some(message) = dialogue.next().expect("no error") {
            match message.answer {
                Answer::Row { attributes, .. } => families.push(family(attributes)),
                Answer::Done(result) => return (families, result),
                other => panic!("{other:?}"),
            }
        }
        panic!("no end");
    };
    let ask = |dialogue: &mut Dialogue, name: &str| {
        let asked = dialogue.ask(|bytes, number| nl80211::get_family(bytes, number, name));
        asked.expect("a request");
    };
    ask(&mut dialogue, "nlctrl");
    assert_eq!(
        answer(&mut dialogue),
        (vec![Some(("nlctrl".to_owned(), 16))], Ok(()))
    );
    ask(&mut dialogue, "nosuchfamily");
    assert_eq!(answer(&mut dialogue), (Vec::new(), Err(NO_SUCH_FAMILY)));
    let all = controller::GET_FAMILY;
    let asked = dialogue.ask(|bytes, number| nl80211::dump(bytes, 16, number, all, None));
    asked.expect("a request");
    let (families, result) = answer(&mut dialogue);
    assert!(result.is_ok() && families.contains(&Some(("nlctrl".to_owned(), 16))));
}

fn family(attributes: Attributes<'_>) -> Option<(String, u16)> {
    let name = attributes.find(controller::ATTRIBUTE_FAMILY_NAME)?.text()?;
    Some((name.to_owned(), nl80211::family(attributes)?))
}

#[test]
fn the_source_stands_on_this_machine_with_or_without_wifi() {
    let options = StationsOptions {
        interfaces: Vec::new(),
        radios: Vec::new(),
        interval: Duration::from_secs(1),
        ranging: None,
    };
    let mut source = StationsSource::open(options).expect("generic netlink");
    let drained = source.drain(0, 9, &mut |_| {}).expect("it stands");
    assert!(
        matches!(drained, Drained::NextAt(at_us) if at_us > 0),
        "{drained:?}"
    );
}
