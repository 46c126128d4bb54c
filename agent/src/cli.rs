//! The command line: words in, exit code out.

#[cfg(feature = "pcap")]
mod decode;
mod enroll;
mod line;
#[cfg(feature = "pcap")]
mod privacy;
mod run;
mod status;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::PROGRAM;
use crate::config::hint;
use crate::intake::in_one_line;
use line::{Line, Misuse, Takes};

/// Something went wrong while running.
const FAILED: u8 = 1;

/// The command line or the configuration is wrong; nothing was done.
const MISUSED: u8 = 2;

const HELP: &str = "\
Listens on an access point and tells a Trilobite node who was heard how strongly.

The agent reads its sources (radios of this device, a capture, a recording), replaces addresses by
pseudonyms, packs what it heard into small batches and sends them to a node over QUIC. What cannot
be sent in time is dropped and counted: positions of the past are of no use.

Usage: trilobite-agent [--log FILTER] COMMAND

Commands:
";

const HELP_OPTIONS: &str = "
Options, with every command:
  --log FILTER   what to log on stderr: error, warn, info, debug or trace; or a filter such as
                 agent=debug [environment: TRILOBITE_LOG] [default: info]
  -h, --help     this help; behind a command, that command's
  -V, --version  the version
";

/// What the command line asks for.
#[derive(Debug)]
pub struct Cli {
    /// What to log on stderr: error, warn, info, debug or trace; or a filter such as agent=debug.
    pub log: String,
    command: Command,
}

#[derive(Debug)]
enum Command {
    Run(run::RunArgs),
    Enroll(enroll::EnrollArgs),
    Status(status::StatusArgs),
    #[cfg(feature = "pcap")]
    Decode(decode::DecodeArgs),
    #[cfg(feature = "pcap")]
    Privacy(privacy::PrivacyArgs),
}

/// A command as it is written, and how to read what follows it.
struct Known {
    name: &'static str,
    summary: &'static str,
    help: &'static str,
    takes: Takes,
    read: fn(Line) -> Result<Command, Misuse>,
}

const COMMANDS: &[Known] = &[
    Known {
        name: "run",
        summary: "run the agent until Ctrl-C, or until its sources have given out everything",
        help: run::HELP,
        takes: run::TAKES,
        read: |line| run::RunArgs::read(line).map(Command::Run),
    },
    Known {
        name: "enroll",
        summary: "make this device an agent: make its key, get its certificate from a node",
        help: enroll::HELP,
        takes: enroll::TAKES,
        read: |line| enroll::EnrollArgs::read(line).map(Command::Enroll),
    },
    Known {
        name: "status",
        summary: "show how the agent on this device is doing",
        help: status::HELP,
        takes: status::TAKES,
        read: |line| Ok(Command::Status(status::StatusArgs::read(line))),
    },
    #[cfg(feature = "pcap")]
    Known {
        name: "decode",
        summary: "show what a Wi-Fi capture holds, without sending anything",
        help: decode::HELP,
        takes: decode::TAKES,
        read: |line| decode::DecodeArgs::read(line).map(Command::Decode),
    },
    #[cfg(feature = "pcap")]
    Known {
        name: "privacy",
        summary: "show what of a Wi-Fi capture would leave this device, field by field",
        help: privacy::HELP,
        takes: privacy::TAKES,
        read: |line| privacy::PrivacyArgs::read(line).map(Command::Privacy),
    },
];

/// Why there is nothing to do.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// Somebody asked for this text.
    Told(String),
    /// What is wrong.
    Misused(String),
}

impl Cli {
    /// Reads the words behind the program's name; ends the program with help, the version, or what is
    /// wrong.
    pub fn parse() -> Self {
        match Self::read(std::env::args_os().skip(1)) {
            Ok(cli) => cli,
            Err(Stop::Told(text)) => {
                // Who closes the pipe has seen enough.
                let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
                std::process::exit(0)
            }
            Err(Stop::Misused(text)) => {
                eprintln!("{text}");
                std::process::exit(MISUSED.into())
            }
        }
    }

    fn read(mut words: impl Iterator<Item = OsString>) -> Result<Self, Stop> {
        let nothing = Takes {
            options: &[],
            word: None,
        };
        let (mut front, command) =
            Line::read(&mut words, nothing, true).map_err(|error| misused("", &error))?;
        stop_if_asked(&front, help)?;
        let known = match command {
            Some(name) if name == "help" => return Err(help_about(words.next())),
            Some(name) => known(&name)?,
            None => {
                return Err(Stop::Misused(format!(
                    "trilobite-agent: no command; {}",
                    use_one()
                )));
            }
        };
        let wrong = |error| misused(known.name, &error);
        let (mut line, _) = Line::read(&mut words, known.takes, false).map_err(wrong)?;
        stop_if_asked(&line, || known.help.to_owned())?;
        let behind = line.text("--log").map_err(wrong)?;
        let log = match behind {
            Some(log) => Some(log),
            None => front
                .text("--log")
                .map_err(wrong)?
                .or(from_environment("TRILOBITE_LOG")),
        };
        Ok(Self {
            log: log.unwrap_or_else(|| "info".to_owned()),
            command: (known.read)(line).map_err(wrong)?,
        })
    }
}

/// A setting of the environment; one without a value is none.
fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn stop_if_asked(line: &Line, help: impl Fn() -> String) -> Result<(), Stop> {
    if line.has("--help") || line.has("-h") {
        return Err(Stop::Told(help()));
    }
    if line.has("--version") || line.has("-V") {
        return Err(Stop::Told(format!("{PROGRAM}\n")));
    }
    Ok(())
}

fn help() -> String {
    let mut text = HELP.to_owned();
    for Known { name, summary, .. } in COMMANDS {
        text += &format!("  {name:8} {summary}\n");
    }
    text + HELP_OPTIONS
}

fn help_about(command: Option<OsString>) -> Stop {
    match command.map(|name| known(&name)) {
        None => Stop::Told(help()),
        Some(Ok(known)) => Stop::Told(known.help.to_owned()),
        Some(Err(stop)) => stop,
    }
}

fn known(name: &OsString) -> Result<&'static Known, Stop> {
    let is_it = |known: &&Known| name == known.name;
    COMMANDS.iter().find(is_it).ok_or_else(|| {
        let names: Vec<_> = COMMANDS.iter().map(|known| known.name).collect();
        let near = name.to_str().and_then(|name| hint::nearest(name, &names));
        let near = near
            .map(|near| format!("did you mean {near}? "))
            .unwrap_or_default();
        Stop::Misused(format!(
            "trilobite-agent: no such command; {near}{}",
            use_one()
        ))
    })
}

fn use_one() -> String {
    let names: Vec<_> = COMMANDS.iter().map(|known| known.name).collect();
    format!("use one of {}, or --help", names.join(", "))
}

fn misused(command: &str, error: &Misuse) -> Stop {
    let program = ["trilobite-agent", command].join(" ");
    let program = program.trim_end();
    Stop::Misused(format!("{program}: {error}; see {program} --help"))
}

/// Does what the command line asks for.
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Run(args) => run::run_agent(&args),
        Command::Enroll(args) => enroll::enroll(args),
        Command::Status(args) => status::status(&args),
        #[cfg(feature = "pcap")]
        Command::Decode(args) => decode::decode(&args),
        #[cfg(feature = "pcap")]
        Command::Privacy(args) => privacy::privacy(&args),
    }
}

fn fail(code: u8, error: &dyn std::error::Error) -> ExitCode {
    eprintln!("trilobite-agent: {}", in_one_line(error));
    ExitCode::from(code)
}

#[cfg(test)]
mod tests;
