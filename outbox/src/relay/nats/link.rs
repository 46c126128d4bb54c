//! The client protocol of NATS: lines of text, and bodies of stated length.

use std::io;
use std::time::Instant;

use crate::relay::limits::{ANSWER_PATIENCE, FRAME_BYTES_MAX};
use crate::relay::line::{Line, Tls, said};
use crate::relay::stop::Stop;
use crate::relay::target::{Credentials, Target};

/// A connection that has said who it is.
pub(in crate::relay) struct Link {
    line: Line,
    /// Where answers to us go; drawn, so that nobody else guesses it.
    inbox: String,
    serial: u64,
}

/// A message that the server delivered.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::relay) struct Delivered {
    pub(in crate::relay) subject: String,
    pub(in crate::relay) body: Vec<u8>,
    /// Not a message: the server says that nobody listens to what was asked.
    pub(in crate::relay) is_unheard: bool,
}

/// What the first line in a buffer is.
#[derive(Debug, PartialEq, Eq)]
enum Frame {
    Delivered(Delivered),
    Ping,
    Pong,
    Info,
    Error(String),
    Ok,
}

impl Link {
    pub(in crate::relay) fn open(
        target: &Target,
        tls: &Tls,
        credentials: Option<&Credentials>,
        stop: &Stop,
    ) -> io::Result<Self> {
        let mut line = Line::connect(target, stop)?;
        let until = Instant::now() + ANSWER_PATIENCE;
        while read(&mut line, until)? != Frame::Info {}
        let mut line = line.secure(tls)?;
        let mut hello = serde_json::json!({
            "verbose": false,
            "pedantic": false,
            "headers": true,
            "no_responders": true,
            "lang": "rust",
            "version": env!("CARGO_PKG_VERSION"),
            "protocol": 1,
            "name": "trilobite-outbox",
        });
        match credentials.map(|all| (all, all.user_and_password())) {
            Some((_, Some((user, password)))) => {
                hello["user"] = user.into();
                hello["pass"] = password.into();
            }
            Some((token, None)) => hello["auth_token"] = token.whole().into(),
            None => {}
        }
        let mut drawn = [0; 16];
        getrandom::fill(&mut drawn).map_err(|error| said(format!("no random bytes: {error}")))?;
        let inbox = format!("_INBOX.{:032x}", u128::from_le_bytes(drawn));
        line.write(format!("CONNECT {hello}\r\nSUB {inbox}.* 1\r\nPING\r\n").as_bytes())?;
        let mut link = Self {
            line,
            inbox,
            serial: 0,
        };
        // The answer to our ping comes after a refusal of anything before it.
        while !link.is_pong(until)? {}
        Ok(link)
    }

    /// Asks for everything that is published under a subject from now on.
    pub(in crate::relay) fn subscribe(&mut self, subject: &str) -> io::Result<()> {
        self.line
            .write(format!("SUB {subject} 2\r\nPING\r\n").as_bytes())?;
        let until = Instant::now() + ANSWER_PATIENCE;
        while !self.is_pong(until)? {}
        Ok(())
    }

    /// A subject of our own for one answer.
    pub(in crate::relay) fn reply_subject(&mut self) -> String {
        self.serial += 1;
        format!("{}.{}", self.inbox, self.serial)
    }

    pub(in crate::relay) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.line.write(bytes)
    }

    /// The next message that the server delivers.
    pub(in crate::relay) fn next(&mut self, until: Instant) -> io::Result<Delivered> {
        loop {
            match read(&mut self.line, until)? {
                Frame::Delivered(delivered) => return Ok(delivered),
                Frame::Error(what) => return Err(said(what)),
                Frame::Ping => self.line.write(b"PONG\r\n")?,
                Frame::Pong | Frame::Info | Frame::Ok => {}
            }
        }
    }

    fn is_pong(&mut self, until: Instant) -> io::Result<bool> {
        match read(&mut self.line, until)? {
            Frame::Pong => Ok(true),
            Frame::Ping => self.line.write(b"PONG\r\n").map(|()| false),
            Frame::Error(what) => Err(said(what)),
            Frame::Delivered(_) | Frame::Info | Frame::Ok => Ok(false),
        }
    }
}

fn read(line: &mut Line, until: Instant) -> io::Result<Frame> {
    loop {
        if let Some((frame, length)) = parse(line.buffer())? {
            line.take(length);
            return Ok(frame);
        }
        line.read_more(until)?;
    }
}

/// The first frame in a buffer and its length; nothing while it is not whole.
fn parse(buffer: &[u8]) -> io::Result<Option<(Frame, usize)>> {
    let Some(end) = buffer.windows(2).position(|two| two == b"\r\n") else {
        return match buffer.len() > FRAME_BYTES_MAX {
            true => Err(said("a line that does not end")),
            false => Ok(None),
        };
    };
    let line = std::str::from_utf8(&buffer[..end]).map_err(|_| said("a line that is no text"))?;
    let behind = end + 2;
    let mut words = line.split_ascii_whitespace();
    let verb = words.next().unwrap_or_default().to_ascii_uppercase();
    let frame = match verb.as_str() {
        "MSG" | "HMSG" => {
            let words: Vec<&str> = words.collect();
            return delivered(buffer, behind, verb == "HMSG", &words);
        }
        "PING" => Frame::Ping,
        "PONG" => Frame::Pong,
        "INFO" => Frame::Info,
        "+OK" => Frame::Ok,
        "-ERR" => Frame::Error(line.to_owned()),
        _ => return Err(said(format!("not NATS: {line:?}"))),
    };
    Ok(Some((frame, behind)))
}

/// `MSG subject sid [reply] length` or `HMSG subject sid [reply] head length`, and the body.
fn delivered(
    buffer: &[u8],
    start: usize,
    has_head: bool,
    words: &[&str],
) -> io::Result<Option<(Frame, usize)>> {
    let odd = || said("a delivery with an odd head");
    let number = |back: usize| -> io::Result<usize> {
        let word = words.len().checked_sub(back).and_then(|at| words.get(at));
        let number = word.and_then(|word| word.parse().ok()).ok_or_else(odd)?;
        if number > FRAME_BYTES_MAX {
            return Err(said("a delivery that is too long"));
        }
        Ok(number)
    };
    let least = if has_head { 4 } else { 3 };
    if words.len() < least {
        return Err(odd());
    }
    let length = number(1)?;
    let head = if has_head { number(2)? } else { 0 };
    if head > length {
        return Err(odd());
    }
    let Some(body) = buffer.get(start..start + length + 2) else {
        return Ok(None);
    };
    if !body.ends_with(b"\r\n") {
        return Err(odd());
    }
    let delivered = Delivered {
        subject: words[0].to_owned(),
        body: body[head..length].to_vec(),
        is_unheard: body[..head].starts_with(b"NATS/1.0 503"),
    };
    Ok(Some((Frame::Delivered(delivered), start + length + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Frame {
        let (frame, length) = parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!(length, text.len());
        // As long as a byte is missing, there is no frame and no error.
        for cut in 0..text.len() {
            assert!(parse(&text.as_bytes()[..cut]).unwrap().is_none(), "{cut}");
        }
        frame
    }

    #[test]
    fn frames_are_read_whole_or_not_at_all() {
        let delivery = |body: &str, is_unheard| {
            Frame::Delivered(Delivered {
                subject: "a.b".into(),
                body: body.into(),
                is_unheard,
            })
        };
        assert_eq!(whole("PING\r\n"), Frame::Ping);
        assert_eq!(whole("INFO {\"a\":1}\r\n"), Frame::Info);
        assert_eq!(whole("MSG a.b 1 5\r\nhello\r\n"), delivery("hello", false));
        assert_eq!(whole("MSG a.b 1 re.ply 0\r\n\r\n"), delivery("", false));
        assert_eq!(
            whole("HMSG a.b 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"),
            delivery("", true)
        );
        assert_eq!(
            whole("HMSG a.b 1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"),
            delivery("hi", false)
        );
        assert_eq!(whole("-ERR 'no'\r\n"), Frame::Error("-ERR 'no'".into()));
    }

    #[test]
    fn what_breaks_the_rules_is_an_error_and_bounded() {
        for bad in [
            "HTTP/1.1 400\r\n",
            "MSG a 1\r\n",
            "MSG a 1 -5\r\n",
            "MSG a 1 99999999999999999999\r\n",
            "MSG a 1 2000000\r\n",
            "MSG a 1 2\r\nabcd",
            "HMSG a 1 5 4\r\nabcd\r\n",
            "HMSG 1 5 4\r\nabcd\r\n",
            "\r\n",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(parse(&[0xff, b'\r', b'\n']).is_err());
        assert!(parse(&vec![b'x'; FRAME_BYTES_MAX + 1]).is_err());
    }
}
