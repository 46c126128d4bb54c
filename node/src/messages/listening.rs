//! The listener: its runtime, its routes, its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use outbox::Store;
use outbox::consumer::Pace;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::limits::{BLOCKING_THREADS_MAX, CONNECTIONS_MAX, SEND_BUFFER_BYTES, THREADS};
use super::poll::Messages;
use crate::http::{self, HttpState, Tls};

/// How long what is under way may go on after the listener stops.
const STOP_MAX: Duration = Duration::from_secs(5);

/// What the listener of messages is made of.
#[derive(Debug)]
pub struct MessagesParts {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Another place where that one is taken.
    pub otherwise: Option<SocketAddr>,
    /// With TLS.
    pub tls: Option<Tls>,
    /// How often each consumer may ask.
    pub pace: Pace,
}

/// A running listener.
#[derive(Debug)]
pub struct Listening {
    runtime: Option<Runtime>,
    address: SocketAddr,
    messages: Arc<Messages>,
    closing: watch::Sender<bool>,
}

impl Listening {
    /// Listens with the routes of `state`, the messages of `store` among them.
    ///
    /// # Errors
    /// Tells which address could not be had, and what to do.
    pub fn start(parts: MessagesParts, store: Store, state: &HttpState) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_name("messages")
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let bound = bind(parts.listen).or_else(|taken| match parts.otherwise {
            Some(otherwise) => bind(otherwise),
            None => Err(taken),
        });
        let listener = bound.with_context(|| {
            let listen = parts.listen;
            format!("cannot serve messages on {listen}; choose another port with messages.listen")
        })?;
        let address = listener.local_addr()?;
        let messages = Arc::new(Messages::new(store, state.door().clone()));
        let state = state.for_messages(messages.clone(), parts.pace);
        let closing = watch::Sender::new(false);
        let mut closed = closing.subscribe();
        let shutdown = async move {
            let _ = closed.wait_for(|closing| *closing).await;
        };
        let serving = http::serve(listener, state, parts.tls, shutdown);
        runtime.spawn(serving);
        drop(entered);
        Ok(Self {
            runtime: Some(runtime),
            address,
            messages,
            closing,
        })
    }

    /// What it answers with.
    pub fn messages(&self) -> &Arc<Messages> {
        &self.messages
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.closing.send_replace(true);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(STOP_MAX);
        }
    }
}

/// With a small send buffer, which its connections inherit.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As the standard library does: a restart finds its port.
    socket.set_reuseaddr(cfg!(unix))?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(CONNECTIONS_MAX.try_into().unwrap_or(u32::MAX))
}
