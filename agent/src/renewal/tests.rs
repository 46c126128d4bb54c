use std::fs;

use link::authority::Authority;
use link::signing_request::SigningRequest;
use tempfile::TempDir;
use wire::AgentName;

use super::*;
use crate::time_of_day::BUILT_UNIX_S;

/// A device with a certificate of a week, and the authority that gave it.
struct Device {
    dir: TempDir,
    authority: Authority,
    renewal: Renewal,
}

const HOUR_US: u64 = 3_600_000_000;

impl Device {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::create().unwrap();
        let (agent, site) = ("ap-1".parse().unwrap(), "hq".parse().unwrap());
        let issued = authority.issue_agent(&agent, &site, 7).unwrap();
        let ca = authority.certificate_pem();
        let credentials =
            AgentCredentials::from_pem(ca, &issued.certificate_pem, &issued.key_pem).unwrap();
        let path = dir.path().join("agent.pem");
        fs::write(&path, &issued.certificate_pem).unwrap();
        let renewal = Renewal::new(credentials, issued.key_pem, ca.to_owned(), path).unwrap();
        Self {
            dir,
            authority,
            renewal,
        }
    }

    /// The second from which on it is to be renewed.
    fn due(&self) -> u64 {
        let (first, last) = (
            self.renewal.credentials.issued_at_unix_s(),
            self.renewal.credentials.expires_at_unix_s(),
        );
        first + (last - first) / 3 * 2
    }

    fn asks(&mut self, now_us: u64) -> bool {
        let own = self.due();
        self.renewal.poll_request(now_us, own).is_some()
    }

    fn grant(&self, request: &Frame, agent: &str) -> String {
        let Frame::Renew { signing_request } = request else {
            panic!("a request");
        };
        let request = SigningRequest::parse(signing_request).unwrap();
        assert!(request.may_be_for(&AgentName::new("ap-1").unwrap()));
        let (agent, site) = (agent.parse().unwrap(), "hq".parse().unwrap());
        self.authority
            .certify_agent(&request, &agent, &site, 30)
            .unwrap()
    }

    fn stored(&self) -> String {
        fs::read_to_string(self.dir.path().join("agent.pem")).unwrap()
    }
}

#[test]
fn it_asks_after_two_thirds_and_stores_what_comes() {
    let mut device = Device::new();
    let due = device.due();
    assert_eq!(device.renewal.poll_request(0, due - 1), None);
    let request = device.renewal.poll_request(0, due).unwrap();
    assert_eq!(device.renewal.poll_request(1, due), None, "it has asked");

    let certificate = device.grant(&request, "ap-1");
    let Outcome::Renewed(renewed) = device.renewal.handle_renewed(&certificate) else {
        panic!("renewed");
    };
    assert!(renewed.expires_at_unix_s() > due + 20 * 86_400);
    assert_eq!(device.stored(), certificate);
    assert_eq!(
        device.renewal.poll_request(HOUR_US, due),
        None,
        "not due any more"
    );

    // After a restart the stored files are what the agent begins with.
    let key = &device.renewal.key_pem;
    let ca = device.authority.certificate_pem();
    let restarted = AgentCredentials::from_pem(ca, &device.stored(), key).unwrap();
    assert_eq!(restarted.expires_at_unix_s(), renewed.expires_at_unix_s());
}

#[test]
fn only_its_own_certificate_is_stored() {
    let mut device = Device::new();
    let before = device.stored();
    let due = device.due();
    let kept = |device: &mut Device, certificate: &str, expected: &str| {
        device.renewal.again_at_us = 0;
        device.renewal.poll_request(0, due).unwrap();
        let Outcome::Kept(why) = device.renewal.handle_renewed(certificate) else {
            panic!("kept");
        };
        assert!(why.contains(expected), "{why}");
    };
    let request = device.renewal.poll_request(0, due).unwrap();
    let other_agent = device.grant(&request, "ap-2");
    let good = device.grant(&request, "ap-1");
    device.renewal.handle_link_lost();
    kept(
        &mut device,
        &other_agent,
        "the certificate of trilobite://hq/ap-2",
    );
    kept(&mut device, "nonsense", "no certificate");
    let stranger = Device::new();
    let of_other_key = stranger.stored();
    kept(&mut device, &of_other_key, "is not the key of");
    assert!(matches!(
        device.renewal.handle_renewed(&good),
        Outcome::Kept(why) if why.contains("nobody asked")
    ));
    assert_eq!(device.stored(), before);
}

#[test]
fn a_node_that_says_no_is_asked_again_within_a_day() {
    let mut device = Device::new();
    let due = device.due();
    assert!(device.asks(0));
    let Outcome::Kept(why) = device.renewal.handle_not_renewed("it has no key", 0, due) else {
        panic!("kept");
    };
    assert!(
        why.starts_with("this certificate ends in 2.3 days: it has no key"),
        "{why}"
    );
    assert!(!device.asks(20 * HOUR_US));
    assert!(device.asks(24 * HOUR_US));
}

#[test]
fn silence_and_lost_links_do_not_end_it() {
    let mut device = Device::new();
    assert!(device.asks(0));
    // Another link: the answer may have been on its way over the last one.
    device.renewal.handle_link_lost();
    assert!(device.asks(1));
    // An older node ignores the frame.
    assert!(!device.asks(ANSWER_MAX_US + 1));
    assert!(!device.asks(ANSWER_MAX_US + 2));
    assert!(device.asks(25 * HOUR_US));
}

#[test]
fn without_a_clock_the_nodes_time_decides() {
    let mut device = Device::new();
    let due = device.due();
    assert_eq!(
        device.renewal.poll_request(0, 1_000),
        None,
        "it is 1970 here"
    );
    device.renewal.handle_time(due - 60, 0);
    assert_eq!(device.renewal.poll_request(59_000_000, 1_000), None);
    assert!(device.renewal.poll_request(60_000_000, 1_000).is_some());
    assert!(due > BUILT_UNIX_S);
}

#[test]
fn a_key_of_another_make_is_not_renewed() {
    let device = Device::new();
    let dir = device.dir.path();
    fs::write(dir.join("ca.pem"), device.authority.certificate_pem()).unwrap();
    fs::write(dir.join("agent.key"), "another kind of key").unwrap();
    let [ca, certificate, key] = ["ca.pem", "agent.pem", "agent.key"].map(|name| dir.join(name));
    let credentials = &device.renewal.credentials;
    let renewal = from_files(credentials, &ca, &certificate, &key).unwrap();
    assert!(renewal.is_none());
    let missing = from_files(credentials, &dir.join("nowhere"), &certificate, &key);
    let error = missing.unwrap_err().to_string();
    assert!(error.contains("nowhere; check the path"), "{error}");
}
