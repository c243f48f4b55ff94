//! Upstreams that speak TLS: gateway and probes trust the authorities that the machine trusts, and nobody
//! else.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;

use super::upstream::{Manner, OK, Upstream};
use super::{call, calls, channel, last, probed, set_up};
use crate::harness::{Client, Folder, Server};

/// An authority of the test's own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    /// Someone whose certificate is for this name or address.
    fn certifies(&self, name: &str) -> TlsAcceptor {
        self.certifies_as(CertificateParams::new([name.to_owned()]).unwrap())
    }

    fn certifies_as(&self, params: CertificateParams) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = rustls::crypto::ring::default_provider();
        let config = ServerConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config).into()
    }
}

/// A server on a machine that trusts this authority.
async fn trusting(authority: &Authority) -> (Server, Folder) {
    let folder = Folder::new();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, &authority.pem).unwrap();
    let settings = [("SSL_CERT_FILE", file.to_str().unwrap())];
    (Server::start_with(&settings, &[]).await, folder)
}

async fn probe(admin: &Client, url: &str) -> Value {
    let probe = json!({"kind": "http", "url": url, "text": "\"ok\":true", "every_secs": 86_400});
    admin.put("/channels/sms", probed(&probe)).await.expect(200);
    let found = admin.post("/channels/sms/probe", json!({})).await;
    found.expect(201)
}

/// A02: calls go through encrypted, over a connection that is used again; the probe finds it well.
#[actix_web::test]
async fn an_encrypted_upstream_is_called_and_probed() {
    let authority = Authority::new();
    let (server, _folder) = trusting(&authority).await;
    let admin = server.admin();
    let upstream = Upstream::encrypted(Manner::Says(OK), authority.certifies("127.0.0.1")).await;
    let key = channel(&admin, &upstream.url, json!({})).await;
    for n in 0..3 {
        let answer = call(&server, &key, &format!("/v1/orders/{n}")).await;
        assert_eq!(answer.expect(200), json!({"ok": true}));
    }
    assert!(upstream.heard(2).starts_with("get /orders/2 http/1.1"));
    // Each thread of the server keeps connections of its own.
    assert!(upstream.connections.get() <= 3);
    assert_eq!(calls(&admin, 3).await[0]["result"], "ok");
    let well = probe(&admin, &upstream.url).await;
    assert_eq!(
        (&well["result"], &well["status"]),
        (&json!("ok"), &json!(200))
    );
}

/// Nothing is sent to somebody who cannot show who they are: the caller is told, the history and the
/// probe say why.
#[actix_web::test]
async fn an_upstream_whose_certificate_is_not_trusted_gets_nothing() {
    let (authority, strange) = (Authority::new(), Authority::new());
    let (server, _folder) = trusting(&authority).await;
    let admin = server.admin();
    let mut expired = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    expired.not_after = date_time_ymd(2020, 1, 1);
    let certificates = [
        (
            "of an authority that is not trusted",
            strange.certifies("127.0.0.1"),
        ),
        ("for another name", authority.certifies("bank.example")),
        ("of the past", authority.certifies_as(expired)),
    ];
    let mut key = None;
    for (n, (what, tls)) in certificates.into_iter().enumerate() {
        let upstream = Upstream::encrypted(Manner::Says(OK), tls).await;
        let key = match &key {
            None => key.insert(channel(&admin, &upstream.url, json!({})).await),
            Some(key) => {
                set_up(&admin, &upstream.url, json!({})).await;
                key
            }
        };
        let refused = call(&server, key, "/v1/orders").await;
        let refused = refused.refused(502, "certificate_not_trusted");
        assert!(
            refused["detail"]
                .as_str()
                .is_some_and(|why| !why.is_empty()),
            "{what}"
        );
        let recorded = last(&admin, n as u64 + 1).await;
        let reason = (
            json!("failed"),
            json!("certificate_not_trusted"),
            json!(502),
        );
        assert_eq!(recorded, reason, "{what}");
        let found = probe(&admin, &upstream.url).await;
        assert_eq!(
            found["reason"], "certificate_not_trusted",
            "{what}: {found}"
        );
        assert!(
            upstream.heard.borrow().is_empty(),
            "{what}: something was sent"
        );
    }
}

/// What is to be encrypted is not sent to somebody who does not speak TLS.
#[actix_web::test]
async fn an_upstream_that_should_encrypt_and_does_not_gets_nothing() {
    let (server, _folder) = trusting(&Authority::new()).await;
    let admin = server.admin();
    let plain = Upstream::start(Manner::SaysAndCloses(OK)).await;
    let url = plain.url.replace("http://", "https://");
    let key = channel(&admin, &url, json!({"connect_ms": 500})).await;
    call(&server, &key, "/v1/orders")
        .await
        .refused(502, "connect_failed");
    assert!(plain.heard.borrow().is_empty(), "something was sent");
}
