//! Certificates of a CA of the test's own.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};

/// A new one.
pub(crate) fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name.push(DnType::CommonName, "The CA of these tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// A certificate and its key, in two files; beside them both in one, as Kafka wants it.
pub(crate) fn certificate(
    ca: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    usage: ExtendedKeyUsagePurpose,
    dir: &Path,
) -> Result<(PathBuf, PathBuf)> {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, ca)?;
    let path = |kind: &str| dir.join(format!("{name}.{kind}.pem"));
    std::fs::write(path("cert"), certificate.pem())?;
    std::fs::write(path("key"), key.serialize_pem())?;
    std::fs::write(path("store"), format!("{}{}", key.serialize_pem(), certificate.pem()))?;
    Ok((path("cert"), path("key")))
}
