//! A daemon of the bus with hostapd's objects on it, as far as a subscriber can see them.
//!
//! It runs only when it is told to, in the thread of the test.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use crate::ubus::blob::BlobWriter;
use crate::ubus::fields::{Fields, Value};
use crate::ubus::message::{Body, Message, MessageReader, attribute, encode, kind};

const NOT_FOUND: u32 = 4;
const PERMISSION_DENIED: u32 = 6;

pub(super) struct FakeUbusd {
    listener: UnixListener,
    pub(super) clients: Vec<Client>,
    /// Connections so far.
    pub(super) connections: usize,
    objects: Vec<(u32, String)>,
    next_id: u32,
    /// Whether clients may hear of objects that come and go.
    pub(super) events_allowed: bool,
    /// What it says of an object makes no sense.
    pub(super) garbles_lookups: bool,
    /// It does not even take what is sent.
    pub(super) deaf: bool,
    /// It takes what is sent and says nothing.
    pub(super) mute: bool,
}

#[derive(Default)]
pub(super) struct Client {
    stream: Option<UnixStream>,
    reader: MessageReader,
    out: Vec<u8>,
    object: u32,
    patterns: Vec<String>,
    subscribed: Vec<u32>,
    /// Kinds of the requests, and methods of those that call one.
    pub(super) requests: Vec<(u8, String)>,
    /// Sequence numbers and statuses of the answers to notifications.
    pub(super) answers: Vec<([u8; 2], u32)>,
}

impl FakeUbusd {
    pub(super) fn new(path: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("a socket in a folder of our own");
        listener.set_nonblocking(true).expect("non-blocking");
        Self {
            listener,
            clients: Vec::new(),
            connections: 0,
            objects: vec![(0x1000_0001, "network.interface".to_owned())],
            next_id: 0x5000_0000,
            events_allowed: true,
            garbles_lookups: false,
            deaf: false,
            mute: false,
        }
    }

    /// Takes connections and requests, answers them, sends what waits.
    pub(super) fn turn(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true).expect("non-blocking");
            let mut client = Client {
                stream: Some(stream),
                ..Client::default()
            };
            if !self.mute {
                encode(&mut client.out, kind::HELLO, [0, 0], [0, 0, 0, 9], |_| {});
            }
            self.clients.push(client);
            self.connections += 1;
        }
        let mut clients = std::mem::take(&mut self.clients);
        for client in &mut clients {
            if !self.deaf {
                client.receive(self);
            }
            client.flush();
        }
        clients.retain(|client| client.stream.is_some());
        self.clients = clients;
    }

    pub(super) fn add_object(&mut self, path: &str) -> u32 {
        self.next_id += 1;
        let id = self.next_id;
        self.objects.push((id, path.to_owned()));
        self.send_event("ubus.object.add", id, path);
        id
    }

    pub(super) fn remove_object(&mut self, id: u32) {
        let at = self
            .objects
            .iter()
            .position(|(object, _)| *object == id)
            .expect("an object");
        let (_, path) = self.objects.remove(at);
        for client in &mut self.clients {
            if let Some(at) = client.subscribed.iter().position(|target| *target == id) {
                client.subscribed.remove(at);
                let own = client.object;
                encode(
                    &mut client.out,
                    kind::UNSUBSCRIBE,
                    [7, 7],
                    [0; 4],
                    |writer| {
                        writer.put_u32(attribute::OBJECT, own);
                        writer.put_u32(attribute::TARGET, id);
                    },
                );
            }
        }
        self.send_event("ubus.object.remove", id, &path);
    }

    fn send_event(&mut self, event: &str, id: u32, path: &str) {
        for client in &mut self.clients {
            if client.patterns.iter().any(|pattern| pattern == event) {
                let own = client.object;
                encode(&mut client.out, kind::INVOKE, [0, 5], [0; 4], |writer| {
                    writer.put_u32(attribute::OBJECT, own);
                    writer.put_text(attribute::METHOD, event);
                    writer.nest(attribute::DATA, |writer| {
                        writer.field_u32("id", id);
                        writer.field_text("path", path);
                    });
                });
            }
        }
    }

    /// Notifies the subscribers of an object; returns how many they are.
    pub(super) fn notify(
        &mut self,
        object: u32,
        method: &str,
        reply: bool,
        fields: &BlobWriter,
    ) -> usize {
        let mut told = 0;
        for client in &mut self.clients {
            if client.subscribed.contains(&object) {
                told += 1;
                let own = client.object;
                encode(
                    &mut client.out,
                    kind::INVOKE,
                    [0x12, 0x34],
                    [1, 2, 3, 4],
                    |writer| {
                        if !reply {
                            writer.put_flag(attribute::NO_REPLY, true);
                        }
                        writer.put_u32(attribute::OBJECT, own);
                        writer.put_text(attribute::METHOD, method);
                        writer.put(attribute::DATA, fields.as_bytes());
                    },
                );
            }
        }
        told
    }

    fn find(&self, pattern: &str) -> Vec<(u32, String)> {
        let prefix = pattern.strip_suffix('*').expect("a pattern");
        let found = self
            .objects
            .iter()
            .filter(|(_, path)| path.starts_with(prefix));
        found.cloned().collect()
    }
}

impl Client {
    /// Sends these bytes, whatever they are.
    pub(super) fn send_raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Takes back what waits to be sent, to send it otherwise.
    pub(super) fn take_out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    pub(super) fn flush(&mut self) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        while !self.out.is_empty() {
            match stream.write(&self.out) {
                Ok(bytes) => drop(self.out.drain(..bytes)),
                Err(_) => return,
            }
        }
    }

    fn receive(&mut self, ubusd: &FakeUbusd) {
        let mut reader = std::mem::take(&mut self.reader);
        loop {
            while let Some(message) = reader.next_message().expect("sound requests") {
                let body = message.body().expect("a sound request");
                if !ubusd.mute {
                    self.handle(&message, &body, ubusd);
                }
            }
            let stream = self.stream.as_mut().expect("a connection");
            match stream.read(reader.space()) {
                Ok(0) => {
                    self.stream = None;
                    break;
                }
                Ok(bytes) => reader.filled(bytes),
                Err(_) => break,
            }
        }
        self.reader = reader;
    }

    fn handle(&mut self, message: &Message<'_>, body: &Body<'_>, ubusd: &FakeUbusd) {
        if message.kind == kind::STATUS {
            assert_eq!(
                (message.peer, body.object),
                ([1, 2, 3, 4], Some(self.object))
            );
            self.answers
                .push((message.sequence, body.status.expect("a status")));
            return;
        }
        let method = body.method.unwrap_or_default().to_owned();
        self.requests.push((message.kind, method));
        let status = match message.kind {
            kind::ADD_OBJECT => {
                self.object = 0x2000_0000;
                encode(
                    &mut self.out,
                    kind::DATA,
                    message.sequence,
                    [0; 4],
                    |writer| {
                        writer.put_u32(attribute::OBJECT, 0x2000_0000);
                    },
                );
                0
            }
            kind::LOOKUP => {
                let found = ubusd.find(body.object_path.expect("a path"));
                for (id, path) in &found {
                    encode(
                        &mut self.out,
                        kind::DATA,
                        message.sequence,
                        [0; 4],
                        |writer| {
                            writer.put_text(attribute::OBJECT_PATH, path);
                            match ubusd.garbles_lookups {
                                true => writer.put(attribute::OBJECT, &[0xff]),
                                false => writer.put_u32(attribute::OBJECT, *id),
                            }
                            // The methods, which nobody here wants to know.
                            writer.nest(6, |writer| {
                                writer.field_table("notify_response", |writer| {
                                    writer.field_u32("notify_response", 5);
                                });
                            });
                        },
                    );
                }
                if found.is_empty() { NOT_FOUND } else { 0 }
            }
            kind::SUBSCRIBE => {
                assert_eq!(body.object, Some(self.object));
                let target = body.target.expect("a target");
                let known = ubusd.objects.iter().any(|(id, _)| *id == target);
                if known {
                    self.subscribed.push(target);
                }
                if known { 0 } else { NOT_FOUND }
            }
            kind::INVOKE if ubusd.events_allowed => {
                let fields = Fields::new(body.data.expect("fields"));
                let Some(Value::Text(Some(pattern))) = fields.find("pattern") else {
                    panic!("a pattern");
                };
                self.patterns.push(pattern.to_owned());
                0
            }
            _ => PERMISSION_DENIED,
        };
        encode(
            &mut self.out,
            kind::STATUS,
            message.sequence,
            [0; 4],
            |writer| {
                writer.put_u32(attribute::STATUS, status);
            },
        );
    }
}
