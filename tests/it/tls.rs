//! A node whose listeners speak TLS with a certificate of the own authority, and the commands that
//! ask it with a token.

use std::process::Output;
use std::time::{Duration, Instant};

use crate::process::{Folder, NODE, NodeProcess, PATIENCE, start_agent};

/// Both listeners with TLS, and a consumer's token that may do all in the file `token`.
fn encrypted() -> (Folder, NodeProcess) {
    let folder = Folder::new();
    let config = std::fs::read_to_string(folder.path("node.toml")).unwrap();
    let tls = "[http.tls]\nown = true\n[messages.tls]\nown = true\n[[site]]";
    folder.write("node.toml", &config.replacen("[[site]]", tls, 1));
    let create = [
        "token",
        "create",
        "--name",
        "all",
        "--site",
        "hall",
        "--type",
        "*",
        "--may",
        "admin",
        "--config",
        "node.toml",
    ];
    let told = String::from_utf8(folder.run_node_command(&create).stdout).unwrap();
    let token = told
        .split_whitespace()
        .find(|word| word.starts_with("trilobite-token-"));
    folder.write("token", token.unwrap());
    let node = NodeProcess::start(&folder);
    (folder, node)
}

fn on_localhost(address: &str) -> String {
    format!("https://localhost:{}", address.rsplit_once(':').unwrap().1)
}

fn run(folder: &Folder, args: &[&str]) -> Output {
    let mut command = folder.command(NODE);
    command.args(args).env("TRILOBITE_LOG", "warn");
    command.output().unwrap()
}

#[track_caller]
fn refused(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{told}");
    told
}

#[test]
fn an_inbox_polls_over_tls_and_trusts_the_own_authority_only() {
    let (folder, node) = encrypted();
    let config = folder.configure_agent("hall-01", "pki");
    let _agent = start_agent(&folder, &config);
    let url = on_localhost(node.messages());
    let poll = |more: &[&str]| {
        let exec = r#"echo "$3 $4" >> got"#;
        let usual = [
            "inbox",
            "poll",
            "--once",
            "--type",
            "ap.online",
            "--url",
            &url,
        ];
        run(&folder, &[&usual[..], &["--exec", exec], more].concat())
    };
    let began = Instant::now();
    loop {
        let output = poll(&["--ca", "pki/ca.pem", "--token-file", "token"]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        if String::from_utf8_lossy(&output.stdout).starts_with("1 done") {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "the AP never came online");
        std::thread::sleep(Duration::from_millis(50));
    }
    let got = std::fs::read_to_string(folder.path("got")).unwrap();
    assert_eq!(got, "ap.online /api/v1/sites/hall/aps/hall-01\n");

    let told = refused(&poll(&["--ca", "pki/ca.pem", "--name", "nobody"]));
    assert!(told.contains("this needs a token"), "{told}");
    folder.run_node_command(&["ca", "init", "--dir", "other"]);
    let told = refused(&poll(&["--ca", "other/ca.pem", "--token-file", "token"]));
    assert!(told.contains("certificate"), "{told}");
}

#[test]
fn commands_ask_a_node_over_tls_with_a_token() {
    let (folder, node) = encrypted();
    let url = on_localhost(node.http());
    // The authority is the own one unless it is named, and in each case a token is wanted.
    let stranger = ["explain", "00000000000000ff", "--node", &url];
    for ca in [&[][..], &["--ca", "pki/ca.pem"]] {
        let told = refused(&run(&folder, &[&stranger[..], ca].concat()));
        assert!(told.contains("this needs a token"), "{told}");
        let with_token = [&stranger[..], ca, &["--token-file", "token"]].concat();
        let told = refused(&run(&folder, &with_token));
        assert!(told.contains("has heard this client"), "{told}");
    }
    let calibrate = [
        "calibrate",
        "--none",
        "--node",
        &url,
        "--token-file",
        "token",
    ];
    let output = run(&folder, &calibrate);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && told.contains("site \"hall\""),
        "{output:?}"
    );
    folder.run_node_command(&["ca", "init", "--dir", "other"]);
    let told = refused(&run(
        &folder,
        &[&calibrate[..], &["--ca", "other/ca.pem"]].concat(),
    ));
    assert!(told.contains("certificate"), "{told}");
}
