//! A server that wants a certificate, and whose own comes from an authority of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use evoke_model::{Code, Failure, Outcome};
use evoke_ports::Target;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::support::{Seen, deliver, keeper, target};
use crate::testing::job;

/// A certificate and its key, in PEM.
struct Papers {
    cert: String,
    key: String,
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn papers(&self, name: &str) -> Papers {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("names");
        let cert = params.signed_by(&key, &self.0).expect("a certificate");
        Papers { cert: cert.pem(), key: key.serialize_pem() }
    }
}

/// Takes connections of those who have a certificate of the authority.
struct Door {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    connections: Arc<AtomicUsize>,
}

impl axum::serve::Listener for Door {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.expect("a connection");
            match self.acceptor.accept(stream).into_fallible().await {
                Ok(stream) => {
                    self.connections.fetch_add(1, Ordering::Relaxed);
                    return (stream, address);
                }
                // Closing with unread bytes would overtake the alert that says why.
                Err((_, mut stream)) => {
                    tokio::spawn(async move { stream.read_to_end(&mut Vec::new()).await });
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct Server {
    url: String,
    seen: Seen,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(authority: &Authority) -> Self {
        let papers = authority.papers("localhost");
        let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&authority.pem())).expect("an authority");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .expect("a verifier");
        let key = PrivateKeyDer::from_pem_slice(papers.key.as_bytes()).expect("a key");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![certificate(&papers.cert)], key)
            .expect("a certificate");
        config.alpn_protocols = vec!["h2".into(), "http/1.1".into()];
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let url = format!("https://localhost:{}/", listener.local_addr().expect("address").port());
        let (seen, connections) = (Seen::default(), Arc::new(AtomicUsize::new(0)));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let door = Door { listener, acceptor, connections: connections.clone() };
        let app = keeper(seen.clone());
        tokio::spawn(async move { axum::serve(door, app).await.expect("serve") });
        Self { url, seen, connections }
    }

    async fn ask(&self, target: &Arc<dyn Target>, tls: Value) -> Outcome {
        deliver(target, &json!({ "url": self.url, "tls": tls }), job("{}")).await
    }
}

fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Failure(failure) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

#[tokio::test]
async fn both_sides_show_a_certificate() {
    let authority = Authority::new("ours");
    let server = Server::start(&authority).await;
    let Papers { cert, key } = authority.papers("evoke");
    let target = target();
    let good =
        server.ask(&target, json!({ "cert": cert, "key": key, "ca": authority.pem() })).await;
    assert!(matches!(good, Outcome::Success(_)), "{good:?}");

    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("write the file");
        path.to_str().expect("a path").to_owned()
    };
    let files = json!({
        "cert": file("cert.pem", &cert),
        "key": file("key.pem", &key),
        "ca": file("ca.pem", &authority.pem()),
    });
    let from_files = server.ask(&target, files).await;
    assert!(matches!(from_files, Outcome::Success(_)), "{from_files:?}");
    assert_eq!(server.seen.lock().len(), 2);
}

/// Each of the two sides may refuse the other: nothing is sent, and it is tried again later.
#[tokio::test]
async fn whoever_shows_none_or_a_wrong_one_is_refused() {
    let (authority, other) = (Authority::new("ours"), Authority::new("theirs"));
    let server = Server::start(&authority).await;
    let (own, foreign) = (authority.papers("evoke"), other.papers("evoke"));
    let target = target();
    let ca = authority.pem();
    for (tls, word) in [
        (json!({ "ca": ca }), "CertificateRequired"),
        (json!({ "ca": ca, "cert": foreign.cert, "key": foreign.key }), "alert"),
        (json!({ "ca": other.pem(), "cert": own.cert, "key": own.key }), "UnknownIssuer"),
        (json!({ "cert": own.cert, "key": own.key }), "UnknownIssuer"),
    ] {
        let failure = failure(server.ask(&target, tls).await);
        assert_eq!(failure.code, Code::TargetUnreachable, "{failure:?}");
        assert!(failure.message.contains(word), "{failure:?}");
    }
    let plain = deliver(&target, &json!({ "url": server.url }), job("{}")).await;
    assert_eq!(failure(plain).code, Code::TargetUnreachable);
    assert!(server.seen.lock().is_empty());
}

#[tokio::test]
async fn connections_are_shared_by_those_who_show_the_same_certificate() {
    let authority = Authority::new("ours");
    let server = Server::start(&authority).await;
    let (first, second) = (authority.papers("first"), authority.papers("second"));
    let tls =
        |papers: &Papers| json!({ "cert": papers.cert, "key": papers.key, "ca": authority.pem() });
    let target = target();
    let open = |papers| {
        let config = json!({ "url": server.url, "tls": tls(papers) });
        target.open(&config).expect("a valid configuration")
    };
    let endpoints = [open(&first), open(&first), open(&second)];
    for (endpoint, connections) in endpoints.iter().zip([1, 1, 2]) {
        let outcome = endpoint.deliver(job("{}")).await.outcome;
        assert!(matches!(outcome, Outcome::Success(_)), "{outcome:?}");
        assert_eq!(server.connections.load(Ordering::Relaxed), connections);
    }
}
