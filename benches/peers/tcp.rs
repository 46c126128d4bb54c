//! Frames with a length in front, over TCP, without encryption.

use std::cell::RefCell;
use std::io::{BufWriter, Write as _};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use crate::observation::{Fold, Generator};
use crate::processes::{tell, tell_folded, wait_begin};
use crate::shape::{PUBLISHERS, Pace, Shape};

/// Bytes written or read at once where there are so many.
const BUFFER_BYTES: usize = 64 * 1024;

/// Length of a frame's length.
const HEAD_BYTES: usize = 4;

/// Messages of a flat-out publisher between two looks at the clock.
const MESSAGES_PER_LOOK: usize = 256;

/// Time between two turns of a fleet's publisher: all that is due leaves, each message in a write
/// of its own, since each has its own connection.
const TURN: Duration = Duration::from_millis(1);

/// The consumer: one task per connection, all on this thread.
pub(crate) fn consume(shape: &Shape) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let fold = Rc::new(RefCell::new(Fold::default()));
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        tell(&listener.local_addr().expect("it is bound").to_string());
        let mut tasks = Vec::new();
        for _ in 0..shape.connections() {
            let (stream, _) = listener.accept().await.expect("a publisher");
            tasks.push(tokio::task::spawn_local(read(stream, fold.clone())));
        }
        for task in tasks {
            task.await.expect("a task that does not panic");
        }
    });
    tell_folded(&fold.borrow());
}

/// Reads frames until the publisher closes.
async fn read(mut stream: tokio::net::TcpStream, fold: Rc<RefCell<Fold>>) {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.expect("a stream");
        if read == 0 {
            assert_eq!(filled, 0, "the stream ends inside of a frame");
            return;
        }
        filled += read;
        let mut at = 0;
        while let Some((head, rest)) = buffer[at..filled].split_first_chunk::<HEAD_BYTES>() {
            let len = u32::from_le_bytes(*head) as usize;
            let Some(message) = rest.get(..len) else {
                break;
            };
            fold.borrow_mut().take_in(message);
            at += HEAD_BYTES + len;
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
    }
}

/// A publisher.
pub(crate) fn publish(shape: &Shape, number: usize, place: &str, lasting: Duration) {
    let streams: Vec<TcpStream> = (0..shape.connections() / PUBLISHERS)
        .map(|_| {
            let stream = TcpStream::connect(place).expect("the consumer listens");
            stream.set_nodelay(true).expect("an open stream");
            stream
        })
        .collect();
    let mut generator = Generator::new(number);
    wait_begin();
    let messages = match shape.pace {
        Pace::FlatOut => flat_out(shape, &streams[0], &mut generator, lasting),
        Pace::Fleet => fleet(shape, &streams, &mut generator, lasting),
    };
    drop(streams);
    tell(&(messages * shape.per_message as u64).to_string());
}

fn flat_out(
    shape: &Shape,
    stream: &TcpStream,
    generator: &mut Generator,
    lasting: Duration,
) -> u64 {
    let mut writer = BufWriter::with_capacity(BUFFER_BYTES, stream);
    let (mut frame, mut messages) = (Vec::new(), 0);
    let began = Instant::now();
    while began.elapsed() < lasting {
        for _ in 0..MESSAGES_PER_LOOK {
            make_frame(shape, generator, &mut frame);
            writer.write_all(&frame).expect("the consumer reads");
            messages += 1;
        }
    }
    writer.flush().expect("the consumer reads");
    messages
}

fn fleet(
    shape: &Shape,
    mut streams: &[TcpStream],
    generator: &mut Generator,
    lasting: Duration,
) -> u64 {
    let all = streams;
    let (mut frame, mut messages) = (Vec::new(), 0);
    let began = Instant::now();
    while began.elapsed() < lasting {
        while messages < shape.messages_due(began.elapsed()) {
            if streams.is_empty() {
                streams = all;
            }
            make_frame(shape, generator, &mut frame);
            (&streams[0]).write_all(&frame).expect("the consumer reads");
            streams = &streams[1..];
            messages += 1;
        }
        std::thread::sleep(TURN);
    }
    messages
}

fn make_frame(shape: &Shape, generator: &mut Generator, frame: &mut Vec<u8>) {
    frame.clear();
    let len = (shape.per_message * crate::observation::BYTES) as u32;
    frame.extend_from_slice(&len.to_le_bytes());
    generator.put(shape.per_message, frame);
}
