//! A network between two programs on loopback that loses, delays, repeats and is narrow, all by a
//! seeded generator: what happens to the n-th packet of a direction is the same in every run.

use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes that wait for a narrow link, as in a home router; a packet more is lost.
const QUEUE_BYTES_MAX: usize = 32 * 1024;

/// A thread that looks so seldom was not let run: far less than a connection bears.
const STANDSTILL: Duration = Duration::from_secs(2);

/// How often a thread that hears nothing looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// A link in both directions.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Path {
    /// Share of packets that are lost.
    pub(crate) loss: f64,
    /// Share of packets that arrive twice.
    pub(crate) repeated: f64,
    /// Time from end to end.
    pub(crate) delay: Duration,
    /// Width in bits a second; without one there is no limit.
    pub(crate) bits_per_second: Option<u32>,
}

/// What a direction did so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// Packets that came.
    pub(crate) packets: u64,
    /// Of these, never sent on.
    pub(crate) lost: u64,
    /// Of these, sent on twice.
    pub(crate) repeated: u64,
}

/// A running relay; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    shared: Arc<Shared>,
    port: u16,
    threads: Vec<JoinHandle<()>>,
}

/// Both directions, and where their packets go.
#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    /// A thread of the relay was not let run for seconds, so the programs beside it were not either.
    stood_still: AtomicBool,
    path: Mutex<Path>,
    /// What the agent talks to.
    near: UdpSocket,
    /// What talks to the node. Another one is another address of the agent in the node's eyes.
    far: Mutex<Arc<UdpSocket>>,
    agent: Mutex<Option<SocketAddr>>,
    node_port: AtomicU16,
    up: Tally,
    down: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    packets: AtomicU64,
    lost: AtomicU64,
    repeated: AtomicU64,
}

impl Relay {
    /// Stands before a node on this port of loopback, and changes nothing yet.
    pub(crate) fn start(node_port: u16, seed: u64) -> Self {
        let near = socket().unwrap();
        let port = near.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            stood_still: AtomicBool::new(false),
            path: Mutex::default(),
            near,
            far: Mutex::new(Arc::new(socket().unwrap())),
            agent: Mutex::default(),
            node_port: AtomicU16::new(node_port),
            up: Tally::default(),
            down: Tally::default(),
        });
        let mut threads = Vec::new();
        for (direction, seed) in [(Direction::Up, seed), (Direction::Down, !seed)] {
            let (sender, receiver) = mpsc::channel();
            let reader = shared.clone();
            threads.push(std::thread::spawn(move || {
                reader.read(direction, &mut Fate::new(seed), &sender);
            }));
            let writer = shared.clone();
            threads.push(std::thread::spawn(move || {
                writer.write(direction, &receiver)
            }));
        }
        Self {
            shared,
            port,
            threads,
        }
    }

    /// Where the agent finds its node.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on the link is like this.
    pub(crate) fn set_path(&self, path: Path) {
        *locked(&self.shared.path) = path;
    }

    /// Packets go to a node on this port from now on.
    pub(crate) fn set_node_port(&self, port: u16) {
        self.shared.node_port.store(port, Ordering::Relaxed);
    }

    /// The agent's packets come from another address from now on, as behind a router that forgot it.
    pub(crate) fn move_agent(&self) {
        *locked(&self.shared.far) = Arc::new(socket().unwrap());
    }

    /// Whether this machine stood still for seconds meanwhile: then connections may have ended, and
    /// the system may have lost packets by itself.
    pub(crate) fn stood_still(&self) -> bool {
        self.shared.stood_still.load(Ordering::Relaxed)
    }

    /// From the agent to the node.
    pub(crate) fn up(&self) -> Counts {
        self.shared.up.counts()
    }

    /// From the node to the agent.
    pub(crate) fn down(&self) -> Counts {
        self.shared.down.counts()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Tally {
    fn counts(&self) -> Counts {
        Counts {
            packets: self.packets.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            repeated: self.repeated.load(Ordering::Relaxed),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl Shared {
    fn read(&self, direction: Direction, fate: &mut Fate, sender: &mpsc::Sender<Packet>) {
        let tally = self.tally(direction);
        let mut buffer = vec![0; 65_536];
        let mut looked = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            if looked.elapsed() > STANDSTILL {
                self.stood_still.store(true, Ordering::Relaxed);
            }
            looked = Instant::now();
            let Ok((length, from)) = self.receive(direction, &mut buffer) else {
                continue;
            };
            if direction == Direction::Up {
                *locked(&self.agent) = Some(from);
            }
            let number = tally.packets.fetch_add(1, Ordering::Relaxed);
            let times = fate.of_packet(*locked(&self.path), length, Instant::now());
            match times {
                [None, _] => tally.lost.fetch_add(1, Ordering::Relaxed),
                [Some(_), Some(_)] => tally.repeated.fetch_add(1, Ordering::Relaxed),
                _ => 0,
            };
            for due in times.into_iter().flatten() {
                let bytes = buffer[..length].to_vec();
                let _ = sender.send(Packet { due, number, bytes });
            }
        }
    }

    fn write(&self, direction: Direction, receiver: &mpsc::Receiver<Packet>) {
        let mut waiting: BinaryHeap<Packet> = BinaryHeap::new();
        while !self.stop.load(Ordering::Relaxed) {
            let due = waiting.peek().map(|packet| packet.due);
            let rest = due.map_or(LOOK, |due| due.saturating_duration_since(Instant::now()));
            if let Ok(packet) = receiver.recv_timeout(rest.min(LOOK)) {
                waiting.push(packet);
            }
            while waiting
                .peek()
                .is_some_and(|next| next.due <= Instant::now())
            {
                if let Some(packet) = waiting.pop() {
                    self.send(direction, &packet.bytes);
                }
            }
        }
    }

    fn receive(&self, direction: Direction, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match direction {
            Direction::Up => self.near.recv_from(buffer),
            Direction::Down => {
                let far = locked(&self.far).clone();
                far.recv_from(buffer)
            }
        }
    }

    /// What the system refuses is lost as on any network.
    fn send(&self, direction: Direction, bytes: &[u8]) {
        let _ = match direction {
            Direction::Up => {
                let node_port = self.node_port.load(Ordering::Relaxed);
                let far = locked(&self.far).clone();
                far.send_to(bytes, (Ipv4Addr::LOCALHOST, node_port))
            }
            Direction::Down => match *locked(&self.agent) {
                Some(agent) => self.near.send_to(bytes, agent),
                None => return,
            },
        };
    }

    fn tally(&self, direction: Direction) -> &Tally {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(LOOK))?;
    Ok(socket)
}

/// A packet on its way, ordered by when it arrives: the first is the greatest.
#[derive(Debug, PartialEq, Eq)]
struct Packet {
    due: Instant,
    number: u64,
    bytes: Vec<u8>,
}

impl Ord for Packet {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.due, other.number).cmp(&(self.due, self.number))
    }
}

impl PartialOrd for Packet {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Decides what becomes of each packet of a direction.
#[derive(Debug)]
struct Fate {
    /// State of the generator, xorshift64*.
    random: u64,
    /// When the narrow link has sent all that waits for it.
    free_at: Option<Instant>,
    /// What waits for it: when it is gone, and how long it is.
    queue: VecDeque<(Instant, usize)>,
}

impl Fate {
    fn new(seed: u64) -> Self {
        Self {
            random: seed | 1,
            free_at: None,
            queue: VecDeque::new(),
        }
    }

    /// When a packet arrives; not at all, or twice.
    fn of_packet(&mut self, path: Path, length: usize, now: Instant) -> [Option<Instant>; 2] {
        // Two draws for each packet, whatever the link is like.
        let (lost, repeated) = (self.draw() < path.loss, self.draw() < path.repeated);
        if lost {
            return [None, None];
        }
        let Some(sent) = self.pass(path.bits_per_second, length, now) else {
            return [None, None];
        };
        let due = sent + path.delay;
        [Some(due), repeated.then_some(due)]
    }

    /// When a packet is through the narrow link; `None` if its queue is full.
    fn pass(&mut self, width: Option<u32>, length: usize, now: Instant) -> Option<Instant> {
        let Some(bits_per_second) = width else {
            return Some(now);
        };
        while self.queue.front().is_some_and(|(gone, _)| *gone <= now) {
            self.queue.pop_front();
        }
        let waiting: usize = self.queue.iter().map(|(_, length)| length).sum();
        if waiting + length > QUEUE_BYTES_MAX {
            return None;
        }
        let begins = self.free_at.map_or(now, |free_at| free_at.max(now));
        let takes = Duration::from_secs_f64(length as f64 * 8.0 / f64::from(bits_per_second));
        self.free_at = Some(begins + takes);
        self.queue.push_back((begins + takes, length));
        self.free_at
    }

    /// From 0 to 1, exclusive.
    fn draw(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let bits = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }
}

#[test]
fn the_same_seed_loses_the_same_packets_and_as_many_as_asked_for() {
    let path = Path {
        loss: 0.2,
        repeated: 0.05,
        ..Path::default()
    };
    let now = Instant::now();
    let run = || {
        let mut fate = Fate::new(7);
        let mut one = || fate.of_packet(path, 1_200, now);
        (0..20_000).map(|_| one()).collect::<Vec<_>>()
    };
    let first = run();
    assert_eq!(first, run());
    let lost = first.iter().filter(|times| times[0].is_none()).count();
    assert!((3_800..4_200).contains(&lost), "{lost} of 20,000");
    let repeated = first.iter().filter(|times| times[1].is_some()).count();
    assert!((700..900).contains(&repeated), "{repeated} of 20,000");
}

#[test]
fn a_narrow_link_sends_at_its_rate_and_holds_no_more_than_its_queue() {
    let path = Path {
        bits_per_second: Some(300_000),
        delay: Duration::from_millis(200),
        ..Path::default()
    };
    let began = Instant::now();
    let mut fate = Fate::new(7);
    // A thousand packets a second for three seconds, four times what fits.
    let at = |ms| began + Duration::from_millis(ms);
    let times: Vec<_> = (0..3_000)
        .filter_map(|ms| fate.of_packet(path, 150, at(ms))[0])
        .collect();
    let through = times.iter().filter(|due| **due <= at(3_200)).count();
    assert_eq!(
        through, 750,
        "300 kbit/s are 250 packets of 150 bytes a second"
    );
    assert!(times.len() - through <= QUEUE_BYTES_MAX / 150);
    assert!(times.iter().all(|due| *due >= at(200)));
}
