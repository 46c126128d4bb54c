//! Any text is a configuration in UCI or refused at a place inside it; what it says stays in bounds.

#![no_main]

use std::path::Path;

use agent::config::FileConfig;
use agent::config::uci::parse;
use agent::limits::{UCI_ENTRIES_MAX, UCI_SECTIONS_MAX, UCI_VALUES_MAX};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse(text) {
        Ok(sections) => {
            assert!(sections.len() <= UCI_SECTIONS_MAX);
            for section in &sections {
                assert!(text.get(section.at.clone()).is_some());
                assert!(section.entries.len() <= UCI_ENTRIES_MAX);
                for entry in &section.entries {
                    assert!((1..=UCI_VALUES_MAX).contains(&entry.values.len()));
                }
            }
        }
        Err(error) => assert!(text.get(error.at).is_some()),
    }
    let _ = FileConfig::parse(text, Path::new("fuzz"));
});
