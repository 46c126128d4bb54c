//! What a consumer asks the feed, and how that looks in a URL.

use std::fmt::Write as _;
use std::time::Duration;

use crate::Time;
use crate::inbox::feed_page::FeedCursor;

/// Where a request begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// After the page that ended here.
    Cursor(FeedCursor),
    /// At the first message of this time or later.
    Since(Time),
    /// At the oldest that the feed has.
    Oldest,
    /// Behind the newest that the feed has: only what comes from now on.
    Head,
}

/// Why something is asked, and so whether its answer moves the consumer's cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To go on: the page's `next` is the new cursor.
    Onward,
    /// To look again at what should be known: the cursor stays.
    Overlap,
}

/// One request to a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollRequest {
    /// Whether the answer moves the cursor.
    pub purpose: Purpose,
    /// Where to begin.
    pub after: After,
    /// How long the feed may hold the request while it has no news.
    pub wait: Duration,
    /// Most messages to give.
    pub limit: usize,
}

/// Which messages a consumer wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Types, exact or `prefix.*`; none means all.
    pub kinds: Vec<String>,
    /// Sites; none means all.
    pub sites: Vec<String>,
    /// Only the newest message of each resource in a page.
    pub coalesce: bool,
}

impl PollRequest {
    /// The query of the URL, without `?`.
    #[must_use]
    pub fn query(&self, filter: &Filter) -> String {
        let mut query = format!("limit={}", self.limit);
        match &self.after {
            After::Cursor(cursor) => push(&mut query, "after", cursor.as_str()),
            After::Since(time) => push(&mut query, "since", &time.to_string()),
            After::Oldest => {}
            After::Head => push(&mut query, "after", "head"),
        }
        if self.wait > Duration::ZERO {
            push(&mut query, "wait", &self.wait.as_secs().max(1).to_string());
        }
        for kind in &filter.kinds {
            push(&mut query, "type", kind);
        }
        for site in &filter.sites {
            push(&mut query, "site", site);
        }
        if filter.coalesce {
            push(&mut query, "coalesce", "resource");
        }
        query
    }
}

/// Appends a parameter; what is not plain is percent-encoded (RFC 3986, section 2).
fn push(query: &mut String, name: &str, value: &str) {
    query.push('&');
    query.push_str(name);
    query.push('=');
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~*".contains(&byte) {
            query.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(query, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(after: After, wait: u64, filter: &Filter, expected: &str) {
        let request = PollRequest {
            purpose: Purpose::Onward,
            after,
            wait: Duration::from_secs(wait),
            limit: 10,
        };
        assert_eq!(request.query(filter), expected);
    }

    #[test]
    fn a_query_says_all_and_nothing_breaks_out_of_it() {
        let all = Filter::default();
        check(After::Oldest, 0, &all, "limit=10");
        let cursor = "a&b=c 1+2".parse::<FeedCursor>();
        assert!(cursor.is_err(), "a cursor has no blank");
        let cursor: FeedCursor = "a&b=c+#2".parse().unwrap();
        check(
            After::Cursor(cursor),
            30,
            &all,
            "limit=10&after=a%26b%3Dc%2B%232&wait=30",
        );
        let some = Filter {
            kinds: vec!["zone.*".into(), "ap.online".into()],
            sites: vec!["h q&".into()],
            coalesce: true,
        };
        check(
            After::Head,
            0,
            &some,
            "limit=10&after=head&type=zone.*&type=ap.online&site=h%20q%26&coalesce=resource",
        );
    }
}
