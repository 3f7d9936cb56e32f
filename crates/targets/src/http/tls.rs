//! Certificates of a target's own: the one that is shown to the endpoint, and those the endpoint's
//! is held against.

use std::fs;
use std::path::Path;
use std::{fmt, io};

use evoke_model::Problem;
use evoke_ports::Fields;
use reqwest::{Certificate, ClientBuilder, Identity};
use serde_json::Value;

/// A bundle of all public authorities has some 200 KB.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// How every piece of PEM begins.
const BEGIN: &str = "-----BEGIN ";

const PEM_OR_PATH: &str = "expected PEM (-----BEGIN ...) or the absolute path of a file with it";

/// What `tls` says, read and parsed once. Two targets with equal ones share their connections.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Tls {
    /// Certificates and key in PEM.
    identity: Option<String>,
    /// Authorities in PEM.
    ca: Option<String>,
}

/// Says what there is, and no key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("identity", &self.identity.is_some())
            .field("ca", &self.ca.is_some())
            .finish()
    }
}

impl Tls {
    /// Reads `{ cert, key, ca }`, and the files they name. No problem repeats what was given.
    pub(super) fn read(config: &Value) -> Result<Self, Vec<Problem>> {
        let mut fields = Fields::new(config, &["cert", "key", "ca"]);
        match (fields.get("cert"), fields.get("key")) {
            (Some(_), None) => fields.problem(Problem::new("key", "is missing: it goes with cert")),
            (None, Some(_)) => fields.problem(Problem::new("cert", "is missing: it goes with key")),
            _ => {}
        }
        if config.as_object().is_some_and(|given| given.values().all(Value::is_null)) {
            fields.problem(Problem::new("", "expected cert and key, or ca, or all of them"));
        }
        let cert = pem(&mut fields, "cert", certificates);
        let key = pem(&mut fields, "key", private_key);
        let ca = pem(&mut fields, "ca", certificates);
        let identity = cert.zip(key).map(|(cert, key)| format!("{cert}\n{key}\n"));
        fields.finish(Self { identity, ca })
    }

    /// Sets up a client. Where there is a `ca`, no other authority is believed.
    pub(super) fn apply(&self, mut builder: ClientBuilder) -> reqwest::Result<ClientBuilder> {
        if let Some(pem) = &self.identity {
            builder = builder.identity(Identity::from_pem(pem.as_bytes())?);
        }
        if let Some(pem) = &self.ca {
            builder = builder.tls_certs_only(Certificate::from_pem_bundle(pem.as_bytes())?);
        }
        Ok(builder.https_only(true))
    }
}

/// The PEM of a field, or of the file it names.
fn pem(
    fields: &mut Fields<'_>,
    name: &str,
    check: fn(&str) -> Result<(), Problem>,
) -> Option<String> {
    let text = fields.text(name)?;
    let found = match text {
        _ if text.contains(BEGIN) => Ok(text.to_owned()),
        _ if Path::new(text).is_absolute() => file(Path::new(text))
            .map_err(|error| Problem::new("", format!("the file cannot be read: {error}"))),
        _ => Err(Problem::new("", PEM_OR_PATH)),
    };
    let checked = found.and_then(|pem| check(&pem).map(|()| pem));
    checked.map_err(|problem| fields.problem(Problem { field: name.to_owned(), ..problem })).ok()
}

fn file(path: &Path) -> io::Result<String> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    if metadata.len() > PEM_BYTES_MAX {
        return Err(io::Error::other("it is larger than 1 MB"));
    }
    fs::read_to_string(path)
}

fn certificates(pem: &str) -> Result<(), Problem> {
    match Certificate::from_pem_bundle(pem.as_bytes()) {
        Ok(certificates) if !certificates.is_empty() => Ok(()),
        Ok(_) => Err(Problem::new("", "holds no certificate (-----BEGIN CERTIFICATE-----)")),
        Err(_) => Err(Problem::new("", "holds a certificate that cannot be read")),
    }
}

fn private_key(pem: &str) -> Result<(), Problem> {
    if pem.contains("ENCRYPTED") {
        return Err(Problem::new(
            "",
            "is protected by a passphrase, which nobody is there to type",
        )
        .suggest("openssl pkey -in protected.pem -out plain.pem"));
    }
    if !pem.contains("PRIVATE KEY-----") {
        return Err(Problem::new("", "holds no private key (-----BEGIN PRIVATE KEY-----)"));
    }
    Ok(())
}
