//! The rig: starts the processes, kills them by plan, ends them in order, and asks for the verdict.

use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use outbox::testing::PostgresServer;
use outbox::{Reading, SqlError, Store};

use crate::folder::{Folder, again};
use crate::journal;
use crate::process::{Process, ROLES, wait_until};
use crate::random::Random;
use crate::verdict;

/// The database as a victim, beside the roles.
const DATABASE: &str = "database";

/// Most bytes that the writer's journal grows by between two kills: some thirty messages.
const GROWTH_BYTES_MAX: u64 = 6_000;

/// How many, of what, in which order.
#[derive(Debug, Clone, Copy)]
struct Plan {
    kills: usize,
    postgres: bool,
    seed: u64,
}

/// Kills a few times over both databases, or as often as it is told.
pub(crate) fn main(arguments: &[String]) -> ExitCode {
    // What runners of tests say to all tests; words without a dash choose tests by name.
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let number = |name: &str| value(name).map(|text| text.parse::<u64>().unwrap());
    let seed = number("--seed").unwrap_or(1);
    let plan = |kills: u64, store: &str| Plan {
        kills: kills as usize,
        postgres: store == "postgres",
        seed,
    };
    let plans = match (number("--kills"), value("--store")) {
        (Some(kills), store) => vec![plan(kills, store.map_or("sqlite", String::as_str))],
        (None, _) => {
            let chosen = arguments.iter().find(|word| !word.starts_with('-'));
            if chosen.is_some_and(|word| !"crash".contains(word.as_str())) {
                return ExitCode::SUCCESS;
            }
            vec![plan(50, "sqlite"), plan(5, "postgres")]
        }
    };
    for plan in plans {
        let place = tempfile::tempdir().unwrap();
        run(plan, place.path());
    }
    ExitCode::SUCCESS
}

fn run(plan: Plan, path: &Path) {
    let began = Instant::now();
    let mut server = None;
    let (store, consumer) = if plan.postgres {
        let Some(made) = PostgresServer::start_below(path).unwrap() else {
            return;
        };
        let places = (made.database().unwrap(), made.database().unwrap());
        server = Some(made);
        places
    } else {
        let place = |name: &str| path.join(name).to_str().unwrap().to_owned();
        (place("outbox.db"), place("consumer.db"))
    };
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let folder = Folder::make(path, &store, &consumer, &url);
    let mut processes: Vec<Process> = ROLES
        .into_iter()
        .map(|role| Process::start(role, &folder, &socket))
        .collect();
    let store = folder.open_store();
    kill_all(plan, &folder, &mut processes, &mut server, &socket, &store);

    let mut faults = Vec::new();
    for process in &mut processes {
        // The writer first, so that the others come to an end behind it.
        verdict::wait_for_all_before(&folder, &store, process);
        process.stop();
        faults.push((process.kills, process.unclean_starts()));
    }
    let database_kills = plan.kills - faults.iter().map(|(kills, _)| kills).sum::<usize>();
    if let Some(server) = &server {
        faults.push((database_kills, server.unclean_starts().unwrap()));
    }
    // The faults took place: a signal ended each victim, and each next start found the traces.
    let kills: usize = faults.iter().map(|(kills, _)| kills).sum();
    assert_eq!(kills, plan.kills, "fewer kills than planned");
    for (kills, unclean) in &faults {
        assert_eq!(kills, unclean, "starts that found traces of a kill");
        assert!(
            *kills > 0 || plan.kills < faults.len(),
            "a role was never killed"
        );
    }
    let found = verdict::judge(&folder, &store);
    println!(
        "{} kills over {} ({}), seed {}, in {:.0?}",
        plan.kills,
        if plan.postgres {
            "PostgreSQL"
        } else {
            "SQLite"
        },
        ROLES
            .iter()
            .chain([&DATABASE])
            .zip(&faults)
            .map(|(role, (kills, _))| format!("{role} {kills}"))
            .collect::<Vec<_>>()
            .join(", "),
        plan.seed,
        began.elapsed(),
    );
    println!("{found}");
    // With few kills of the writer none may fall into a commit.
    let wanted = plan.kills / 10;
    if plan.kills >= 50 {
        assert!(
            found.unanswered >= wanted,
            "only {} commits without an answer, fewer than {wanted}",
            found.unanswered
        );
    }
    store.close();
}

fn kill_all(
    plan: Plan,
    folder: &Folder,
    processes: &mut [Process],
    server: &mut Option<PostgresServer>,
    socket: &TcpListener,
    store: &Store,
) {
    let mut random = Random(plan.seed);
    let victims = ROLES.len() + usize::from(server.is_some());
    let mut turn: Vec<usize> = Vec::new();
    let journal = folder.file("journal");
    for _ in 0..plan.kills {
        // Each comes to its turn, in an order that nobody foresees.
        let victim = turn.pop().unwrap_or_else(|| {
            turn = (0..victims).collect();
            random.shuffle(&mut turn);
            turn.remove(0)
        });
        // Some die while they still start; the others after the writer has come on by so much.
        let growth = match random.below(6) {
            0 => 0,
            _ => random.below(GROWTH_BYTES_MAX),
        };
        let wanted = journal::len(&journal) + growth;
        wait_until("progress of the writer", || {
            journal::len(&journal) >= wanted || {
                processes.iter_mut().for_each(Process::assert_lives);
                false
            }
        });
        std::thread::sleep(Duration::from_micros(random.below(5_000)));
        match processes.get_mut(victim) {
            Some(process) => process.kill(socket),
            None => {
                let server = server.as_mut().unwrap();
                server.kill().unwrap();
                server.start().unwrap();
            }
        }
        let (states, messages) = again(|| store.read(counts));
        assert_eq!(states, messages, "state without message, or the reverse");
    }
}

/// Rows of state, and of messages, at one moment.
fn counts(reading: &mut Reading<'_>) -> Result<(i64, i64), SqlError> {
    let mut count = |sql: &str| reading.query(sql, &[])?[0].integer(0);
    let states = count("SELECT count(*) FROM state")?;
    let mut messages = 0;
    for row in reading.query("SELECT day FROM outbox_day", &[])? {
        let sql = format!("SELECT count(*) FROM outbox_message_{}", row.integer(0)?);
        messages += reading.query(&sql, &[])?[0].integer(0)?;
    }
    Ok((states, messages))
}
