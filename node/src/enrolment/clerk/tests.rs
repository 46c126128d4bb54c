use std::net::Ipv4Addr;
use std::time::Duration;

use link::{AgentCredentials, DeviceKey};
use tempfile::TempDir;
use wire::AgentName;
use wire::enrol::SECRET_BYTES;
use wire::limits::ENROL_REQUEST_BYTES_MAX;

use super::*;

const NOW: u64 = 1_795_000_000;
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A clerk of site `hq` with a book in a folder of its own.
struct Office {
    dir: TempDir,
    authority: Authority,
    clerk: Clerk,
    began: Instant,
}

impl Office {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::create().unwrap();
        let clerk = clerk(&authority, dir.path());
        Self {
            dir,
            authority,
            clerk,
            began: Instant::now(),
        }
    }

    fn token(&self, agent: &str, site: &str) -> [u8; SECRET_BYTES] {
        let (agent, site) = (agent.parse().unwrap(), site.parse().unwrap());
        let fingerprint = self.authority.fingerprint();
        let valid = Duration::from_secs(3_600);
        let book = TokenBook::beside(self.dir.path());
        let token = book.make(&agent, &site, fingerprint, valid, NOW);
        token.unwrap().secret
    }

    fn ask(&mut self, request: &[u8]) -> EnrolAnswer {
        self.clerk.enrol(SOURCE, request, self.began, NOW)
    }

    fn denial(&mut self, request: &[u8]) -> Denial {
        match self.ask(request) {
            EnrolAnswer::Denied { why, .. } => why,
            answer => panic!("denied expected, got {answer:?}"),
        }
    }

    fn granted(&mut self, request: &[u8]) -> Granted {
        match self.ask(request) {
            EnrolAnswer::Granted(granted) => granted,
            answer => panic!("granted expected, got {answer:?}"),
        }
    }
}

fn clerk(authority: &Authority, dir: &Path) -> Clerk {
    let authority = Authority::load(authority.certificate_pem(), &authority.key_pem()).unwrap();
    let sites = vec!["hq".parse().unwrap()];
    Clerk::new(authority, TokenBook::beside(dir), sites, 7)
}

fn request(secret: [u8; SECRET_BYTES], key: &DeviceKey, agent: Option<&str>) -> Vec<u8> {
    let agent = agent.map(|agent| AgentName::new(agent).unwrap());
    let request = EnrolRequest {
        secret,
        signing_request: key.signing_request(agent.as_ref()).unwrap(),
    };
    request.encode().unwrap()
}

fn key() -> DeviceKey {
    DeviceKey::generate().unwrap()
}

#[test]
fn a_token_gives_a_certificate_for_its_agent_and_site() {
    let mut office = Office::new();
    let (key, secret) = (key(), office.token("ap-1", "hq"));
    let granted = office.granted(&request(secret, &key, None));
    let credentials =
        AgentCredentials::from_pem(&granted.authority, &granted.certificate, &key.to_pem());
    let credentials = credentials.unwrap();
    assert_eq!(credentials.identity().to_string(), "trilobite://hq/ap-1");
    let life = credentials.expires_at_unix_s() - credentials.issued_at_unix_s();
    assert!((7 * 86_400..8 * 86_400).contains(&life), "{life} s");
    assert_eq!(granted.time_unix_s, NOW);
}

#[test]
fn an_answer_that_was_lost_is_given_again_to_the_same_key_only() {
    let mut office = Office::new();
    let (first, other, secret) = (key(), key(), office.token("ap-1", "hq"));
    office.granted(&request(secret, &first, None));
    // The node dies before the answer has left, and comes back.
    office.clerk = clerk(&office.authority, office.dir.path());
    assert_eq!(
        office.denial(&request(secret, &other, None)),
        Denial::UsedToken
    );
    let again = office.granted(&request(secret, &first, None));
    AgentCredentials::from_pem(&again.authority, &again.certificate, &first.to_pem()).unwrap();
}

#[test]
fn wrong_requests_are_denied_by_kind_and_leave_the_token_as_it_was() {
    let mut office = Office::new();
    let (key, secret) = (key(), office.token("ap-1", "hq"));
    let good = request(secret, &key, None);
    let not_signed = EnrolRequest {
        secret,
        signing_request: vec![0x30; 200],
    };
    let elsewhere = office.token("ap-2", "elsewhere");
    for (request, expected) in [
        (Vec::new(), Denial::Malformed),
        (vec![0xff; ENROL_REQUEST_BYTES_MAX + 1], Denial::Malformed),
        (good[..good.len() - 1].to_vec(), Denial::Malformed),
        (not_signed.encode().unwrap(), Denial::Malformed),
        (request([0; SECRET_BYTES], &key, None), Denial::UnknownToken),
        (request(secret, &key, Some("ap-2")), Denial::OtherName),
        (request(elsewhere, &key, None), Denial::UnknownSite),
    ] {
        assert_eq!(office.denial(&request), expected);
        // Another source each, so to say.
        office.began += Duration::from_secs(60);
    }
    office.granted(&good);
}

#[test]
fn a_token_that_is_over_gives_nothing() {
    let mut office = Office::new();
    let secret = office.token("ap-1", "hq");
    let request = request(secret, &key(), None);
    let answer = office
        .clerk
        .enrol(SOURCE, &request, office.began, NOW + 3_601);
    let EnrolAnswer::Denied { why, reason } = answer else {
        panic!("over");
    };
    assert_eq!(why, Denial::ExpiredToken);
    assert!(reason.contains("trilobite token join"), "{reason}");
}

#[test]
fn guesses_are_soon_not_listened_to() {
    let mut office = Office::new();
    let (key, secret) = (key(), office.token("ap-1", "hq"));
    for guess in 0..5 {
        let guess = request([guess; SECRET_BYTES], &key, None);
        assert_eq!(office.denial(&guess), Denial::UnknownToken);
    }
    let good = request(secret, &key, None);
    assert_eq!(office.denial(&good), Denial::TooMany);
    office.began += Duration::from_secs(60);
    office.granted(&good);
}

#[test]
fn a_broken_book_is_the_nodes_trouble_and_tells_strangers_nothing() {
    let mut office = Office::new();
    let secret = office.token("ap-1", "hq");
    std::fs::write(office.dir.path().join("join-tokens"), "nonsense").unwrap();
    let EnrolAnswer::Denied { why, reason } = office.ask(&request(secret, &key(), None)) else {
        panic!("denied");
    };
    assert_eq!(why, Denial::NodeTrouble);
    assert!(!reason.contains("join-tokens"), "{reason}");
}

#[test]
fn a_renewal_is_for_the_agent_that_asks() {
    let office = Office::new();
    let key = key();
    let identity: Identity = "trilobite://hq/ap-1".parse().unwrap();
    let own = key.signing_request(Some(&identity.agent)).unwrap();
    let renewed = office.clerk.renew(&identity, &own).unwrap();
    let ca = office.authority.certificate_pem();
    let credentials = AgentCredentials::from_pem(ca, &renewed, &key.to_pem()).unwrap();
    assert_eq!(credentials.identity(), &identity);

    let other: Identity = "trilobite://hq/ap-2".parse().unwrap();
    let error = office.clerk.renew(&other, &own).unwrap_err();
    assert!(error.contains("another agent than ap-2"), "{error}");
    let elsewhere: Identity = "trilobite://elsewhere/ap-1".parse().unwrap();
    assert!(office.clerk.renew(&elsewhere, &own).is_err());
    assert!(office.clerk.renew(&identity, b"nonsense").is_err());
}
