//! What the routes read.

use std::fmt;
use std::sync::Arc;

use outbox::Store;
use outbox::consumer::Pace;
use site::Site;
use tokio::sync::{Semaphore, watch};

use super::accuracy;
use super::door::Door;
use super::error::ApiError;
use super::guard::Hosts;
use super::health::Health;
use super::limits::{EXPLAINING_MAX, LISTENING_MAX, STREAMS_MAX};
use super::paces::Paces;
use super::policy::{CONSUMERS, SITES};
use super::workers::Workers;
use crate::alerts::Board;
use crate::body::truth::Truth;
use crate::calibrate::desk::Desk;
use crate::latest::{Hub, HubCounts};
use crate::messages::Messages;
use crate::names::Names;
use crate::presence::{Counted, Orders};
use crate::status::StatusView;

/// A site that the node serves.
#[derive(Debug)]
pub struct SiteEntry {
    /// The building.
    pub site: Site,
}

/// Everything that the routes read; cheap to clone.
#[derive(Clone)]
pub struct HttpState {
    pub(super) sites: Arc<Vec<SiteEntry>>,
    pub(super) hub: Arc<Hub>,
    pub(super) names: Arc<Names>,
    pub(super) health: Arc<Health>,
    pub(super) truth: Option<Arc<TruthSource>>,
    pub(super) streams: Arc<Semaphore>,
    /// Clients listened to for a survey.
    pub(super) listening: Arc<Semaphore>,
    desk: Option<Arc<Desk>>,
    pub(super) explaining: Arc<Semaphore>,
    pub(super) accuracy: Arc<accuracy::Cache>,
    workers: Option<Arc<dyn Workers>>,
    /// Under which hosts the node is known.
    pub(super) hosts: Arc<Hosts>,
    pub(super) closing: watch::Sender<bool>,
    /// Which listener this is.
    pub(super) face: Face,
    /// Who is let in.
    pub(super) door: Arc<Door>,
    /// How often each consumer may ask, where that is bounded.
    pub(super) paces: Option<Arc<Paces>>,
    /// What was published, on the listener of messages.
    pub(super) messages: Option<Arc<Messages>>,
    /// What is unusual, and where polls are counted.
    pub(super) board: Option<Arc<Board>>,
    /// Where the state of zones and access points is read.
    store: Option<Store>,
    /// Who forgets clients.
    orders: Option<Orders>,
    status: Arc<StatusSource>,
}

/// The listeners; each has routes of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// The map, resources and streams.
    Map,
    /// Messages, and the resources they name, without streams.
    Messages,
}

type StatusSource = dyn Fn() -> Arc<StatusView> + Send + Sync;
type TruthSource = dyn Fn() -> Vec<Truth> + Send + Sync;

impl HttpState {
    /// What is always there: the sites, the hub with the same indices, and a function that returns
    /// the newest status snapshot (called once per request that shows it).
    pub fn new(
        sites: Arc<Vec<SiteEntry>>,
        hub: Arc<Hub>,
        status: impl Fn() -> Arc<StatusView> + Send + Sync + 'static,
    ) -> Self {
        Self {
            hub,
            names: Arc::default(),
            health: Arc::default(),
            truth: None,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            listening: Arc::new(Semaphore::new(LISTENING_MAX)),
            desk: None,
            explaining: Arc::new(Semaphore::new(EXPLAINING_MAX)),
            accuracy: Arc::new(accuracy::Cache::new(sites.len())),
            workers: None,
            sites,
            hosts: Arc::default(),
            closing: watch::Sender::new(false),
            face: Face::Map,
            door: Arc::new(Door::open()),
            paces: None,
            messages: None,
            board: None,
            store: None,
            orders: None,
            status: Arc::new(status),
        }
    }

    /// Known under these hosts too, besides loopback addresses and `localhost`.
    #[must_use]
    pub fn with_hosts(self, hosts: &[String]) -> Self {
        Self {
            hosts: Arc::new(Hosts::new(hosts)),
            ..self
        }
    }

    /// With somebody at the door.
    #[must_use]
    pub fn with_door(self, door: Arc<Door>) -> Self {
        Self { door, ..self }
    }

    /// Who is let in.
    pub fn door(&self) -> &Arc<Door> {
        &self.door
    }

    /// With a pace for each consumer.
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self {
            paces: Some(Arc::new(Paces::new(pace))),
            ..self
        }
    }

    /// The same for the listener of messages, which ends by itself.
    #[must_use]
    pub fn for_messages(&self, messages: Arc<Messages>, pace: Pace) -> Self {
        let own = Self {
            face: Face::Messages,
            messages: Some(messages),
            closing: watch::Sender::new(false),
            ..self.clone()
        };
        own.with_pace(pace)
    }

    /// With somebody who looks after what is published and polled.
    #[must_use]
    pub fn with_board(self, board: Arc<Board>) -> Self {
        Self {
            board: Some(board),
            ..self
        }
    }

    /// With names of clients.
    #[must_use]
    pub fn with_names(self, names: Arc<Names>) -> Self {
        Self { names, ..self }
    }

    /// With what the probes show; without it the node is never ready.
    #[must_use]
    pub fn with_health(self, health: Arc<Health>) -> Self {
        Self { health, ..self }
    }

    /// With calibrations that can be learned and replaced.
    #[must_use]
    pub fn with_desk(self, desk: Arc<Desk>) -> Self {
        Self {
            desk: Some(desk),
            ..self
        }
    }

    /// With workers that answer questions about clients and beacons.
    #[must_use]
    pub fn with_workers(self, workers: Arc<dyn Workers>) -> Self {
        Self {
            workers: Some(workers),
            ..self
        }
    }

    /// With the places where simulated clients really are, at `/api/v1/demo/truth`. The truth
    /// belongs to the node's first site.
    #[must_use]
    pub fn with_truth(self, truth: impl Fn() -> Vec<Truth> + Send + Sync + 'static) -> Self {
        Self {
            truth: Some(Arc::new(truth)),
            ..self
        }
    }

    /// Index and building of the site with this id.
    pub(super) fn site(&self, id: &str) -> Result<(usize, &Site), ApiError> {
        let found = self
            .sites
            .iter()
            .enumerate()
            .find(|(_, entry)| entry.site.id == id);
        found
            .map(|(index, entry)| (index, &entry.site))
            .ok_or_else(|| {
                ApiError::not_found(
                    "this node has no such site",
                    "take an id from /api/v1/sites",
                )
            })
    }

    /// Whether a path is below a site that this node serves, for what is not answers 404; or of a
    /// consumer.
    pub(super) fn serves(&self, path: &str) -> bool {
        let below = path
            .strip_prefix(SITES)
            .and_then(|rest| rest.strip_prefix('/'));
        let Some(below) = below else {
            return path.starts_with(CONSUMERS);
        };
        let site = below.split('/').next().unwrap_or_default();
        self.sites.iter().any(|entry| entry.site.id == site)
    }

    /// The calibrations.
    pub(super) fn desk(&self) -> Result<Arc<Desk>, ApiError> {
        self.desk.clone().ok_or_else(|| {
            ApiError::not_found(
                "this node keeps no calibrations",
                "start it with `trilobite serve`",
            )
        })
    }

    /// With zones and access points, and who forgets clients.
    #[must_use]
    pub fn with_presence(self, store: Store, orders: Orders) -> Self {
        Self {
            store: Some(store),
            orders: Some(orders),
            ..self
        }
    }

    /// Where the state of zones and access points is read.
    pub(super) fn store(&self) -> Result<Store, ApiError> {
        self.store.clone().ok_or_else(no_presence)
    }

    /// Who forgets clients.
    pub(super) fn orders(&self) -> Result<Orders, ApiError> {
        self.orders.clone().ok_or_else(no_presence)
    }

    /// How presence fares, if there is any.
    pub(super) fn presence(&self) -> Option<Counted> {
        self.orders.as_ref().map(Orders::counts)
    }

    /// The workers, to be asked.
    pub(super) fn workers(&self) -> Result<Arc<dyn Workers>, ApiError> {
        self.workers.clone().ok_or_else(|| {
            ApiError::not_found(
                "this node has no workers that could be asked",
                "start it with `trilobite serve` or `trilobite demo`",
            )
        })
    }

    /// Each site's id with how its hub has fared.
    pub(super) fn counts(&self) -> Vec<(&str, HubCounts)> {
        let sites = self.sites.iter().enumerate();
        sites
            .map(|(index, entry)| (entry.site.id.as_str(), self.hub.counts(index)))
            .collect()
    }

    pub(super) fn status(&self) -> Arc<StatusView> {
        (self.status)()
    }
}

fn no_presence() -> ApiError {
    ApiError::not_found(
        "this node keeps no state of zones and access points",
        "start it with `trilobite serve` or `trilobite demo`",
    )
}

impl fmt::Debug for HttpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpState")
            .field("sites", &self.sites.len())
            .finish_non_exhaustive()
    }
}
