//! Encryption towards others: what the machine trusts is trusted.

use rustls::{ClientConfig, RootCertStore};

/// What a client needs to speak TLS.
///
/// # Errors
/// The encryption cannot be set up.
pub(crate) fn client_config() -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    // A machine without roots can still speak plain HTTP; what needs them says so when it is tried.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = rustls::crypto::ring::default_provider();
    Ok(ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
