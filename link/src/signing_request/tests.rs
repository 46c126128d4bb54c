use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, SigningKey,
};

use super::*;

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).unwrap()
}

fn written(key: &KeyPair, agent: Option<&AgentName>) -> Vec<u8> {
    let public = key.public_key_raw().try_into().unwrap();
    write(public, |info| key.sign(info), agent).unwrap()
}

fn agent() -> AgentName {
    AgentName::new("ap-1").unwrap()
}

/// The request that rcgen makes for the same key and name.
fn by_rcgen(key: &KeyPair, names: &[&str]) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for name in names {
        params.distinguished_name.push(DnType::CommonName, *name);
    }
    params.serialize_request(key).unwrap().der().to_vec()
}

#[test]
fn a_request_is_the_one_that_another_program_makes() {
    let key = key();
    assert_eq!(written(&key, None), by_rcgen(&key, &[]));
    assert_eq!(written(&key, Some(&agent())), by_rcgen(&key, &["ap-1"]));
}

#[test]
fn a_request_tells_key_and_name() {
    let key = key();
    let anonymous = SigningRequest::parse(&written(&key, None)).unwrap();
    assert_eq!(anonymous.key(), key.public_key_raw());
    assert!(anonymous.may_be_for(&agent()));

    let named = SigningRequest::parse(&written(&key, Some(&agent()))).unwrap();
    assert!(named.may_be_for(&agent()));
    assert!(!named.may_be_for(&AgentName::new("ap-2").unwrap()));
}

#[test]
fn a_request_for_another_kind_of_key_is_refused() {
    let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let request = by_rcgen(&other, &["ap-1"]);
    assert_eq!(
        SigningRequest::parse(&request),
        Err(SigningRequestError::OtherKey)
    );
}

#[test]
fn a_request_for_a_key_that_the_sender_lacks_is_refused() {
    let (own, other) = (key(), key());
    let mut request = written(&own, None);
    let at = request
        .windows(KEY_BYTES)
        .position(|bytes| bytes == own.public_key_raw())
        .unwrap();
    request[at..at + KEY_BYTES].copy_from_slice(other.public_key_raw());
    assert_eq!(
        SigningRequest::parse(&request),
        Err(SigningRequestError::Signature)
    );
}

#[test]
fn no_damage_gets_through() {
    let request = written(&key(), Some(&agent()));
    for at in 0..request.len() {
        for bit in 0..8 {
            let mut damaged = request.clone();
            damaged[at] ^= 1 << bit;
            assert!(SigningRequest::parse(&damaged).is_err(), "byte {at}");
        }
        assert!(
            SigningRequest::parse(&request[..at]).is_err(),
            "cut at {at}"
        );
    }
    let mut longer = request;
    longer.push(0);
    assert!(SigningRequest::parse(&longer).is_err());
}

#[test]
fn a_giant_request_is_refused_unread() {
    assert_eq!(
        SigningRequest::parse(&[0x30; SIGNING_REQUEST_BYTES_MAX + 1]),
        Err(SigningRequestError::TooLong(SIGNING_REQUEST_BYTES_MAX + 1))
    );
}
