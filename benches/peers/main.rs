//! What does a user get who picks another transport, counting the processor time of all processes?
//!
//! Four publisher processes send observations of 24 bytes to one consumer process, which decodes
//! each and folds it into a hash map of 100,000 clients. Nothing else: no fixes, no identity, no
//! books; framed TCP has no encryption either. The same shapes of ours come from `trilobite-load
//! throughput`; compare `observations_per_cpu_s_both` of two runs on the same machine.
//!
//! - `none`: generator and fold in one process, without any transport. Nothing can be cheaper.
//! - `tcp`: frames with a length in front, over TCP, as fast as its publishers find out how: they
//!   write 64 KiB at once when flat out. One task per connection at the consumer, all on one
//!   thread.
//! - `quinn`: QUIC datagrams with quinn as it comes, one task per connection, all on one thread.
//!
//! Flat out: 1, 64 or 1,000 observations per message (48 where a datagram must hold them). Fleet:
//! 1,000 connections, 16 observations per message, 200,000 observations a second in all.
//!
//! `cargo bench --bench peers` prints a table and, as its last line, JSON; each case takes some six
//! seconds. What publishers send is made from fixed seeds; how much, flat out, the machine decides.

mod observation;
mod processes;
mod quic;
mod shape;
mod tcp;

use std::io::Write as _;
use std::time::{Duration, Instant};

use benches::cpu;
use benches::select::Selection;

use observation::{Fold, Generator};
use processes::{Measured, Role};
use shape::{Peer, SHAPES, Shape};

/// How long publishers send.
const SECONDS: Duration = Duration::from_secs(5);

/// The same when only trying.
const SECONDS_QUICK: Duration = Duration::from_millis(300);

fn main() {
    match Role::from_arguments() {
        Some(Role::Consume { peer, shape }) => match peer {
            Peer::Tcp => tcp::consume(&shape),
            Peer::Quinn => quic::consume(&shape),
            Peer::None => {}
        },
        Some(Role::Publish {
            peer,
            shape,
            number,
            place,
            lasting,
        }) => match peer {
            Peer::Tcp => tcp::publish(&shape, number, &place, lasting),
            Peer::Quinn => quic::publish(&shape, number, &place, lasting),
            Peer::None => {}
        },
        None => compare(&Selection::from_arguments()),
    }
}

fn compare(selection: &Selection) {
    let lasting = if selection.is_quick() {
        SECONDS_QUICK
    } else {
        SECONDS
    };
    let mut rows = Vec::new();
    print(&format!(
        "{:<18} {:>12} {:>8} {:>10} {:>8} {:>22}\n",
        "case", "received", "lost %", "M obs/s", "cpu s", "M obs/cpu-s, all"
    ));
    for (peer, shape) in SHAPES {
        let name = format!("{}/{}", peer.name(), shape.name());
        if !selection.has(&name) {
            continue;
        }
        let measured = match peer {
            Peer::None => without_transport(lasting),
            _ => processes::measure(peer, &shape, lasting),
        };
        print(&row(&name, &measured));
        rows.push(json(peer, &shape, &measured));
    }
    print(&format!("{}\n", serde_json::json!({ "peers": rows })));
}

/// Generator and fold, in turns, as many observations at a time as a large message has.
fn without_transport(lasting: Duration) -> Measured {
    let (mut generator, mut fold) = (Generator::new(0), Fold::default());
    let mut bytes = Vec::new();
    let (used, began) = (cpu::own(), Instant::now());
    while began.elapsed() < lasting {
        bytes.clear();
        generator.put(1_000, &mut bytes);
        fold.take_in(&bytes);
    }
    Measured {
        sent: fold.received(),
        received: fold.received(),
        clients: fold.clients(),
        wall: began.elapsed(),
        cpu: cpu::own().saturating_sub(used),
    }
}

fn row(name: &str, measured: &Measured) -> String {
    format!(
        "{name:<18} {:>12} {:>8.2} {:>10.2} {:>8.2} {:>22.2}\n",
        measured.received,
        measured.lost() as f64 * 100.0 / measured.sent.max(1) as f64,
        measured.received as f64 / measured.wall.as_secs_f64() / 1e6,
        measured.cpu.as_secs_f64(),
        measured.per_cpu_s() / 1e6,
    )
}

fn json(peer: Peer, shape: &Shape, measured: &Measured) -> serde_json::Value {
    serde_json::json!({
        "peer": peer.name(),
        "shape": shape.name(),
        "connections": shape.connections(),
        "observations_per_message": shape.per_message,
        "sent": measured.sent,
        "received": measured.received,
        "lost": measured.lost(),
        "clients": measured.clients,
        "seconds": (measured.wall.as_secs_f64() * 100.0).round() / 100.0,
        "observations_per_10s": (measured.received as f64 * 10.0 / measured.wall.as_secs_f64()).round(),
        "cpu_s_both": measured.cpu.as_secs_f64(),
        "observations_per_cpu_s_both": measured.per_cpu_s().round(),
    })
}

fn print(text: &str) {
    // A reader that is gone is no reason to stop.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
