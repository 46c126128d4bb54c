//! From the workers' snapshots to what readers see.

use hdrhistogram::Histogram;
use ingest::Snapshot;

use crate::status::{
    AgentView, Books, CountedView, LatencyView, LedgerView, StatusView, Tally, WorkerView,
};

/// The status as of a snapshot taken at `now_us` of the node's clock, without relays, which it does not know.
pub fn status_view(snapshot: &Snapshot, now_us: u64) -> StatusView {
    let mut sites: Vec<(String, ingest::Books)> = Vec::new();
    let mut agents = Vec::new();
    for agent in snapshot.agents() {
        let site = agent.site.to_string();
        match sites.iter_mut().find(|(name, _)| *name == site) {
            Some((_, books)) => *books += agent.books,
            None => sites.push((site.clone(), agent.books)),
        }
        agents.push(AgentView {
            agent: agent.agent.to_string(),
            site,
            connected: agent.session.is_some(),
            books: books_view(&agent.books),
            remote: agent
                .connection
                .map(|c| c.remote.to_string())
                .unwrap_or_default(),
            rtt_ms: agent.connection.map_or(0.0, |c| c.rtt.as_secs_f64() * 1e3),
            last_heard_s: now_us.saturating_sub(agent.heard_at_us) as f64 * 1e-6,
            counted: agent.counted.map(|counted| CountedView {
                interval: counted.interval,
                length_ms: counted.length_ms,
                devices: counted.devices,
                frames: counted.frames,
            }),
        });
    }
    let sites = sites
        .iter()
        .map(|(name, books)| (name.clone(), books_view(books)))
        .collect();
    let ledger = LedgerView {
        total: books_view(&snapshot.books()),
        sites,
        agents,
    };
    StatusView {
        ledger,
        latency: latency_view(&snapshot.latency_us()),
        folded_latency: latency_view(&snapshot.folded_us()),
        workers: worker_views(snapshot),
        relays: Vec::new(),
    }
}

fn books_view(books: &ingest::Books) -> Books {
    let agent = &books.dropped_agent;
    Books {
        offered: tally(books.offered),
        dropped_agent: tally(books.dropped_agent_total()),
        lost: tally(books.lost),
        unknown: tally(books.unknown),
        received: tally(books.received),
        dropped_node: tally(books.dropped_node.total()),
        folded: tally(books.folded),
        residual: tally(books.residual()),
        dropped_agent_by_reason: vec![
            ("queue_full", agent.queue_full),
            ("too_old", agent.too_old),
            ("disconnected", agent.disconnected),
            ("unsent", agent.unsent),
        ],
        dropped_node_by_reason: books
            .dropped_node
            .iter()
            .map(|(reason, dropped)| (reason.as_str(), tally(dropped)))
            .collect(),
    }
}

fn tally(tally: ingest::Tally) -> Tally {
    Tally {
        observations: tally.observations,
        datagrams: tally.datagrams,
    }
}

fn latency_view(latency_us: &Histogram<u64>) -> LatencyView {
    let ms = |quantile| latency_us.value_at_quantile(quantile) as f64 * 1e-3;
    LatencyView {
        p50_ms: ms(0.5),
        p90_ms: ms(0.9),
        p99_ms: ms(0.99),
        p999_ms: ms(0.999),
        max_ms: ms(1.0),
    }
}

fn worker_views(snapshot: &Snapshot) -> Vec<WorkerView> {
    snapshot
        .workers
        .iter()
        .map(|worker| WorkerView {
            clients: worker
                .clients_by_site
                .iter()
                .map(|(_, clients)| *clients as u64)
                .sum(),
            fixes: worker.fixes_made,
            queue_dropped_fixes: worker.fixes_dropped,
            rounds_skipped: worker.rounds_skipped,
            cpu_s: worker.cpu.map_or(0.0, |cpu| cpu.as_secs_f64()),
            solve_cpu_s: worker.solve_cpu.map_or(0.0, |cpu| cpu.as_secs_f64()),
        })
        .collect()
}
