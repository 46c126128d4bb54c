//! The machine that a figure is from.

use std::num::NonZero;

use serde::Serialize;

/// What a reader must know about a machine to judge a figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Model of the processor; `null` where the system does not tell.
    pub cpu: Option<String>,
    /// Cores that this process may use.
    pub cores: usize,
}

impl Machine {
    /// This one.
    pub(super) fn this() -> Self {
        let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            cpu: model(&told),
            cores: std::thread::available_parallelism().map_or(1, NonZero::get),
        }
    }
}

fn model(cpuinfo: &str) -> Option<String> {
    let named = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(named.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_named() {
        let told = "processor\t: 0\nmodel\t\t: 17\nmodel name\t: A B 9000\nflags\t: fpu\n";
        assert_eq!(model(told).as_deref(), Some("A B 9000"));
        assert_eq!(model("processor\t: 0\n"), None);
        assert!(Machine::this().cores > 0);
    }
}
