//! A command, run once: its input, its end, the last words of its errors.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of what a command last said on stderr, kept as its error.
const LAST_WORDS_BYTES_MAX: usize = 1_024;

/// Wait for the rest of stderr after the command ended: a process that it left behind may hold it
/// open for ever.
const LAST_WORDS_WAIT: Duration = Duration::from_millis(500);

/// Longest pause between two looks at whether the command ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// With 0.
    Well,
    /// With another code, or it could not be run, or took too long.
    Badly(String),
    /// By a signal that was not ours.
    Killed(String),
}

/// Runs `sh -c command` with arguments, environment and input, for at most so long.
///
/// It gets a process group of its own: what a terminal sends us does not end it in the middle, and
/// its children go with it when it takes too long.
pub(super) fn run(
    command: &str,
    arguments: &[String],
    environment: &[(&str, String)],
    input: &str,
    at_most: Duration,
) -> Ended {
    let mut shell = Command::new("sh");
    shell.args(["-c", command, "trilobite"]).args(arguments);
    shell.envs(environment.iter().map(|(name, value)| (name, value)));
    shell.stdin(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    let mut child = match shell.spawn() {
        Ok(child) => child,
        Err(error) => return Ended::Badly(format!("sh cannot be started: {error}")),
    };
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read its input is no failure; the input fits into a pipe.
        let _ = stdin.write_all(input.as_bytes());
    }
    let words = LastWords::listen(&mut child);
    match wait(&mut child, at_most) {
        Ok(Some(status)) if status.success() => Ended::Well,
        Ok(Some(status)) => {
            let text = format!("{status}{}", words.heard());
            match status.code() {
                Some(_) => Ended::Badly(text),
                None => Ended::Killed(text),
            }
        }
        Ok(None) => {
            let seconds = at_most.as_secs();
            Ended::Badly(format!("killed after {seconds} s{}", words.heard()))
        }
        Err(error) => Ended::Badly(format!("the command cannot be waited for: {error}")),
    }
}

/// Its end; `None` if it took too long and was killed.
fn wait(child: &mut Child, at_most: Duration) -> std::io::Result<Option<ExitStatus>> {
    let end = Instant::now() + at_most;
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            kill(child);
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LOOK_EVERY);
    }
}

/// Ends the command and what it started.
fn kill(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        // The leader was not waited for yet, so the group's number is still its own.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        return;
    }
    let _ = child.kill();
}

/// Passes a command's stderr on and keeps its end.
struct LastWords {
    kept: Arc<Mutex<Vec<u8>>>,
    listener: Option<thread::JoinHandle<()>>,
}

impl LastWords {
    fn listen(child: &mut Child) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keeping = Arc::clone(&kept);
        let listener = child.stderr.take().map(|mut stderr| {
            thread::spawn(move || {
                let mut chunk = [0; 1_024];
                while let Ok(count @ 1..) = stderr.read(&mut chunk) {
                    let heard = &chunk[..count];
                    // Who does not read our stderr still gets the message handled.
                    let _ = std::io::stderr().write_all(heard);
                    let mut kept = keeping.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.extend_from_slice(heard);
                    let surplus = kept.len().saturating_sub(LAST_WORDS_BYTES_MAX);
                    kept.drain(..surplus);
                }
            })
        });
        Self { kept, listener }
    }

    fn heard(&self) -> String {
        let end = Instant::now() + LAST_WORDS_WAIT;
        while self
            .listener
            .as_ref()
            .is_some_and(|listener| !listener.is_finished())
        {
            if Instant::now() >= end {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        match text.trim() {
            "" => String::new(),
            text => format!(": {text}"),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn ended(command: &str, at_most: Duration) -> Ended {
        let arguments = ["one; two".to_owned()];
        let environment = [("TRILOBITE_MESSAGE_ID", "x $(y)".to_owned())];
        run(command, &arguments, &environment, "{\"a\":1}", at_most)
    }

    #[test]
    fn a_command_gets_arguments_environment_and_input_unchanged() {
        let check = r#"test "$1" = "one; two" && test "$TRILOBITE_MESSAGE_ID" = 'x $(y)' \
            && test "$(cat)" = '{"a":1}'"#;
        assert_eq!(ended(check, LONG), Ended::Well);
        assert_eq!(
            ended("true", LONG),
            Ended::Well,
            "reading the input is not needed"
        );
    }

    #[test]
    fn a_failure_tells_its_code_and_last_words() {
        let Ended::Badly(text) = ended("echo no disk >&2; exit 3", LONG) else {
            panic!("it failed");
        };
        assert_eq!(text, "exit status: 3: no disk");
        let Ended::Badly(text) = ended("yes no | head -c 3000 >&2; echo end >&2; exit 1", LONG)
        else {
            panic!("it failed");
        };
        assert!(text.len() < 1_100 && text.ends_with("end"), "{text}");
        assert!(matches!(ended("kill -9 $$", LONG), Ended::Killed(_)));
    }

    #[test]
    fn one_that_takes_too_long_is_killed_with_its_children() {
        let began = Instant::now();
        let end = ended("sleep 3600 & sleep 3600", Duration::from_millis(50));
        let Ended::Badly(text) = end else {
            panic!("it was killed");
        };
        assert!(text.starts_with("killed after"), "{text}");
        assert!(began.elapsed() < Duration::from_secs(1_800));
    }

    #[test]
    fn a_process_left_behind_does_not_hold_us() {
        assert!(matches!(ended("sleep 2 & exit 1", LONG), Ended::Badly(_)));
    }
}
