//! What brokers have, read by other means than those that brought it there where there are any.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use crate::Message;
use crate::MessageId;

fn connect(url: &str) -> TcpStream {
    let (_, place) = url.split_once("://").unwrap();
    let stream = TcpStream::connect(place).unwrap();
    stream.set_read_timeout(Some(super::PATIENCE)).unwrap();
    stream
}

/// The sequence under which JetStream has each message, asked for by subject.
pub(super) fn jetstream(url: &str, messages: &[Message]) -> HashMap<MessageId, u64> {
    let mut stream = connect(url);
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    stream
        .write_all(b"CONNECT {\"verbose\":false}\r\nSUB answers 1\r\n")
        .unwrap();
    let mut found = HashMap::new();
    for message in messages {
        let subject = format!(
            "t.{}{}",
            message.kind,
            message.resource.as_str().replace('/', ".")
        );
        let body = format!("{{\"last_by_subj\":\"{subject}\"}}");
        let ask = format!(
            "PUB $JS.API.STREAM.MSG.GET.TRILOBITE answers {}\r\n{body}\r\n",
            body.len()
        );
        stream.write_all(ask.as_bytes()).unwrap();
        let answer = loop {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            if line.starts_with("MSG") {
                let length: usize = line
                    .split_whitespace()
                    .next_back()
                    .unwrap()
                    .parse()
                    .unwrap();
                let mut body = vec![0; length + 2];
                lines.read_exact(&mut body).unwrap();
                break serde_json::from_slice::<serde_json::Value>(&body[..length]).unwrap();
            }
            if line.starts_with("PING") {
                stream.write_all(b"PONG\r\n").unwrap();
            }
        };
        if let Some(sequence) = answer["message"]["seq"].as_u64() {
            found.insert(message.id, sequence);
        }
    }
    found
}

/// Takes everything out of a queue of RabbitMQ.
pub(super) fn queue(url: &str, name: &str) -> HashSet<MessageId> {
    let mut stream = connect(url);
    let method = |stream: &mut TcpStream, channel: u8, arguments: &[u8]| {
        let length = u32::try_from(arguments.len()).unwrap().to_be_bytes();
        let bytes = [&[1, 0, channel], &length[..], arguments, &[0xce]].concat();
        stream.write_all(&bytes).unwrap();
    };
    let frame = |stream: &mut TcpStream| {
        let mut head = [0; 7];
        stream.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes(head[3..].try_into().unwrap()) as usize;
        let mut body = vec![0; length + 1];
        stream.read_exact(&mut body).unwrap();
        body.truncate(length);
        body
    };
    stream.write_all(b"AMQP\0\0\x09\x01").unwrap();
    frame(&mut stream);
    let start_ok = b"\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US";
    method(&mut stream, 0, start_ok);
    frame(&mut stream);
    method(&mut stream, 0, b"\0\x0a\0\x1f\0\x02\0\x02\0\0\0\0");
    method(&mut stream, 0, b"\0\x0a\0\x28\x01/\0\0");
    frame(&mut stream);
    method(&mut stream, 1, b"\0\x14\0\x0a\0");
    frame(&mut stream);
    let length = u8::try_from(name.len()).unwrap();
    let get = [b"\0\x3c\0\x46\0\0", &[length][..], name.as_bytes(), &[1]].concat();
    let mut found = HashSet::new();
    loop {
        method(&mut stream, 1, &get);
        let answer = frame(&mut stream);
        if answer[..4] == [0, 60, 0, 72] {
            return found;
        }
        assert_eq!(answer[..4], [0, 60, 0, 71], "{answer:?}");
        let header = frame(&mut stream);
        let body = frame(&mut stream);
        let message: Message = serde_json::from_slice(&body).unwrap();
        let id = message.id.to_string();
        let has_id = header.windows(id.len()).any(|part| part == id.as_bytes());
        assert!(has_id, "the id is a property too");
        found.insert(message.id);
    }
}
