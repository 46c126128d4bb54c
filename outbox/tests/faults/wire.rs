//! A connection to PostgreSQL that breaks at its n-th message: every statement and every commit is one,
//! or several.
//!
//! Broken before the server hears of it, the statement was not done; broken before the answer comes
//! back, nobody knows.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use outbox::Place;
use outbox::testing::PostgresServer;

use crate::step;
use crate::work::{Told, check, consume, messages, write};

/// Each try costs two databases of its own.
const STEP: usize = 17;

/// When a message breaks its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    /// The server never gets it.
    Before,
    /// The server gets it; its answer is lost.
    After,
}

/// Stands between a store and its server.
struct Proxy {
    port: u16,
    left: Arc<AtomicI64>,
    hit: Arc<AtomicBool>,
}

impl Proxy {
    /// Breaks the connection whose message is the n-th of all, counted over all connections.
    fn start(server: String, nth: i64, how: Break) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let left = Arc::new(AtomicI64::new(nth));
        let hit = Arc::new(AtomicBool::new(false));
        let (count, was_hit) = (Arc::clone(&left), Arc::clone(&hit));
        // Lives until the process ends, as do the connections that are idle then.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&server) else {
                    continue;
                };
                for end in [&client, &server] {
                    end.set_nodelay(true).unwrap();
                }
                let (count, hit) = (Arc::clone(&count), Arc::clone(&was_hit));
                let ends = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || {
                    // Either end may go at any time.
                    let _ = forward(ends.0, ends.1, &count, &hit, how);
                });
                std::thread::spawn(move || {
                    let (mut server, mut client) = (server, client);
                    let _ = std::io::copy(&mut server, &mut client);
                    let _ = client.shutdown(Shutdown::Both);
                });
            }
        });
        Self { port, left, hit }
    }

    fn end(&self) -> bool {
        self.left.store(i64::MAX, Ordering::SeqCst);
        self.hit.load(Ordering::SeqCst)
    }
}

/// Message by message: a length, behind a letter in all but the first.
fn forward(
    mut client: TcpStream,
    mut server: TcpStream,
    left: &AtomicI64,
    hit: &AtomicBool,
    how: Break,
) -> std::io::Result<()> {
    let mut is_first = true;
    loop {
        let mut message = vec![0; if is_first { 4 } else { 5 }];
        client.read_exact(&mut message)?;
        let length = &message[message.len() - 4..];
        let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
        let head = message.len();
        message.resize(head + length - 4, 0);
        client.read_exact(&mut message[head..])?;
        // Flush, sync and farewell say nothing of their own.
        let counts = !is_first && !b"HSX".contains(&message[0]);
        is_first = false;
        if !counts || left.fetch_sub(1, Ordering::SeqCst) != 1 {
            server.write_all(&message)?;
            continue;
        }
        hit.store(true, Ordering::SeqCst);
        // The client's end first, so that no answer slips through.
        client.shutdown(Shutdown::Both)?;
        if how == Break::After {
            server.write_all(&message)?;
            // A sync, without which the server would wait for more of an extended query.
            if message[0] != b'Q' {
                server.write_all(&[b'S', 0, 0, 0, 4])?;
            }
        }
        // It ends the session once it has done what it was told.
        return server.shutdown(Shutdown::Write);
    }
}

#[test]
fn a_connection_that_breaks_at_any_message_loses_and_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = PostgresServer::start_below(folder.path()).unwrap() else {
        return;
    };
    for how in [Break::Before, Break::After] {
        let mut told = Told::default();
        let mut nth = 1;
        // Tables are made before: what breaks is the work.
        while one(&server, nth, how, &mut told) {
            nth += step(STEP) as i64;
        }
        assert!(nth > 60, "only {nth} messages");
        assert!(told.unknown + told.not_committed >= 2, "{told:?}");
        // With great steps it hangs on luck whether one of them is a commit.
        assert!(
            how == Break::Before || step(STEP) > 1 || told.unknown > 2,
            "{told:?}"
        );
    }
}

/// Whether the n-th message was there to break its connection.
fn one(server: &PostgresServer, nth: i64, how: Break, told: &mut Told) -> bool {
    let (store, consumer) = (server.database().unwrap(), server.database().unwrap());
    let direct = |address: &String| Place::Postgres(address.clone());
    crate::work::open(&direct(&store)).unwrap().close();
    crate::work::prepare(&direct(&consumer));
    let rounds = messages();
    let address = store.split('@').nth(1).unwrap();
    let address = address.split('/').next().unwrap();
    let proxy = Proxy::start(address.to_owned(), nth, how);
    let through = |place: &String| {
        Place::Postgres(place.replace(address, &format!("127.0.0.1:{}", proxy.port)))
    };
    write(&through(&store), &rounds, told);
    consume(&through(&store), &through(&consumer));
    let hit = proxy.end();
    check(&direct(&store), &direct(&consumer), &rounds);
    for done_with in [&store, &consumer] {
        server.drop_database(done_with).unwrap();
    }
    hit
}
