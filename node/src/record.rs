//! `--record FILE`: what was received, as it was received, for a later replay.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::queue::ArrayQueue;
use wire::recording::{Entry, Recorder};
use wire::{ClientId, Session};

/// Entries that wait for the disk; when it is slow, further ones are left out and counted. A disk
/// must not slow the radio.
const WAITING_MAX: usize = 65_536;

/// How long the thread rests when nothing waits.
const REST: Duration = Duration::from_millis(20);

/// A recording could not be begun.
#[derive(Debug, thiserror::Error)]
#[error("cannot begin recording {path}; choose a new file in a folder that exists")]
pub struct RecordError {
    path: PathBuf,
    source: std::io::Error,
}

/// A running recording; it is completed when this is dropped.
#[derive(Debug)]
pub struct Recording {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Queue {
    items: ArrayQueue<Item>,
    left_out: AtomicU64,
    stop: AtomicBool,
}

/// An entry on its way to the disk; a datagram owns its bytes there.
#[derive(Debug)]
enum Item {
    Entry(Entry<'static>),
    Datagram {
        session: Session,
        received_us: u64,
        bytes: Box<[u8]>,
    },
}

/// Hands entries to a recording without waiting.
#[derive(Debug, Clone)]
pub struct RecordSender(Arc<Queue>);

impl RecordSender {
    /// Records a session or names.
    pub fn send(&self, entry: Entry<'static>) {
        self.push(Item::Entry(entry));
    }

    /// Records what short ids stand for: without it the session's short rows say nothing.
    pub fn send_define(&self, session: Session, first: u32, clients: &[ClientId]) {
        self.send(Entry::Define {
            session,
            first,
            clients: clients.to_vec(),
        });
    }

    /// Records a datagram.
    pub fn send_datagram(&self, session: Session, bytes: &[u8], received_us: u64) {
        self.push(Item::Datagram {
            session,
            received_us,
            bytes: bytes.into(),
        });
    }

    fn push(&self, item: Item) {
        if self.0.items.push(item).is_err() {
            self.0.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Recording {
    /// Begins a recording in a new file.
    ///
    /// # Errors
    /// [`RecordError`] when the file cannot be made or begun, or exists: nobody loses a recording.
    pub fn begin(path: &Path) -> Result<Self, RecordError> {
        let wrong = |source| RecordError {
            path: path.to_owned(),
            source,
        };
        let file = File::create_new(path).map_err(wrong)?;
        let recorder = Recorder::new(BufWriter::new(file)).map_err(wrong)?;
        let queue = Arc::new(Queue {
            items: ArrayQueue::new(WAITING_MAX),
            left_out: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let (path, shared) = (path.to_owned(), queue.clone());
        let thread = std::thread::Builder::new()
            .name("record".into())
            .spawn(move || run(&shared, recorder, &path))
            .map_err(wrong)?;
        Ok(Self {
            queue,
            thread: Some(thread),
        })
    }

    /// A way to hand entries in.
    pub fn sender(&self) -> RecordSender {
        RecordSender(self.queue.clone())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.queue.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(queue: &Queue, mut recorder: Recorder<BufWriter<File>>, path: &Path) {
    if let Err(error) = write_all(queue, &mut recorder) {
        tracing::error!("recording {} ended early: {error}", path.display());
    }
    let left_out = queue.left_out.load(Ordering::Relaxed);
    if left_out > 0 {
        tracing::warn!(
            "recording {}: {left_out} entries left out, the disk was slow",
            path.display()
        );
    }
}

fn write_all(
    queue: &Queue,
    recorder: &mut Recorder<BufWriter<File>>,
) -> Result<(), wire::recording::RecordError> {
    loop {
        let stopping = queue.stop.load(Ordering::Acquire);
        while let Some(item) = queue.items.pop() {
            match &item {
                Item::Entry(entry) => recorder.write(entry)?,
                Item::Datagram {
                    session,
                    received_us,
                    bytes,
                } => recorder.write(&Entry::Datagram {
                    session: *session,
                    received_us: *received_us,
                    bytes,
                })?,
            }
        }
        recorder.flush()?;
        if stopping {
            return Ok(());
        }
        std::thread::sleep(REST);
    }
}

#[cfg(test)]
mod tests {
    use wire::recording::RecordingReader;

    use super::*;

    #[test]
    fn definitions_stand_before_the_datagrams_that_use_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.recording");
        let recording = Recording::begin(&path).unwrap();
        let (session, clients) = (Session(7), [ClientId(0x42), ClientId(0x43)]);
        recording.sender().send_define(session, 5, &clients);
        recording.sender().send_datagram(session, b"datagram", 9);
        drop(recording);

        let mut reader = RecordingReader::new(File::open(&path).unwrap()).unwrap();
        let expected = [
            Entry::Define {
                session,
                first: 5,
                clients: clients.to_vec(),
            },
            Entry::Datagram {
                session,
                received_us: 9,
                bytes: b"datagram",
            },
        ];
        for entry in expected {
            assert_eq!(reader.read_entry().unwrap(), Some(entry));
        }
        assert_eq!(reader.read_entry().unwrap(), None);
    }
}
