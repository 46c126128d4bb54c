//! Another language's MessagePack library reads our batches.

use std::io::Write;
use std::process::{Command, Stdio};

use wire::batch::{BatchWriter, Header, SHORT_ID_MAX};
use wire::{ClientId, Kind, Observation, Range, Session};

const HEADER: Header = Header {
    session: Session(u64::MAX),
    sequence: 70_000,
    first_observation: 6_650_000,
    sent_us: 5_000_000,
    radio: 200,
};

fn observations() -> [Observation; 4] {
    let measured = Observation {
        client: ClientId(0x9f0c_4e2a_b1d0_7735),
        heard_at_us: 4_750_000,
        radio: HEADER.radio,
        rssi_dbm: Some(-61),
        noise_dbm: Some(-95),
        channel: 149,
        kind: Kind::Data,
        randomised: false,
        associated: true,
        range: Some(Range {
            distance_mm: -2_000_000_000,
            deviation_mm: Some(65_534),
        }),
    };
    let unmeasured = Observation {
        client: ClientId(1),
        rssi_dbm: None,
        noise_dbm: None,
        kind: Kind::Advertisement,
        randomised: true,
        associated: false,
        range: None,
        ..measured
    };
    let range = Some(Range {
        distance_mm: 4_200,
        deviation_mm: None,
    });
    [
        measured,
        unmeasured,
        Observation {
            kind: Kind::Ranging,
            range,
            ..unmeasured
        },
        Observation {
            client: SHORT_CLIENT,
            range,
            ..measured
        },
    ]
}

/// Whom the short id [`SHORT_ID_MAX`] stands for.
const SHORT_CLIENT: ClientId = ClientId(0x1234_5678_9abc_def0);

const EXPECTED: &str = concat!(
    "[18446744073709551615,70000,6650000,5000000,[",
    r#"["9f0c4e2ab1d07735",4750000,200,-61,-95,149,3,false,true,[-2000000000,65534]],"#,
    r#"["0000000000000001",4750000,200,null,null,149,6,true,false,null],"#,
    r#"["0000000000000001",4750000,200,null,null,149,7,true,false,[4200,null]],"#,
    r#"["123456789abcdef0",4750000,200,-61,-95,149,3,false,true,[4200,null]]"#,
    "]]\n",
);

fn msgpack_installed() -> bool {
    Command::new("python3")
        .args(["-c", "import msgpack"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[test]
fn python_reads_a_batch() {
    if !msgpack_installed() {
        println!("skipped: python3 with the msgpack module is not installed");
        return;
    }
    let mut batch = Vec::new();
    let observations = observations();
    let given = observations
        .iter()
        .map(|o| (o, (o.client == SHORT_CLIENT).then_some(SHORT_ID_MAX)));
    assert_eq!(
        BatchWriter::new(1_200).encode_mixed(&HEADER, given, &mut batch),
        4
    );

    let mut python = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/read_batch.py"))
        .arg(format!("{SHORT_ID_MAX}={SHORT_CLIENT}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 ran a moment ago");
    python
        .stdin
        .take()
        .expect("piped")
        .write_all(&batch)
        .expect("the script reads it all");
    let output = python.wait_with_output().expect("the script ends");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), EXPECTED);
}
