//! Arbitrary values of everything that travels.

use proptest::option;
use proptest::prelude::*;
use wire::batch::{Header, SHORT_AGE_MS_MAX, SHORT_ID_MAX};
use wire::frame::{
    AgentDrops, Clock, Configure, Counted, Counters, Define, Defined, Hello, PseudonymKey,
    RadioHello, Report, SessionEnd, Welcome,
};
use wire::recording::Entry;
use wire::{
    AccessPoint, AgentName, ApName, Bssid, ClientId, ClientName, Frame, Kind, Observation, Range,
    Session, SiteName,
};

/// Up to `bytes_max` arbitrary bytes.
pub(crate) fn bytes(bytes_max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=bytes_max)
}

/// Datagrams as a recording holds them: any bytes.
pub(crate) fn datagrams() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(bytes(300), 1..6)
}

/// Numbers of every width that MessagePack has.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64_u32).prop_map(|(number, shift)| number >> shift)
}

/// A header whose clock has room for the oldest age.
pub(crate) fn header() -> impl Strategy<Value = Header> {
    let sent_us = number().prop_map(|us| us.max(70_000_000));
    (number(), number(), number(), sent_us, 0..255_u8).prop_map(
        |(session, sequence, first_observation, sent_us, radio)| Header {
            session: Session(session),
            sequence,
            first_observation,
            sent_us,
            radio,
        },
    )
}

/// A header and one or more observations that it can carry without rounding.
pub(crate) fn observations(count_max: usize) -> impl Strategy<Value = (Header, Vec<Observation>)> {
    header().prop_flat_map(move |header| {
        (
            Just(header),
            prop::collection::vec(observation(header), 1..=count_max),
        )
    })
}

/// The simplest observation of a header's radio.
pub(crate) fn plain_observation(header: &Header) -> Observation {
    Observation {
        client: ClientId(1),
        heard_at_us: header.sent_us,
        radio: header.radio,
        rssi_dbm: None,
        noise_dbm: None,
        channel: 0,
        kind: Kind::Other,
        randomised: false,
        associated: false,
        range: None,
    }
}

/// As [`observations`], some with a short id; such an age is at most 8,191 ms.
pub(crate) fn mixed(
    count_max: usize,
) -> impl Strategy<Value = (Header, Vec<(Observation, Option<u32>)>)> {
    header().prop_flat_map(move |header| {
        // All, none or some of a batch have short ids.
        let share_percent = prop_oneof![Just(0), Just(50), Just(95), Just(100)];
        share_percent.prop_flat_map(move |share_percent| {
            let one = (
                observation(header),
                0..=SHORT_ID_MAX,
                0..100_u32,
                0..=SHORT_AGE_MS_MAX,
            );
            let one = one.prop_map(move |(observation, short_id, percent, age_ms)| {
                let short_id = (percent < share_percent).then_some(short_id);
                let heard_at_us = match short_id {
                    Some(_) => header.heard_at_us(age_ms),
                    None => observation.heard_at_us,
                };
                let observation = Observation {
                    heard_at_us,
                    ..observation
                };
                (observation, short_id)
            });
            (Just(header), prop::collection::vec(one, 1..=count_max))
        })
    })
}

fn observation(header: Header) -> impl Strategy<Value = Observation> {
    let dbm = || option::of(-127..=127_i8);
    let flags = (0..8_u8, any::<bool>(), any::<bool>());
    (
        any::<u64>(),
        any::<u16>(),
        dbm(),
        // Mostly the same for some in a row, as on the air.
        prop_oneof![
            2 => Just((None, 0)),
            4 => Just((Some(-95), 36)),
            1 => (dbm(), any::<u8>())
        ],
        flags,
        option::of(range()),
    )
        .prop_map(
            move |(client, age_ms, rssi_dbm, (noise_dbm, channel), flags, range)| {
                let (kind, randomised, associated) = flags;
                Observation {
                    client: ClientId(client),
                    heard_at_us: header.heard_at_us(age_ms),
                    radio: header.radio,
                    rssi_dbm,
                    noise_dbm,
                    channel,
                    kind: Kind::from_code(kind),
                    randomised,
                    associated,
                    range,
                }
            },
        )
}

fn range() -> impl Strategy<Value = Range> {
    (any::<i32>(), option::of(0..u16::MAX)).prop_map(|(distance_mm, deviation_mm)| Range {
        distance_mm,
        deviation_mm,
    })
}

/// Any control frame.
pub(crate) fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        hello(),
        welcome(),
        configure().prop_map(Frame::Configure),
        report(),
        Just(Frame::Settled {}),
        names().prop_map(|names| Frame::Names { names }),
        define().prop_map(|(first, clients)| Frame::Define(Define { first, clients })),
        (any::<u32>(), any::<u32>())
            .prop_map(|(first, count)| Frame::Defined(Defined { first, count })),
        ".{0,40}".prop_map(|address| Frame::Redirect { address }),
        Just(Frame::Drain {}),
        ".{0,40}".prop_map(|reason| Frame::Reject { reason }),
        prop::collection::vec(any::<u8>(), 0..200)
            .prop_map(|signing_request| Frame::Renew { signing_request }),
        ".{0,40}".prop_map(|certificate| Frame::Renewed { certificate }),
        ".{0,40}".prop_map(|reason| Frame::NotRenewed { reason }),
        Just(Frame::Unknown),
    ]
}

/// Sessions, names and short ids; no datagrams, which borrow.
pub(crate) fn entries() -> impl Strategy<Value = Vec<Entry<'static>>> {
    let session = (number(), agent(), name::<SiteName>(), clock(), radios()).prop_map(
        |(session, agent, site, clock, radios)| Entry::Session {
            session: Session(session),
            agent,
            site,
            clock,
            radios,
        },
    );
    let names = (number(), names()).prop_map(|(session, names)| Entry::Names {
        session: Session(session),
        names,
    });
    let define = (number(), define()).prop_map(|(session, (first, clients))| Entry::Define {
        session: Session(session),
        first,
        clients,
    });
    prop::collection::vec(
        prop_oneof![session, names, define, Just(Entry::Unknown)],
        0..6,
    )
}

fn name<Name: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>()
-> impl Strategy<Value = Name> {
    "[a-zA-Z0-9_.-]{1,63}".prop_map(|text| text.parse().expect("a name"))
}

fn agent() -> impl Strategy<Value = AgentName> {
    name()
}

fn names() -> impl Strategy<Value = Vec<(u64, ClientName)>> {
    prop::collection::vec((number(), name()), 0..9)
}

fn define() -> impl Strategy<Value = (u32, Vec<ClientId>)> {
    let clients = prop::collection::vec(any::<u64>().prop_map(ClientId), 0..40);
    (any::<u32>(), clients)
}

fn clock() -> impl Strategy<Value = Clock> {
    prop_oneof![Just(Clock::Monotonic), Just(Clock::Recording)]
}

fn radios() -> impl Strategy<Value = Vec<RadioHello>> {
    let radio = (name::<ApName>(), ".{0,4}").prop_map(|(ap, band)| RadioHello { ap, band });
    prop::collection::vec(radio, 0..9)
}

fn hello() -> impl Strategy<Value = Frame> {
    (
        any::<u8>(),
        ".{0,40}",
        radios(),
        clock(),
        option::of(session_end()),
    )
        .prop_map(|(version, program, radios, clock, previous)| {
            Frame::Hello(Hello {
                version,
                program,
                radios,
                clock,
                previous,
            })
        })
}

fn session_end() -> impl Strategy<Value = SessionEnd> {
    (number(), counters(), counters()).prop_map(|(session, reported, ended)| SessionEnd {
        session: Session(session),
        reported,
        ended,
    })
}

fn welcome() -> impl Strategy<Value = Frame> {
    let numbers = (any::<u32>(), any::<u64>());
    let head = (number(), agent(), any::<u32>(), configure());
    (head, numbers, prop::collection::vec(access_point(), 0..8)).prop_map(
        |(head, (short_ids, time_unix_s), access_points)| {
            let (session, agent, report_interval_ms, configure) = head;
            Frame::Welcome(Welcome {
                session: Session(session),
                agent,
                report_interval_ms,
                configure,
                short_ids,
                time_unix_s,
                access_points,
            })
        },
    )
}

fn access_point() -> impl Strategy<Value = AccessPoint> {
    let bssids = prop::collection::vec(any::<[u8; 6]>().prop_map(Bssid), 0..64);
    (name::<ApName>(), bssids).prop_map(|(ap, bssids)| AccessPoint { ap, bssids })
}

fn configure() -> impl Strategy<Value = Configure> {
    (any::<u32>(), any::<[u8; 32]>()).prop_map(|(period, key)| Configure {
        pseudonym_key: PseudonymKey { period, key },
    })
}

fn report() -> impl Strategy<Value = Frame> {
    let report = (counters(), number(), any::<bool>(), option::of(counted()));
    report.prop_map(|(counters, clock_us, last, counted)| {
        Frame::Report(Report {
            counters,
            clock_us,
            last,
            counted,
        })
    })
}

fn counted() -> impl Strategy<Value = Counted> {
    let counts = (any::<[u32; 2]>(), any::<[u32; 4]>(), any::<[u32; 4]>());
    counts.prop_map(|([interval, length_ms], devices, frames)| Counted {
        interval,
        length_ms,
        devices,
        frames,
    })
}

fn counters() -> impl Strategy<Value = Counters> {
    (
        prop::array::uniform4(number()),
        prop::array::uniform4(number()),
    )
        .prop_map(
            |(
                [
                    observations_offered,
                    observations_sent,
                    datagrams_sent,
                    datagrams_unsent,
                ],
                dropped,
            )| {
                let [queue_full, too_old, disconnected, unsent] = dropped;
                Counters {
                    observations_offered,
                    observations_sent,
                    datagrams_sent,
                    datagrams_unsent,
                    dropped: AgentDrops {
                        queue_full,
                        too_old,
                        disconnected,
                        unsent,
                    },
                }
            },
        )
}
