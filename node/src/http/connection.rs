//! From the listener to the routes: connections, their limits, their end.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::limits::{
    CLOSING_TIME_MAX, CONNECTIONS_MAX, HANDSHAKE_TIME_MAX, HEAD_BYTES_MAX, HEAD_TIME_MAX,
    SWEEP_INTERVAL, WRITE_STALL_MAX,
};
use super::routes::router;
use super::stall::{Patience, StallGuard};
use super::state::{Face, HttpState};
use super::tls::Tls;
use crate::messages::limits as of_messages;

/// Serves the routes on `listener` until `shutdown` resolves, then lets open requests finish: at
/// most [`CLOSING_TIME_MAX`]. Streams end at once. Meanwhile the hub forgets clients that were not
/// seen for long: once for all listeners, so the one of the map sees to it.
pub async fn serve(
    listener: TcpListener,
    state: HttpState,
    tls: Option<Tls>,
    shutdown: impl Future<Output = ()>,
) {
    let mut connections = JoinSet::new();
    let bounds = Bounds::of(state.face);
    {
        let mut shutdown = pin!(shutdown);
        let mut sweep = interval(SWEEP_INTERVAL);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let places = Arc::new(Semaphore::new(bounds.connections_max));
        let service = TowerToHyperService::new(router(state.clone()));
        let accept = async || {
            let place = Arc::clone(&places).acquire_owned().await;
            (accept(&listener).await, place)
        };
        let mut accepting = Box::pin(accept());
        loop {
            tokio::select! {
                (stream, place) = &mut accepting => {
                    let service = service.clone();
                    let closing = state.closing.subscribe();
                    let tls = tls.clone();
                    connections.spawn(async move {
                        welcome(stream, bounds.patience, tls, service, closing).await;
                        drop(place);
                    });
                    accepting.set(accept());
                }
                Some(_) = connections.join_next() => {}
                _ = sweep.tick(), if state.face == Face::Map => {
                    // A million clients take some 10 ms: not on a thread that answers.
                    let hub = Arc::clone(&state.hub);
                    tokio::task::spawn_blocking(move || hub.sweep(Instant::now()));
                }
                () = &mut shutdown => break,
            }
        }
    }
    state.closing.send_replace(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    if timeout(CLOSING_TIME_MAX, finished).await.is_err() {
        tracing::info!(
            connections = connections.len(),
            "http connections cut at shutdown"
        );
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                // Out of file descriptors, mostly: waiting lets others close.
                let hint = "raise the limit of open files if this stays";
                tracing::warn!(%error, hint, "http connection not accepted");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// What bounds the connections of a listener.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    connections_max: usize,
    patience: Patience,
}

impl Bounds {
    fn of(face: Face) -> Self {
        match face {
            Face::Map => Self {
                connections_max: CONNECTIONS_MAX,
                patience: Patience {
                    bytes: 1,
                    time: WRITE_STALL_MAX,
                },
            },
            Face::Messages => Self {
                connections_max: of_messages::CONNECTIONS_MAX,
                patience: Patience {
                    bytes: of_messages::READ_BYTES_MIN,
                    time: of_messages::READ_TIME_MAX,
                },
            },
        }
    }
}

async fn welcome(
    stream: TcpStream,
    patience: Patience,
    tls: Option<Tls>,
    service: TowerToHyperService<axum::Router>,
    closing: watch::Receiver<bool>,
) {
    // Events are small and late ones are worth less; a failure only costs latency.
    let _ = stream.set_nodelay(true);
    let stream = StallGuard::new(stream, patience);
    let Some(tls) = tls else {
        return converse(stream, service, closing).await;
    };
    match timeout(HANDSHAKE_TIME_MAX, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => converse(stream, service, closing).await,
        Ok(Err(error)) => tracing::debug!(%error, "no TLS with a peer"),
        Err(_) => tracing::debug!("a peer did not finish its TLS handshake"),
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    service: TowerToHyperService<axum::Router>,
    mut closing: watch::Receiver<bool>,
) {
    let io = TokioIo::new(stream);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    let mut connection = pin!(http.serve_connection(io, service));
    let ended = {
        let mut closed = pin!(closing.wait_for(|closing| *closing));
        tokio::select! {
            ended = connection.as_mut() => Some(ended),
            _ = &mut closed => None,
        }
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The peer's doing: it went away, stalled or sent something else than HTTP.
        tracing::debug!(%error, "http connection ended");
    }
}
