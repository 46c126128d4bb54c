//! Paths of resources, as messages name them.

use outbox::{Resource, ResourceError};

/// A site.
pub(super) fn site(site: &str) -> Result<Resource, ResourceError> {
    format!("/api/v1/sites/{site}").parse()
}

/// A zone of a site.
pub(super) fn zone(site: &str, zone: &str) -> Result<Resource, ResourceError> {
    format!("/api/v1/sites/{site}/zones/{zone}").parse()
}

/// A client in a zone.
pub(super) fn visit(site: &str, zone: &str, client: &str) -> Result<Resource, ResourceError> {
    format!("/api/v1/sites/{site}/zones/{zone}/clients/{client}").parse()
}

/// An access point.
pub(super) fn ap(site: &str, ap: &str) -> Result<Resource, ResourceError> {
    format!("/api/v1/sites/{site}/aps/{ap}").parse()
}

/// A consumer with a token.
pub(super) fn consumer(name: &str) -> Result<Resource, ResourceError> {
    format!("/api/v1/consumers/{name}").parse()
}

/// A client of a site.
pub(super) fn client(site: &str, client: &str) -> Result<Resource, ResourceError> {
    format!("/api/v1/sites/{site}/clients/{client}").parse()
}
