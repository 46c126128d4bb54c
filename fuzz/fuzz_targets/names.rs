//! Any text is a token, a fingerprint, an identity, a name or an address, or refused; what is one is
//! written as it was read.

#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use agent::address::{Address, AddressPrefix};
use agent::route::NodeAddress;
use libfuzzer_sys::fuzz_target;
use link::Identity;
use wire::enrol::{Fingerprint, JoinToken};
use wire::{AgentName, ApName, ClientId, ClientName, SiteName};

fuzz_target!(|text: &str| {
    check::<JoinToken>(text);
    check::<Fingerprint>(text);
    check::<Identity>(text);
    check::<ClientId>(text);
    check::<NodeAddress>(text);
    check::<AgentName>(text);
    check::<ApName>(text);
    check::<ClientName>(text);
    check::<SiteName>(text);
    let name = text.parse::<ApName>();
    assert!(name.is_err() || (1..=63).contains(&text.len()));
    // Addresses are not written at all.
    let _ = text.parse::<Address>();
    let _ = text.parse::<AddressPrefix>();
});

fn check<T: FromStr + Display + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert!(value.to_string().parse().is_ok_and(|again: T| again == value));
    }
}
