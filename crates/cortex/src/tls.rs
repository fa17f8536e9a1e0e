//! TLS from PEM files: what the registry shows, and what its clients trust and show.

use std::path::Path;

use api::client::{ClientIdentity, ClientTls};
use registry::{Secret, ServerTls};

use crate::settings::{Settings, SettingsError};

/// A certificate chain and its key, both PEM.
type Pair = (Vec<u8>, Vec<u8>);

/// The registry's side; none where no certificate is set.
pub(crate) fn server(settings: &Settings) -> Result<Option<ServerTls>, SettingsError> {
    let names = ["grpc_tls_cert_file", "grpc_tls_key_file"];
    let files = [&settings.grpc_tls_cert_file, &settings.grpc_tls_key_file];
    let Some((certificate, key)) = pair(names, files.map(Option::as_deref))? else {
        if settings.grpc_client_ca_file.is_some() {
            let reason = "client certificates need TLS; set grpc_tls_cert_file and grpc_tls_key_file too";
            return Err(wrong("grpc_client_ca_file", reason.to_owned()));
        }
        return Ok(None);
    };
    let key = String::from_utf8(key).map_err(|_| wrong(names[1], "the file is not PEM".to_owned()))?;
    let client_ca = settings.grpc_client_ca_file.as_deref();
    let client_ca = client_ca.map(|path| certificates("grpc_client_ca_file", path)).transpose()?;
    Ok(Some(ServerTls { certificate, key: Secret::new(key), client_ca }))
}

/// A worker's side.
pub(crate) fn worker(settings: &Settings) -> Result<ClientTls, SettingsError> {
    client(
        settings.registry_ca_file.as_deref(),
        settings.registry_client_cert_file.as_deref(),
        settings.registry_client_key_file.as_deref(),
    )
}

/// A client's side, of its files.
pub(crate) fn client(
    ca: Option<&Path>,
    certificate: Option<&Path>,
    key: Option<&Path>,
) -> Result<ClientTls, SettingsError> {
    let ca = ca.map(|path| certificates("registry_ca_file", path)).transpose()?;
    let names = ["registry_client_cert_file", "registry_client_key_file"];
    let identity = pair(names, [certificate, key])?;
    Ok(ClientTls { ca, identity: identity.map(|(certificate, key)| ClientIdentity { certificate, key }) })
}

/// A certificate chain and its key: both or neither.
fn pair(names: [&'static str; 2], files: [Option<&Path>; 2]) -> Result<Option<Pair>, SettingsError> {
    match files {
        [None, None] => Ok(None),
        [Some(certificate), Some(key)] => {
            Ok(Some((certificates(names[0], certificate)?, pem(names[1], key, "PRIVATE KEY")?)))
        }
        [given, _] => {
            let (set, lacking) = if given.is_some() { (names[0], names[1]) } else { (names[1], names[0]) };
            Err(wrong(lacking, format!("it must be set where {set} is")))
        }
    }
}

/// A PEM file of certificates.
pub(crate) fn certificates(name: &'static str, path: &Path) -> Result<Vec<u8>, SettingsError> {
    pem(name, path, "CERTIFICATE")
}

/// A PEM file that has at least one part of the kind.
fn pem(name: &'static str, path: &Path, kind: &str) -> Result<Vec<u8>, SettingsError> {
    let bytes = std::fs::read(path)
        .map_err(|error| wrong(name, format!("{} cannot be read: {error}", path.display())))?;
    // Keys say which kind they are before the words: `RSA PRIVATE KEY`, `EC PRIVATE KEY`.
    let end = format!("{kind}-----");
    if bytes.windows(end.len()).any(|window| window == end.as_bytes()) {
        return Ok(bytes);
    }
    let reason = format!("{} holds no {kind} in PEM (`-----BEGIN {kind}-----`)", path.display());
    Err(wrong(name, reason))
}

fn wrong(name: &str, reason: String) -> SettingsError {
    SettingsError::Value { name: name.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_without_its_key_and_a_file_that_is_none_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cert.pem");
        let error = client(None, Some(&file), None).unwrap_err().to_string();
        assert!(error.contains("registry_client_key_file"), "{error}");
        let error = client(Some(&file), None, None).unwrap_err().to_string();
        assert!(error.contains("registry_ca_file") && error.contains("cert.pem"), "{error}");
        std::fs::write(&file, "not PEM").unwrap();
        let error = client(Some(&file), None, None).unwrap_err().to_string();
        assert!(error.contains("BEGIN CERTIFICATE"), "{error}");
    }
}
