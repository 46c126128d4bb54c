use std::fs;
use std::path::Path;

use link::authority::Authority;
use wire::enrol::SECRET_BYTES;

use super::*;

fn enrolment(out: &Path, authority: Option<Fingerprint>) -> Enrolment {
    Enrolment {
        node: "127.0.0.1:1".parse().unwrap(),
        server_name: None,
        token: JoinToken {
            secret: [7; SECRET_BYTES],
            authority,
        },
        authority: None,
        out: out.to_owned(),
        write_config: None,
    }
}

async fn refused(enrolment: Enrolment) -> EnrolmentError {
    enrolment.run().await.unwrap_err()
}

const PIN: Fingerprint = Fingerprint([1; 32]);

#[tokio::test]
async fn an_authority_must_be_named_and_only_one() {
    let dir = tempfile::tempdir().unwrap();
    let error = refused(enrolment(dir.path(), None)).await;
    assert!(matches!(error, EnrolmentError::NoFingerprint), "{error}");
    assert!(error.is_misuse());
    let two = Enrolment {
        authority: Some(Fingerprint([2; 32])),
        ..enrolment(dir.path(), Some(PIN))
    };
    let error = refused(two).await;
    assert!(
        matches!(error, EnrolmentError::Fingerprints { .. }),
        "{error}"
    );
    let nothing = fs::read_dir(dir.path()).unwrap().next().is_none();
    assert!(nothing, "nothing was made");
}

#[tokio::test]
async fn a_device_that_is_somebody_stays_so() {
    for name in ["agent.key", "agent.pem", "ca.pem", "agent.toml"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, "what was there").unwrap();
        let enrolment = Enrolment {
            write_config: Some(dir.path().join("agent.toml")),
            ..enrolment(dir.path(), Some(PIN))
        };
        let error = refused(enrolment).await;
        assert!(error.is_misuse(), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(&format!("{name} exists already and was left alone")),
            "{text}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "what was there");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_key_waits_for_its_certificate_and_takes_its_name_last() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::create().unwrap();
    let ca = authority.certificate_pem();
    let pinned = authority.fingerprint();
    let prepare = || Files::prepare(dir.path(), None, pinned);
    let key = prepare().unwrap().key().unwrap().to_pem();
    // The answer was lost, or the power failed: the same key is asked for again.
    fs::write(dir.path().join("ca.pem"), ca).unwrap();
    fs::write(dir.path().join("agent.pem"), "half an ans").unwrap();
    let files = prepare().unwrap();
    assert_eq!(files.key().unwrap().to_pem(), key);

    files.store(ca, "the certificate").unwrap();
    let read = |name| fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(read("agent.key"), key);
    assert_eq!(read("agent.pem"), "the certificate");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    for name in ["agent.key", "agent.pem", "ca.pem"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(dir.path().join(name)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600, "{name}");
    }
    assert!(matches!(prepare(), Err(FilesError::Exists { .. })));
}

#[test]
fn an_authority_that_is_there_already_is_in_nobodys_way() {
    let dir = tempfile::tempdir().unwrap();
    let (own, other) = (Authority::create().unwrap(), Authority::create().unwrap());
    fs::write(dir.path().join("ca.pem"), own.certificate_pem()).unwrap();
    Files::prepare(dir.path(), None, own.fingerprint()).unwrap();
    let other = Files::prepare(dir.path(), None, other.fingerprint());
    assert!(matches!(other, Err(FilesError::Exists { .. })));
}

#[test]
fn the_written_configuration_lacks_nothing_but_a_source() {
    let dir = tempfile::tempdir().unwrap();
    let enrolment = Enrolment {
        server_name: Some("node \"quoted\"".to_owned()),
        write_config: Some(dir.path().join("agent.toml")),
        ..enrolment(dir.path(), Some(PIN))
    };
    let files = Files::prepare(dir.path(), None, PIN).unwrap();
    let text = report::config(&enrolment, &files);
    let path = dir.path().join("agent.toml");
    let parse = |text: &str| crate::config::FileConfig::parse(text, &path);
    let error = parse(&text).unwrap_err().to_string();
    assert!(error.contains("no source; add a [[source]]"), "{error}");
    assert!(text.contains("certificate = \"agent.pem\""), "{text}");
}
