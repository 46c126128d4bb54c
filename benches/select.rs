//! Which cases of a hand-written bench to run: the same words as those of criterion.

/// Options of criterion that are followed by a value, which is no filter.
const WITH_VALUE: [&str; 10] = [
    "--warm-up-time",
    "--measurement-time",
    "--sample-size",
    "--nresamples",
    "--noise-threshold",
    "--confidence-level",
    "--significance-level",
    "--save-baseline",
    "--baseline",
    "--profile-time",
];

/// What the command line asks for.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    filters: Vec<String>,
    quick: bool,
}

impl Selection {
    /// Reads the command line: words are filters; `--quick`, `--test`, and the lack of the
    /// `--bench` that `cargo bench` gives, ask for as little work as still tries everything.
    pub fn from_arguments() -> Self {
        let mut selection = Self {
            quick: true,
            ..Self::default()
        };
        let mut arguments = std::env::args().skip(1).peekable();
        let mut asked_quick = false;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => selection.quick = false,
                "--quick" | "--test" => asked_quick = true,
                option if WITH_VALUE.contains(&option) => drop(arguments.next()),
                option if option.starts_with('-') => {}
                word => selection.filters.push(word.to_owned()),
            }
        }
        selection.quick |= asked_quick;
        selection
    }

    /// Whether this case is asked for: its name contains one of the words, or there is none.
    pub fn has(&self, name: &str) -> bool {
        let mut filters = self.filters.iter();
        self.filters.is_empty() || filters.any(|filter| name.contains(filter.as_str()))
    }

    /// Whether as little work as possible is asked for.
    pub fn is_quick(&self) -> bool {
        self.quick
    }
}
