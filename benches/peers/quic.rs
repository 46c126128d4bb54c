//! QUIC datagrams with quinn as it comes: nothing tuned, one task per connection.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::{ClientConfig, Connection, Endpoint, ServerConfig};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use crate::observation::{Fold, Generator};
use crate::processes::{tell, tell_folded, wait_begin, wait_nudge};
use crate::shape::{PUBLISHERS, Pace, Shape};

/// Name in the consumer's certificate.
const NAME: &str = "localhost";

/// Messages of a flat-out publisher between two looks at the clock.
const MESSAGES_PER_LOOK: usize = 256;

/// Time between two turns of a fleet's publisher.
const TURN: Duration = Duration::from_millis(1);

/// Longest wait for what is still to be sent at the end.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// The consumer: one task per connection, all on this thread.
pub(crate) fn consume(shape: &Shape) {
    let fold = Rc::new(RefCell::new(Fold::default()));
    LocalSet::new().block_on(&runtime(), async {
        let certified = rcgen::generate_simple_self_signed([NAME.to_owned()]);
        let certified = certified.expect("a certificate");
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("a key");
        let config = ServerConfig::with_single_cert(vec![certified.cert.der().clone()], key);
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let endpoint = Endpoint::server(config.expect("they go together"), address);
        let endpoint = endpoint.expect("a free port");
        let address = endpoint.local_addr().expect("it is bound");
        tell(&format!("{address}/{}", to_hex(certified.cert.der())));
        let mut tasks = Vec::new();
        for _ in 0..shape.connections() {
            let incoming = endpoint.accept().await.expect("an open endpoint");
            let connection = incoming.await.expect("a publisher");
            tasks.push(tokio::task::spawn_local(read(connection, fold.clone())));
        }
        // The word that a connection is closed may be lost like any other.
        let closing = endpoint.clone();
        std::thread::spawn(move || {
            wait_nudge();
            closing.close(0u8.into(), b"");
        });
        for task in tasks {
            task.await.expect("a task that does not panic");
        }
    });
    tell_folded(&fold.borrow());
}

/// Reads datagrams until the publisher closes.
async fn read(connection: Connection, fold: Rc<RefCell<Fold>>) {
    while let Ok(message) = connection.read_datagram().await {
        fold.borrow_mut().take_in(&message);
    }
}

/// A publisher.
pub(crate) fn publish(shape: &Shape, number: usize, place: &str, lasting: Duration) {
    LocalSet::new().block_on(&runtime(), async {
        let (address, certificate) = place.split_once('/').expect("address and certificate");
        let mut roots = RootCertStore::empty();
        let trusted = roots.add(CertificateDer::from(from_hex(certificate)));
        trusted.expect("the consumer's certificate");
        let config = ClientConfig::with_root_certificates(Arc::new(roots)).expect("roots");
        let endpoint = Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut endpoint = endpoint.expect("a free port");
        endpoint.set_default_client_config(config);
        let address = address.parse().expect("an address");
        let mut connections = Vec::new();
        for _ in 0..shape.connections() / PUBLISHERS {
            let connecting = endpoint.connect(address, NAME).expect("a valid name");
            connections.push(connecting.await.expect("the consumer listens"));
        }
        let mut generator = Generator::new(number);
        let room = connections[0].datagram_send_buffer_space();
        wait_begin();
        let messages = match shape.pace {
            Pace::FlatOut => flat_out(shape, &connections[0], &mut generator, lasting).await,
            Pace::Fleet => fleet(shape, &connections, &mut generator, lasting).await,
        };
        let until = Instant::now() + DRAIN_MAX;
        for connection in &connections {
            while connection.datagram_send_buffer_space() < room && Instant::now() < until {
                tokio::time::sleep(TURN).await;
            }
            connection.close(0u8.into(), b"");
        }
        endpoint.wait_idle().await;
        tell(&(messages * shape.per_message as u64).to_string());
    });
}

async fn flat_out(
    shape: &Shape,
    connection: &Connection,
    generator: &mut Generator,
    lasting: Duration,
) -> u64 {
    let mut messages = 0;
    let began = Instant::now();
    while began.elapsed() < lasting {
        for _ in 0..MESSAGES_PER_LOOK {
            let sent = connection
                .send_datagram_wait(message(shape, generator))
                .await;
            sent.expect("an open connection");
            messages += 1;
        }
    }
    messages
}

async fn fleet(
    shape: &Shape,
    connections: &[Connection],
    generator: &mut Generator,
    lasting: Duration,
) -> u64 {
    let mut turn = connections.iter().cycle();
    let mut messages = 0;
    let began = Instant::now();
    while began.elapsed() < lasting {
        while messages < shape.messages_due(began.elapsed()) {
            let connection = turn.next().expect("endless");
            let sent = connection.send_datagram(message(shape, generator));
            sent.expect("an open connection");
            messages += 1;
        }
        tokio::time::sleep(TURN).await;
    }
    messages
}

fn message(shape: &Shape, generator: &mut Generator) -> Bytes {
    let mut message = Vec::with_capacity(shape.per_message * crate::observation::BYTES);
    generator.put(shape.per_message, &mut message);
    message.into()
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex digits");
    (0..text.len()).step_by(2).map(pair).collect()
}
