//! The single values of what a provider makes, as types that cannot hold a wrong one.

use super::{app_values::is_subdomain, app_values::text, values::leaf};
use crate::domain::names::Malformed;
use std::{fmt, str::FromStr};

/// One of a few words.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$word_doc])* $variant,)*
        }

        impl FromStr for $name {
            type Err = Malformed;
            fn from_str(text: &str) -> Result<Self, Malformed> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(Malformed::new($what, text, $rule)),
                }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)*
                })
            }
        }
        leaf!($name, {"type": "string", "enum": [$($word),*]});
    };
}

choice!(
    /// How a provider makes environments real.
    ProviderKind, "kind of provider that is known yet", "capi-k3s", {
        /// A cluster of k3s on a virtual machine, brought up by Cluster API.
        CapiK3s = "capi-k3s",
    }
);
choice!(
    /// How Proxmox keeps a disk.
    DiskFormat, "format of a disk", "raw, qcow2 or vmdk", {
        /// As it is.
        Raw = "raw",
        /// QEMU's own.
        Qcow2 = "qcow2",
        /// VMware's.
        Vmdk = "vmdk",
    }
);
choice!(
    /// The network card that a machine sees.
    NetworkModel, "model of a network card", "virtio, e1000, rtl8139 or vmxnet3", {
        /// Made for virtual machines.
        Virtio = "virtio",
        /// Intel's.
        E1000 = "e1000",
        /// Realtek's.
        Rtl8139 = "rtl8139",
        /// VMware's.
        Vmxnet3 = "vmxnet3",
    }
);

text!(
    /// The key of a label of Kubernetes.
    LabelKey, "key of a label", "1 to 63 letters, digits, '-', '_' or '.', and before it a domain and '/' if you like",
    {"type": "string", "minLength": 1, "maxLength": 317},
    |text| match text.split_once('/') {
        Some((domain, name)) => is_subdomain(domain, 253) && is_qualified(name),
        None => is_qualified(text),
    }
);
text!(
    /// The value of a label of Kubernetes.
    LabelValue, "value of a label", "at most 63 letters, digits, '-', '_' or '.', of which first and last a letter or digit",
    {"type": "string", "maxLength": 63},
    |text| text.is_empty() || is_qualified(text)
);
text!(
    /// A version of k3s.
    ServerVersion, "version of k3s", "as its releases are called: v1.30.6+k3s1",
    {"type": "string", "pattern": r"^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?\+k3s[0-9]+$"},
    |text| {
        let Some((version, release)) = text.strip_prefix('v').and_then(|text| text.split_once("+k3s")) else {
            return false;
        };
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (version, early) = version.split_once('-').unwrap_or((version, "rc"));
        let early = !early.is_empty() && early.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
        number(release) && early && version.split('.').count() == 3 && version.split('.').all(number)
    }
);
text!(
    /// A name in Proxmox: of a node, a storage, a bridge, a disk.
    ProxmoxName, "name in Proxmox", "1 to 63 letters, digits, '-', '_' or '.'",
    {"type": "string", "minLength": 1, "maxLength": 63},
    |text| (1..=63).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
);
text!(
    /// A role by which Vault makes tokens.
    TokenRole, "role of tokens in Vault", "1 to 128 letters, digits, '-', '_' or '.', of which the first is no '.'",
    {"type": "string", "minLength": 1, "maxLength": 128},
    // It becomes a segment of a request's path.
    |text| {
        (1..=128).contains(&text.len())
            && !text.starts_with('.')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    }
);
text!(
    /// A public key that may log in to machines, one line of `authorized_keys`.
    SshKey, "public key of SSH", "one line: its kind, its base64, and a comment if you like",
    {"type": "string", "minLength": 1},
    |text| {
        let mut words = text.split(' ');
        let word = |valid: fn(u8) -> bool| move |text: &str| !text.is_empty() && text.bytes().all(valid);
        let kind = words.next().is_some_and(word(|b| b.is_ascii_alphanumeric() || b"-@.".contains(&b)));
        let key = words.next().is_some_and(word(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)));
        // It becomes a part of a command on the machine.
        kind && key && words.all(|w| w.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@+".contains(&b)))
    }
);
text!(
    /// An image's reference, with its tag or digest.
    ImageReference, "reference of an image", "with a tag or a digest: ghcr.io/kube-vip/kube-vip:v0.8.7",
    {"type": "string", "minLength": 1},
    |text| {
        let tagged = text.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
        super::app_values::is_reference(text) && tagged
    }
);

fn is_qualified(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

/// A Secret of a cluster: `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretName {
    /// Where it is.
    pub namespace: super::Namespace,
    /// What it is called.
    pub name: super::ObjectName,
}

impl FromStr for SecretName {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = || Malformed::new("Secret", text, "its namespace and its name: dev/proxmox-credentials");
        let (namespace, name) = text.split_once('/').ok_or_else(wrong)?;
        Ok(Self {
            namespace: namespace.parse().map_err(|_| wrong())?,
            name: name.parse().map_err(|_| wrong())?,
        })
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

leaf!(SecretName, {"type": "string", "pattern": "^[a-z0-9-]+/[a-z0-9.-]+$"});
