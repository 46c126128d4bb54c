//! Who may do what: one function for every route of both listeners and for every message.
//!
//! Each route of the table carries the policy of each of its methods; nothing else decides. A message
//! is shown to whom its type is granted *and* who may read its resource, by the policy of the very route
//! that would answer for it: no id is ever visible whose resource would be refused.

use std::sync::LazyLock;

use axum::http::Method;
use outbox::Message;
use outbox::consumer::{Grant, May};

use super::routes::table;

/// Resources of all sites lie below it.
pub(crate) const SITES: &str = "/api/v1/sites";

/// Consumers, which belong to no site, lie below it.
pub(super) const CONSUMERS: &str = "/api/v1/consumers/";

/// Types of what is no message but telemetry: whoever reads positions has been granted them by name.
pub(super) const POSITIONS: &[&str] = &["position.*"];

/// Types that tell of a client by itself: who has no positions reads only what became of it.
pub(super) const CLIENTS: &[&str] = &["client.*", "position.*"];

/// Whatever types were granted.
pub(super) const ANY: &[&str] = &["*"];

/// Who may use a method of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Everybody: it tells nothing of a building.
    Open,
    /// Whoever has a token; the handler shows what the token's sites allow.
    Token,
    /// Who reaches the site in the path and was granted one of these types.
    Site(&'static [&'static str]),
    /// Who reaches all sites and was granted one of these types: it tells of all at once.
    AllSites(&'static [&'static str]),
    /// Who reaches the site in the path and may give orders.
    Order,
    /// Who may poll; each message is looked at by itself.
    Messages,
}

impl Policy {
    /// Whether a grant allows it for a path, whose parameters are decoded.
    pub(crate) fn allows(self, grant: &Grant, path: &str) -> bool {
        match self {
            Self::Open | Self::Token => true,
            Self::Site(kinds) => is_plain(path) && grant.reaches(path) && grant.meets(kinds),
            Self::AllSites(kinds) => grant.reaches(SITES) && grant.meets(kinds),
            Self::Order => is_plain(path) && grant.reaches(path) && grant.may() >= May::Admin,
            Self::Messages => grant.may() >= May::ReadMessages,
        }
    }
}

/// Whether a message is for whom this was granted to.
pub(crate) fn sees(grant: &Grant, message: &Message) -> bool {
    let resource = message.resource.as_str();
    grant.takes(&message.kind)
        && Policy::Messages.allows(grant, resource)
        && PATHS
            .policy(resource)
            .is_some_and(|policy| policy.allows(grant, resource))
}

/// A path in which no parameter reaches out of its place: it means to the handler what it means here.
fn is_plain(path: &str) -> bool {
    let mut segments = path.split('/').skip(1);
    segments.all(|segment| !["", ".", ".."].contains(&segment))
}

/// The policies of reading, by path.
static PATHS: LazyLock<Paths> = LazyLock::new(Paths::new);

struct Paths(Vec<(Vec<&'static str>, Policy)>);

impl Paths {
    fn new() -> Self {
        let table = table();
        let reads = table.iter().flat_map(|route| {
            let verbs = route.verbs.iter().filter(|verb| verb.method == Method::GET);
            verbs.map(|verb| (route.path.split('/').collect(), verb.policy))
        });
        Self(reads.collect())
    }

    /// The policy of the route that answers `GET path`: a literal segment before a parameter.
    fn policy(&self, path: &str) -> Option<Policy> {
        let fits = |template: &[&str]| {
            let mut segments = path.split('/');
            let fit = template.iter().all(|part| {
                segments
                    .next()
                    .is_some_and(|segment| part.starts_with('{') || *part == segment)
            });
            fit && segments.next().is_none()
        };
        let fitting = self.0.iter().filter(|(template, _)| fits(template));
        let literal = |template: &[&str]| {
            template
                .iter()
                .filter(|part| !part.starts_with('{'))
                .count()
        };
        fitting
            .max_by_key(|(template, _)| literal(template))
            .map(|(_, policy)| *policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(may: May, site: &str, kind: &str) -> Grant {
        let under = match site {
            "*" => SITES.to_owned(),
            site => format!("{SITES}/{site}"),
        };
        Grant::new(may, [under.as_str()], [kind]).unwrap()
    }

    fn message(kind: &str, resource: &str) -> Message {
        Message::new(kind.parse().unwrap(), resource.parse().unwrap())
    }

    #[test]
    fn a_message_is_seen_by_who_may_read_its_resource_and_has_its_type() {
        let site = "/api/v1/sites/hq";
        let seen = |grant: &Grant, kind, resource| sees(grant, &message(kind, resource));
        let all = grant(May::ReadMessages, "hq", "*");
        assert!(seen(&all, "calibration.changed", site));
        assert!(seen(
            &all,
            "client.erased",
            "/api/v1/sites/hq/clients/0000000000000001"
        ));
        assert!(!seen(&all, "site.owner", "/api/v1/sites/hq2"));
        assert!(
            !seen(&all, "site.owner", "/api/v1/ledger"),
            "not below the site"
        );
        assert!(
            !seen(&all, "site.owner", "/api/v1/sites/hq/nothing"),
            "no route, so 404"
        );
        assert!(!seen(
            &grant(May::ReadMessages, "hq", "zone.*"),
            "calibration.changed",
            site
        ));
        assert!(!seen(
            &grant(May::ReadResources, "hq", "*"),
            "calibration.changed",
            site
        ));
        let everything = Grant::everything();
        assert!(seen(&everything, "site.owner", site));
        assert!(!seen(&everything, "site.owner", "/api/v1/sites/hq/nothing"));
    }

    #[test]
    fn a_parameter_that_reaches_out_of_its_place_is_of_no_site() {
        let policy = Policy::Site(ANY);
        let hq = grant(May::Admin, "hq", "*");
        assert!(policy.allows(&hq, "/api/v1/sites/hq/zones/a"));
        for path in [
            "/api/v1/sites/hq/../lab",
            "/api/v1/sites/hq//zones",
            "/api/v1/sites/hq/./zones",
            "/api/v1/sites/",
        ] {
            assert!(
                !policy.allows(&hq, path) && !Policy::Order.allows(&hq, path),
                "{path}"
            );
        }
    }
}
