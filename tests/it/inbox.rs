//! `trilobite inbox` as its users run it: any command handles messages.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use outbox::{Message, Publish as _, PublishError, Store, StoreConfig};
use tempfile::TempDir;

use crate::feed_server::{Answer, Request, Server};
use crate::process::{NODE, PATIENCE};

/// A feed, and a folder for the inbox and for what commands write.
struct Folder {
    dir: TempDir,
    store: Store,
    server: Server,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = StoreConfig::sqlite(dir.path().join("outbox.db"));
        let store = Store::open(config, &[]).unwrap();
        let nothing = |_: &Request| Answer::status("404 Not Found", "{}");
        let server = Server::feed(store.clone(), nothing);
        Self { dir, store, server }
    }

    fn publish(&self, kind: &str, resource: &str) -> Message {
        let message = Message::new(kind.parse().unwrap(), resource.parse().unwrap());
        let published = message.clone();
        self.store
            .transact::<_, PublishError>(move |tx| tx.publish(&published))
            .unwrap();
        message
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(NODE);
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command.arg("inbox").args(args).env("TRILOBITE_LOG", "warn");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Polls until there is nothing more, with this command and more flags.
    fn poll_once(&self, exec: &str, flags: &[&str]) -> Output {
        let usual = ["poll", "--once", "--url", &self.server.url, "--exec", exec];
        self.run(&[&usual, flags].concat())
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.dir.path().join(file)).unwrap_or_default()
    }
}

fn stdout(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

fn wait_for(file: &Path) {
    let began = Instant::now();
    while !file.exists() {
        assert!(began.elapsed() < PATIENCE, "{} never came", file.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn end(mut child: Child) -> std::process::ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_command_gets_each_message_once_in_three_forms() {
    let folder = Folder::new();
    let one = folder.publish("zone.entered", "/api/v1/sites/hq/zones/a");
    folder.publish("ap.offline", "/api/v1/sites/hq/aps/b");
    folder.publish("zone.left", "/api/v1/sites/other/zones/a");
    let exec = r#"test "$1" = "$TRILOBITE_MESSAGE_ID" && test "$4" = "$TRILOBITE_MESSAGE_RESOURCE" \
        && echo "$2 $3" | grep -qx "$TRILOBITE_MESSAGE_TIME $TRILOBITE_MESSAGE_TYPE" && cat >> got"#;
    let flags = ["--type", "zone.*", "--site", "hq"];
    let told = stdout(&folder.poll_once(exec, &flags));
    assert_eq!(told, "1 done, 0 failed, 0 dead\n");
    let got: Message = serde_json::from_str(&folder.text("got")).unwrap();
    assert_eq!(got, one);
    let told = stdout(&folder.poll_once(exec, &flags));
    assert_eq!(told, "0 done, 0 failed, 0 dead\n", "known, and handled");
    let status = stdout(&folder.run(&["status", "--json"]));
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(
        (&status["seen"], &status["waiting"]),
        (&1.into(), &0.into())
    );
}

#[test]
fn what_fails_is_dead_until_it_is_replayed_or_dropped() {
    let folder = Folder::new();
    for number in 0..3 {
        folder.publish("thing.changed", &format!("/things/{number}"));
    }
    folder.publish("thing.fine", "/things/fine");
    let exec = r#"test "$3" = thing.fine || { echo "no disk for $4" >&2; exit 7; }"#;
    let output = folder.poll_once(exec, &["--attempts", "1"]);
    assert_eq!(output.status.code(), Some(1), "something failed");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("1 done, 3 failed, 3 dead"), "{told}");

    let list = stdout(&folder.run(&["dead", "list"]));
    assert_eq!(list.lines().count(), 1, "one failure: {list}");
    assert!(list.contains("exit status: 7: no disk for"), "{list}");
    let group = list.split_whitespace().next().unwrap();
    let letters = stdout(&folder.run(&["dead", "list", "--group", group, "--json"]));
    assert_eq!(letters.lines().count(), 3);
    let letter: serde_json::Value = serde_json::from_str(letters.lines().next().unwrap()).unwrap();
    let id = letter["message"]["id"].as_str().unwrap();
    assert_eq!(
        stdout(&folder.run(&["dead", "drop", "--id", id])),
        "1 dropped\n"
    );
    let unnamed = folder.run(&["dead", "drop"]);
    assert!(!unnamed.status.success(), "not all by mistake");
    let replayed = stdout(&folder.run(&["dead", "replay", "--group", group]));
    assert_eq!(replayed, "2 wait again\n");
    let told = stdout(&folder.poll_once("true", &[]));
    assert_eq!(told, "2 done, 0 failed, 0 dead\n");
    assert_eq!(stdout(&folder.run(&["dead", "list"])), "no dead letters\n");
}

#[cfg(unix)]
#[test]
fn sigterm_lets_the_running_command_end_and_be_marked() {
    let folder = Folder::new();
    let path = |file: &str| folder.dir.path().join(file);
    folder.publish("thing.changed", "/things/1");
    folder.publish("thing.changed", "/things/2");
    let exec =
        "echo $4 >> began; touch here; while ! test -e go; do sleep 0.01; done; echo $4 >> done";
    let mut command = folder.command(&[
        "poll",
        "--url",
        &folder.server.url,
        "--exec",
        exec,
        "--timeout",
        "600",
    ]);
    let child = command.stdout(Stdio::null()).spawn().unwrap();
    wait_for(&path("here"));
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    fs::write(path("go"), "").unwrap();
    assert!(end(child).success(), "a clean end");
    let (began, done) = (folder.text("began"), folder.text("done"));
    assert_eq!(began, done, "what began came to its end");
    let told = stdout(&folder.poll_once("echo $4 >> done", &[]));
    assert!(told.ends_with(" done, 0 failed, 0 dead\n"), "{told}");
    let done = folder.text("done");
    let mut lines: Vec<&str> = done.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["/things/1", "/things/2"],
        "none lost, none repeated"
    );
}

#[test]
fn a_gap_runs_the_resync_command_or_ends_with_where_to_look() {
    let folder = Folder::new();
    folder.publish("thing.changed", "/things/1");
    stdout(&folder.poll_once("true", &[]));
    // The node's store was made anew: the cursor is of another history.
    let config = StoreConfig::sqlite(folder.dir.path().join("other.db"));
    let store = Store::open(config, &[]).unwrap();
    let message = Message::new(
        "thing.changed".parse().unwrap(),
        "/things/2".parse().unwrap(),
    );
    store
        .transact::<_, PublishError>(move |tx| tx.publish(&message))
        .unwrap();
    let server = Server::feed(store, |_: &Request| Answer::status("404 Not Found", "{}"));
    let base = [
        "poll",
        "--once",
        "--url",
        &server.url,
        "--exec",
        "echo $4 >> got",
    ];
    let output = folder.run(&base);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told.contains("/api/v1/sites") && told.contains("--resync"),
        "{told}"
    );
    let resync = ["--resync", "echo $TRILOBITE_RESYNC > resynced"];
    let told = stdout(&folder.run(&[&base[..], &resync].concat()));
    assert_eq!(told, "1 done, 0 failed, 0 dead\n");
    assert_eq!(folder.text("resynced"), "/api/v1/sites\n");
    assert_eq!(folder.text("got"), "/things/2\n");
}

#[test]
fn wrong_words_are_refused_before_anything_runs() {
    let folder = Folder::new();
    let check = |args: &[&str], told: &str| {
        let output = folder.run(args);
        assert!(!output.status.success(), "{args:?}");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(told), "{args:?}: {text}");
    };
    check(
        &["poll", "--exec", "true", "--url", "ftp://a"],
        "is no address",
    );
    check(
        &["poll", "--exec", "true", "--url", "https://a"],
        "certificate",
    );
    check(&["poll", "--exec", "true", "--type", "Zone"], "not a type");
    check(
        &["poll", "--exec", "true", "--from", "then"],
        "use oldest, now or a time",
    );
    check(&["poll", "--exec", "true", "--timeout", "0"], "1 to 86400");
    check(
        &["poll", "--exec", "true", "--name", "a b"],
        "name of the inbox",
    );
    check(
        &["poll", "--exec", "true", "--token-file", "none"],
        "none cannot be read",
    );
    check(&["dead", "list", "--group", "x"], "not a failure");
    check(&["dead", "drop", "--all", "--id", "x"], "--id");
}
