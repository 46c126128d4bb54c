//! TLS of a listener, with a certificate of the own authority.

use std::sync::Arc;

use link::authority::Authority;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::caller::Answer;
use super::office;
use crate::http::{Tls, TlsFiles, serve};

fn write(files: &TlsFiles, authority: &Authority) {
    let names = ["localhost".to_owned(), "node.example".to_owned()];
    let issued = authority.issue_node(&names, 7).unwrap();
    std::fs::write(&files.certificate, issued.certificate_pem).unwrap();
    std::fs::write(&files.key, issued.key_pem).unwrap();
}

async fn livez(address: std::net::SocketAddr, authority: &Authority) -> std::io::Result<u16> {
    let mut roots = RootCertStore::empty();
    let pem = authority.certificate_pem();
    roots
        .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await?;
    let request = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    Ok(Answer::parse(&bytes).status)
}

#[tokio::test]
async fn who_trusts_the_own_authority_is_answered_and_a_reload_takes_the_new_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles {
        certificate: folder.path().join("node.pem"),
        key: folder.path().join("node.key"),
    };
    let (own, next) = (Authority::create().unwrap(), Authority::create().unwrap());
    write(&files, &own);
    let tls = Tls::open(files.clone()).unwrap();
    assert_eq!(tls.names(), ["localhost", "node.example"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (state, ..) = office();
    let serving = tokio::spawn(serve(
        listener,
        state,
        Some(tls.clone()),
        std::future::pending(),
    ));

    assert_eq!(livez(address, &own).await.unwrap(), 200);
    assert!(livez(address, &next).await.is_err());
    // Plain HTTP gets nothing.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain
        .write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut bytes = Vec::new();
    let _ = plain.read_to_end(&mut bytes).await;
    assert!(!bytes.starts_with(b"HTTP"));

    std::fs::write(&files.key, "").unwrap();
    assert!(tls.reload().unwrap_err().to_string().contains("node.key"));
    assert_eq!(
        livez(address, &own).await.unwrap(),
        200,
        "the old one stays"
    );
    write(&files, &next);
    tls.reload().unwrap();
    assert_eq!(livez(address, &next).await.unwrap(), 200);
    assert!(livez(address, &own).await.is_err());
    serving.abort();
}

#[test]
fn unfit_files_are_named_and_no_debug_text_shows_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let files = |one: &str, two: &str| TlsFiles {
        certificate: folder.path().join(format!("{one}.pem")),
        key: folder.path().join(format!("{two}.key")),
    };
    let authority = Authority::create().unwrap();
    write(&files("a", "a"), &authority);
    write(&files("b", "b"), &authority);
    let error = |files| Tls::open(files).unwrap_err().to_string();
    assert!(error(files("none", "a")).contains("none.pem"));
    assert!(error(files("a", "none")).contains("none.key"));
    assert!(error(files("a", "b")).contains("not usable together"));
    let text = format!("{:?}", Tls::open(files("a", "a")).unwrap());
    assert!(
        !text.contains("PRIVATE") && text.contains("a.key"),
        "{text}"
    );
}
