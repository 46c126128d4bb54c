//! A whole node with simulated clients that walk through zones, and a store that another process
//! locks.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use outbox::{PageQuery, Reading, Start, Store, StoreConfig};

use super::*;
use crate::presence::resources;

/// Seconds for which the other process holds the lock, unless this variable says.
const LOCK_VARIABLE: &str = "TRILOBITE_LOCK_S";
const LOCK_S: u64 = 3;

/// Observations folded while the store is locked, at least.
const LOAD: u64 = 1_000;

/// How long anything may take to come true.
const PATIENCE: Duration = Duration::from_secs(60);

/// Told to the process that locks.
const FILE_VARIABLE: &str = "TRILOBITE_LOCK_FILE";

/// The office, in which clients enter and leave sooner than people would want.
fn restless_office() -> LoadedSite {
    let quick = "enter_after_s = 0.5, leave_after_s = 0.5, enter_probability = 0.4, area = [[";
    let office = OFFICE.replace("area = [[", quick);
    sites::prepare(Site::parse(&office).unwrap(), &Calibration::default())
}

fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_true() {
        assert!(began.elapsed() < PATIENCE, "{what} does not come true");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Who is inside by the store; the counts of zones say the same.
fn published(store: &Store) -> BTreeSet<(String, u64)> {
    let read = |reading: &mut Reading<'_>| {
        let mut published = BTreeSet::new();
        for zone in resources::zones(reading, "office")? {
            let inside =
                resources::clients_inside(reading, "office", &zone.zone, None, usize::MAX)?;
            assert_eq!(inside.len() as i64, zone.occupancy, "{}", zone.zone);
            let client = |text: &str| text.parse::<wire::ClientId>().unwrap().0;
            let inside = inside
                .iter()
                .map(|v| (zone.zone.clone(), client(&v.client)));
            published.extend(inside);
        }
        Ok::<_, outbox::SqlError>(published)
    };
    store.read(read).unwrap()
}

/// Another process that holds the store's write lock from now on, until its input ends; and what it
/// says, which somebody must listen to until it ends.
fn lock(file: &Path) -> (Child, impl Iterator<Item = std::io::Result<String>>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture"])
        .arg("demo::zone_tests::hold_the_lock")
        .env(FILE_VARIABLE, file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let held = output.any(|line| line.unwrap() == "held");
    assert!(held, "the other process did not get the lock");
    (child, output)
}

/// Not a test, but what the other process does. Only this program can be that process: a unit test
/// knows no other one of ours, and a lock of the same process would be another thing.
#[test]
#[ignore = "no test of its own: a_locked_store_costs_no_observation_and_ends_with_the_truth starts it \
            as another process that holds the lock of the store"]
fn hold_the_lock() {
    let Ok(file) = std::env::var(FILE_VARIABLE) else {
        eprintln!("skipped: there is no file to lock, since no test started this");
        return;
    };
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    println!("\nheld");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    connection.execute_batch("ROLLBACK").unwrap();
}

#[test]
fn a_locked_store_costs_no_observation_and_ends_with_the_truth() {
    let seconds = std::env::var(LOCK_VARIABLE).map_or(LOCK_S, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outbox.sqlite");
    let store = Store::open(StoreConfig::sqlite(&file), &COMPONENTS).unwrap();
    let loaded = restless_office();
    let args = DemoArgs {
        seconds: None,
        seed: 3,
        clients: 120,
        site: None,
        loss: 0.0,
        burst: 1.0,
        headless: true,
        json: false,
        http: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        record: None,
    };
    let authority = Authority::create().unwrap();
    let (calendar, keeper) = (Calendar::starting_now(), KeyKeeper::new(None));
    let key = keeper.key("office", calendar.current()).unwrap();
    let stage = Arc::new(Stage::new(&loaded.site, &args, &key));
    let node = Node::start(NodeParts {
        calendar,
        keeper,
        sites: vec![loaded.clone()],
        store: Some(store.clone()),
        ..node_parts(&args, &authority).unwrap()
    })
    .unwrap();
    let fleet = Fleet::start(&loaded, &authority, node.quic_address(), &args).unwrap();
    fleet.wait_until_connected(CONNECT_AT_MOST).unwrap();
    let began = Instant::now();
    stage.begin(node.pipeline().time().now_us());
    let driver = Driver::start(stage, fleet.ears(began), began).unwrap();

    let orders = node.presence().unwrap().orders();
    until("a published visit", || published(&store).len() > 20);
    until("access points online", || {
        let aps = store
            .read(|reading| resources::aps(reading, "office"))
            .unwrap();
        aps.len() == loaded.site.anchors.len() && aps.iter().all(|ap| ap.state == "online")
    });

    for kind in ["ap.online", "zone.entered", "zone.left"] {
        let mut query = PageQuery::new(Start::Oldest);
        query.kinds = vec![kind.parse().unwrap()];
        until(kind, || !store.page(&query).unwrap().messages.is_empty());
    }

    let (mut child, output) = lock(&file);
    let began = Instant::now();
    let before = (node.pipeline().snapshot(), orders.counts());
    until("changes that wait for the store", || {
        orders.counts().waiting > 0
    });
    let locked = orders.counts().written;
    let folded = |snapshot: &ingest::Snapshot| snapshot.books().folded.observations;
    until("a lock of that length under load", || {
        let load = folded(&node.pipeline().snapshot()) - folded(&before.0);
        began.elapsed() >= Duration::from_secs(seconds) && load > LOAD
    });
    let meanwhile = (orders.counts().written, began.elapsed().as_secs_f64());
    drop(child.stdin.take());
    output.for_each(drop);
    assert!(child.wait().unwrap().success());
    let after = (node.pipeline().snapshot(), orders.counts());
    let dropped = |snapshot: &ingest::Snapshot| {
        snapshot.books().dropped_node.total().observations + snapshot.fixes_dropped()
    };
    let load = folded(&after.0) - folded(&before.0);
    assert_eq!(meanwhile.0, locked, "something was written past the lock");
    assert_eq!(dropped(&after.0), dropped(&before.0));
    assert_eq!(after.1.dropped, 0);
    let fixes = after.1.taken - before.1.taken;
    println!(
        "locked for {:.1} s: {load} observations, {fixes} fixes, {} changes waited at the end; 0 \
         observations, fixes or changes dropped",
        meanwhile.1, after.1.waiting,
    );

    driver.stop();
    until("the true state in the store", || {
        orders.counts().waiting == 0 && published(&store) == orders.truth()
    });

    // One client is erased; then nobody knows of it.
    let (_, client) = published(&store).first().unwrap().clone();
    let client = wire::ClientId(client).to_string();
    orders.erase("office", &client).unwrap();
    assert!(
        published(&store)
            .iter()
            .all(|(_, id)| wire::ClientId(*id).to_string() != client)
    );
    let read = |reading: &mut Reading<'_>| resources::client(reading, "office", &client);
    assert_eq!(store.read(read).unwrap().unwrap().state, "erased");
    fleet.leave();
    node.stop(DRAIN_AT_MOST);
    assert!(
        !published(&store).is_empty(),
        "a stop of the node is no leaving"
    );
}
