//! A token as a line of text: hash, agent, site, made, until, and when and with which key it was
//! redeemed, or two dashes.

use std::fmt::Write as _;

use super::{Redeemed, TokenEntry};
use crate::signing_request::KEY_BYTES;

const HEAD: &str = "# Join tokens of this authority. Kept by \"trilobite token\" and the node; their \
                    secrets are not here.\n\
                    # hash agent site made until redeemed key\n";

pub(super) fn text(entries: &[TokenEntry]) -> String {
    let mut text = HEAD.to_owned();
    for entry in entries {
        let TokenEntry {
            hash,
            agent,
            site,
            made_unix_s,
            until_unix_s,
            redeemed,
        } = entry;
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{} {agent} {site} {made_unix_s} {until_unix_s}",
            hash.to_hex()
        );
        let _ = match redeemed {
            None => writeln!(text, " - -"),
            Some(Redeemed { at_unix_s, key }) => {
                writeln!(text, " {at_unix_s} {}", blake3::Hash::from(*key).to_hex())
            }
        };
    }
    text
}

pub(super) fn parse(line: &str) -> Option<TokenEntry> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [hash, agent, site, made, until, redeemed, key] = words[..] else {
        return None;
    };
    let redeemed = match (redeemed, key) {
        ("-", "-") => None,
        (at, key) => Some(Redeemed {
            at_unix_s: at.parse().ok()?,
            key: hex(key)?,
        }),
    };
    Some(TokenEntry {
        hash: hex(hash)?.into(),
        agent: agent.parse().ok()?,
        site: site.parse().ok()?,
        made_unix_s: made.parse().ok()?,
        until_unix_s: until.parse().ok()?,
        redeemed,
    })
}

/// Thirty-two bytes: a hash, or a key that is written like one.
fn hex(text: &str) -> Option<[u8; KEY_BYTES]> {
    Some(*blake3::Hash::from_hex(text).ok()?.as_bytes())
}
