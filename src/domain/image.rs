//! References to images, as they stand in manifests: `shop`, `harbor.example.com:8443/team/shop:1`, `shop@sha256:…`.
//!
//! What is left out is what a container runtime takes: Docker Hub, its `library`, the tag `latest`. It must never take what a
//! runtime refuses.

use super::names::Malformed;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The registry of references that name none.
pub const DOCKER_HUB: &str = "docker.io";
/// The longest name of a repository with its registry.
const NAME: usize = 255;

/// An image in its registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Image {
    written: String,
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Image {
    /// Host, and port if it names one.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Within the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// By what the registry knows it: the digest, if there is one; a tag beside that is only for readers.
    pub fn reference(&self) -> &str {
        let tag = || self.tag.as_deref().unwrap_or("latest");
        self.digest.as_ref().map_or_else(tag, Digest::as_ref)
    }

    /// What it must be, if that is said.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }
}

impl FromStr for Image {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let rule = "[host[:port]/]name[:tag][@sha256:…], the name in lower case";
        let parsed = parse(text).filter(|image| image.registry.len() + image.repository.len() < NAME);
        parsed.ok_or_else(|| Malformed::new("image", text, rule))
    }
}

fn parse(text: &str) -> Option<Image> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse().ok()?)),
        None => (text, None),
    };
    let (rest, tag) = match rest.rsplit_once(':') {
        // Otherwise it is a port.
        Some((rest, tag)) if !tag.contains('/') => (rest, Some(Some(tag).filter(|tag| is_tag(tag))?)),
        _ => (rest, None),
    };
    let (registry, path) = match rest.split_once('/') {
        Some((host, path)) if is_host(host) => (host, path),
        _ => (DOCKER_HUB, rest),
    };
    let registry = if registry == "index.docker.io" { DOCKER_HUB } else { registry };
    let in_library = registry == DOCKER_HUB && !path.contains('/');
    let repository = if in_library { format!("library/{path}") } else { path.to_owned() };
    path.split('/').all(is_component).then(|| Image {
        written: text.to_owned(),
        registry: registry.to_owned(),
        repository,
        tag: tag.map(str::to_owned),
        digest,
    })
}

/// Whether the first part is a host, and not a part of the name; then it must be one.
fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let named = host == "localhost" || host.contains('.') || port.is_some();
    let labels = host.split('.').all(|label| {
        let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = label.as_bytes();
        edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
    });
    named && labels && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let bytes = text.as_bytes();
    (1..=128).contains(&bytes.len())
        && word(bytes[0])
        && bytes.iter().all(|b| word(*b) || matches!(b, b'.' | b'-'))
}

/// Lower-case letters and digits, parted by one dot, one or two underscores, or any number of dashes.
fn is_component(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let parted = |between: &str| {
        between == "." || between == "_" || between == "__" || between.bytes().all(|b| b == b'-')
    };
    text.starts_with(word)
        && text.ends_with(word)
        && text.split(word).filter(|between| !between.is_empty()).all(parted)
}

impl TryFrom<String> for Image {
    type Error = Malformed;
    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<Image> for String {
    fn from(image: Image) -> String {
        image.written
    }
}

/// As it was written.
impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// The digest of a manifest: `sha256:` or `sha512:`, and that many hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl FromStr for Digest {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let is_hex = |hex: &str| hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match text.split_once(':') {
            Some(("sha256", hex)) if hex.len() == 64 && is_hex(hex) => Ok(Self(text.to_owned())),
            Some(("sha512", hex)) if hex.len() == 128 && is_hex(hex) => Ok(Self(text.to_owned())),
            _ => Err(Malformed::new(
                "digest",
                text,
                "sha256: and 64, or sha512: and 128 lower-case hex digits",
            )),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = Malformed;
    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.0
    }
}

impl AsRef<str> for Digest {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
