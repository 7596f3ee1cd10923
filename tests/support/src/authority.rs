//! A certificate authority of a test.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

/// A certificate authority. Its files go when it does.
pub struct Authority {
    dir: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its private key: files in PEM.
#[derive(Clone, Debug)]
pub struct Certified {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        Self::within(tempfile::tempdir().unwrap(), name)
    }

    /// With its files in a folder.
    pub fn within(dir: tempfile::TempDir, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        std::fs::write(dir.path().join("ca.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { dir, issuer: Issuer::new(params, key) }
    }

    /// The authority's own certificate.
    pub fn file(&self) -> PathBuf {
        self.path("ca.crt")
    }

    /// A file beside the certificate.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Certifies that somebody has a name or an address, in files that are called `file`. What is there is replaced.
    pub fn certify(&self, file: &str, name: &str) -> Certified {
        self.sign(file, &CertificateParams::new([name.to_owned()]).unwrap())
    }

    /// The same by a certificate that expired long ago.
    pub fn certify_in_the_past(&self, file: &str, name: &str) -> Certified {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.sign(file, &params)
    }

    fn sign(&self, file: &str, params: &CertificateParams) -> Certified {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = |ending: &str| self.path(&format!("{file}.{ending}"));
        let certified = Certified { certificate: path("crt"), key: path("key") };
        std::fs::write(&certified.certificate, certificate.pem()).unwrap();
        std::fs::write(&certified.key, key.serialize_pem()).unwrap();
        certified
    }
}
