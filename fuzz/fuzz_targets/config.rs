//! Any text is a configuration of an agent or refused with a place inside it.

#![no_main]

use std::path::Path;

use agent::config::FileConfig;
use libfuzzer_sys::fuzz_target;

/// What every configuration needs: the fuzzer would spend its time on guessing it.
const BEGIN: &str = "nodes = [\"node:4433\"]\n[identity]\nauthority = \"ca.pem\"\n\
                     certificate = \"agent.pem\"\nkey = \"agent.key\"\n";

fuzz_target!(|text: &str| {
    check(text);
    check(&[BEGIN, text].concat());
});

fn check(text: &str) {
    match FileConfig::parse(text, Path::new("fuzz")) {
        Ok(config) => assert!(!config.agent.nodes.is_empty()),
        // A mistake that quotes the text must not bring all of it along.
        Err(error) => assert!(error.to_string().len() <= 2 * text.len() + 1_000),
    }
}
