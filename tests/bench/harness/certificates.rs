//! A certificate authority for one run.

use super::keeper::file;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use std::path::{Path, PathBuf};

/// The authority of all servers of one control plane.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: PathBuf,
}

/// Files with a certificate and its key.
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(directory: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "bench");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        file(directory, "ca.crt", &issuer.pem());
        Self { issuer, directory: directory.to_owned() }
    }

    /// Its own certificate, as PEM.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Where that lies.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join("ca.crt")
    }

    /// A certificate for a server on loopback.
    pub(crate) fn server(&self, name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Pair {
            certificate: file(&self.directory, &format!("{name}.crt"), &certificate.pem()),
            key: file(&self.directory, &format!("{name}.key"), &key.serialize_pem()),
        }
    }
}

/// A key pair for signatures: the private part, and the public one.
pub(crate) fn signing_key() -> KeyPair {
    KeyPair::generate().unwrap()
}
