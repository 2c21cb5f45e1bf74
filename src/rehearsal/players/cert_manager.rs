//! cert-manager: Certificates that their Issuers sign, also those that an Ingress asks for.
//!
//! It does nothing before its own Deployment is available. An Issuer or a Certificate annotated with `play.berth.dev/play:
//! fail` never becomes ready. Not played: challenges and orders, renewal, injection of authorities, approval by others.

use super::{
    Change, Kind, Objects, Pace, Player, Reaction,
    conditions::{find, is_true, stamp, tell},
    draft::{Draft, controller},
    names,
    objects::{SECRET, annotation, is_going, label, list, name, namespace, text, time},
    workloads::{DEPLOYMENT, play},
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

const GROUP: &str = "cert-manager.io";
const CERTIFICATE: Kind = Kind { group: GROUP, version: "v1", kind: "Certificate", plural: "certificates" };
const REQUEST: Kind =
    Kind { group: GROUP, version: "v1", kind: "CertificateRequest", plural: "certificaterequests" };
const ISSUER: Kind = Kind { group: GROUP, version: "v1", kind: "Issuer", plural: "issuers" };
const CLUSTER_ISSUER: Kind =
    Kind { group: GROUP, version: "v1", kind: "ClusterIssuer", plural: "clusterissuers" };
const INGRESS: Kind =
    Kind { group: "networking.k8s.io", version: "v1", kind: "Ingress", plural: "ingresses" };
/// How long a certificate is good for, and how long before its end it is renewed.
const VALIDITY: (i64, i64) = (90 * 24 * 3600, 30 * 24 * 3600);

/// cert-manager's controller.
#[derive(Debug, Clone)]
pub struct CertManager {
    /// How long an issuer takes.
    pub pace: Pace,
}

impl Player for CertManager {
    fn name(&self) -> &'static str {
        "cert-manager"
    }

    fn watches(&self) -> &'static [Kind] {
        &[CERTIFICATE, REQUEST, ISSUER, CLUSTER_ISSUER, INGRESS, SECRET, DEPLOYMENT]
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let mut reaction = Reaction::default();
        let Some(home) = operator(objects, "cert-manager") else { return reaction };
        for kind in [ISSUER, CLUSTER_ISSUER] {
            for issuer in objects.all(kind).filter(|issuer| !is_going(issuer)) {
                let place = if kind == ISSUER { namespace(issuer) } else { home };
                reaction.push(judge(objects, kind, issuer, place, now));
            }
        }
        for ingress in objects.all(INGRESS).filter(|ingress| !is_going(ingress)) {
            reaction.push(asked(objects, ingress));
        }
        for certificate in objects.all(CERTIFICATE).filter(|certificate| !is_going(certificate)) {
            Look { pace: self.pace, objects, certificate, now }.issue(&mut reaction);
        }
        reaction
    }
}

/// Where the operator of this name runs, if it does.
pub(super) fn operator<'a>(objects: &Objects<'a>, called: &str) -> Option<&'a str> {
    let mut all = objects.all(DEPLOYMENT);
    let runs = all.find(|one| label(one, "app.kubernetes.io/name") == called && is_true(one, "Available"));
    runs.map(namespace)
}

fn fails(object: &Value) -> bool {
    annotation(object, play::PLAY) == play::FAIL
}

/// What is to be said of an Issuer.
fn judge(objects: &Objects<'_>, kind: Kind, issuer: &Value, place: &str, now: Timestamp) -> Option<Change> {
    let mut draft = Draft::of(kind, issuer);
    let spec = &issuer["spec"];
    let (status, reason, message) = if spec["ca"].is_object() {
        let secret = text(spec, "/ca/secretName");
        match objects.get(SECRET, place, secret) {
            Some(_) => ("True", "KeyPairVerified", "Signing CA verified".to_owned()),
            None => {
                let why = format!("Error getting keypair for CA issuer: secrets \"{secret}\" not found");
                ("False", "ErrGetKeyPair", why)
            }
        }
    } else if spec["acme"].is_object() {
        let server = text(spec, "/acme/server");
        match fails(issuer) {
            true => {
                let why =
                    format!("Failed to register ACME account: Get \"{server}\": context deadline exceeded");
                ("False", "ErrRegisterACMEAccount", why)
            }
            false => {
                let said = "The ACME account was registered with the ACME server";
                ("True", "ACMEAccountRegistered", said.to_owned())
            }
        }
    } else if spec["vault"].is_object() {
        match fails(issuer) {
            true => {
                ("False", "VaultError", "Failed to initialize Vault client: permission denied".to_owned())
            }
            false => ("True", "VaultVerified", "Vault verified".to_owned()),
        }
    } else {
        ("True", "IsReady", String::new())
    };
    tell(&mut draft, now, "Ready", status, reason, &message);
    draft.end()
}

/// The Certificates that an Ingress asks for by naming an issuer.
fn asked(objects: &Objects<'_>, ingress: &Value) -> Vec<Change> {
    let named = |kind: Kind, key: &str| {
        let issuer = annotation(ingress, key);
        (!issuer.is_empty()).then(|| json!({ "group": GROUP, "kind": kind.kind, "name": issuer }))
    };
    let issuer = named(CLUSTER_ISSUER, "cert-manager.io/cluster-issuer");
    let Some(issuer) = issuer.or_else(|| named(ISSUER, "cert-manager.io/issuer")) else { return vec![] };
    let place = namespace(ingress);
    let wanted = list(ingress, "/spec/tls").iter().filter(|tls| !text(tls, "/secretName").is_empty());
    let missing = wanted.filter(|tls| objects.get(CERTIFICATE, place, text(tls, "/secretName")).is_none());
    let made = missing.map(|tls| {
        Change::Create(json!({
            "apiVersion": CERTIFICATE.api_version(), "kind": CERTIFICATE.kind,
            "metadata": {
                "namespace": place, "name": tls["secretName"], "ownerReferences": [controller(INGRESS, ingress)],
            },
            "spec": {
                "dnsNames": tls["hosts"], "issuerRef": issuer, "secretName": tls["secretName"],
                "usages": ["digital signature", "key encipherment"],
            },
        }))
    });
    made.collect()
}

/// One Certificate.
struct Look<'a> {
    pace: Pace,
    objects: &'a Objects<'a>,
    certificate: &'a Value,
    now: Timestamp,
}

impl Look<'_> {
    fn issue(&self, reaction: &mut Reaction) {
        let certificate = self.certificate;
        let mut draft = Draft::of(CERTIFICATE, certificate);
        let called = text(certificate, "/spec/secretName");
        let secret = self.objects.get(SECRET, namespace(certificate), called);
        if secret.is_some() {
            self.issued(&mut draft);
            self.answer(reaction, Ok(()));
            return reaction.push(draft.end());
        }
        let message = "Issuing certificate as Secret does not exist";
        let begun = find(certificate, "Issuing").and_then(|said| time(said, "/lastTransitionTime"));
        if begun.is_none() {
            tell(&mut draft, self.now, "Issuing", "True", "DoesNotExist", message);
        }
        tell(&mut draft, self.now, "Ready", "False", "DoesNotExist", message);
        let issuer = self.issuer();
        self.answer(reaction, issuer.clone().and(Err("Waiting on certificate issuance".to_owned())));
        let begun = begun.unwrap_or(self.now);
        if issuer.is_ok() && !fails(certificate) && reaction.passed(begun, self.pace.issue, self.now) {
            let pem = |what: &str| {
                json!(ByteString(
                    format!("-----BEGIN {what}-----\nbm9uZQ==\n-----END {what}-----\n").into_bytes()
                ))
            };
            reaction.push([Change::Create(json!({
                "apiVersion": "v1", "kind": SECRET.kind, "type": "kubernetes.io/tls",
                "metadata": {
                    "namespace": namespace(certificate), "name": called,
                    "annotations": { "cert-manager.io/certificate-name": name(certificate) },
                },
                "data": { "tls.crt": pem("CERTIFICATE"), "tls.key": pem("PRIVATE KEY"), "ca.crt": pem("CERTIFICATE") },
            }))]);
        }
        reaction.push(draft.end());
    }

    /// Why its issuer does not sign yet, in the words that its request tells.
    fn issuer(&self) -> Result<(), String> {
        let reference = &self.certificate["spec"]["issuerRef"];
        let called = text(reference, "/name");
        let (kind, place) = match text(reference, "/kind") {
            "ClusterIssuer" => (CLUSTER_ISSUER, ""),
            _ => (ISSUER, namespace(self.certificate)),
        };
        match self.objects.get(kind, place, called) {
            Some(issuer) if is_true(issuer, "Ready") => Ok(()),
            Some(_) => Err("Referenced issuer does not have a Ready status condition".to_owned()),
            None => {
                let lower = kind.kind.to_lowercase();
                Err(format!("Referenced \"{}\" not found: {lower}.{GROUP} \"{called}\" not found", kind.kind))
            }
        }
    }

    fn issued(&self, draft: &mut Draft<'_>) {
        if is_true(self.certificate, "Ready") {
            return;
        }
        draft.list(&["status", "conditions"]).retain(|said| said["type"] != "Issuing");
        tell(draft, self.now, "Ready", "True", "Ready", "Certificate is up to date and has not expired");
        let at = |seconds: i64| {
            stamp(self.now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX))
        };
        draft.set(&["status", "notBefore"], at(0));
        draft.set(&["status", "notAfter"], at(VALIDITY.0));
        draft.set(&["status", "renewalTime"], at(VALIDITY.0 - VALIDITY.1));
        draft.set(&["status", "revision"], 1);
    }

    /// The request that stands for the Certificate with its issuer.
    fn answer(&self, reaction: &mut Reaction, signed: Result<(), String>) {
        let called = format!("{}-1", name(self.certificate));
        let Some(request) = self.objects.get(REQUEST, namespace(self.certificate), &called) else {
            // A Secret that was there before asks for nothing.
            if signed.is_err() {
                let signing = names::token(&[name(self.certificate)]);
                reaction.push([Change::Create(json!({
                    "apiVersion": REQUEST.api_version(), "kind": REQUEST.kind,
                    "metadata": {
                        "namespace": namespace(self.certificate), "name": called,
                        "ownerReferences": [controller(CERTIFICATE, self.certificate)],
                    },
                    "spec": {
                        "issuerRef": self.certificate["spec"]["issuerRef"], "usages": ["digital signature", "key encipherment"],
                        "request": ByteString(signing.into_bytes()),
                    },
                }))]);
            }
            return;
        };
        let mut draft = Draft::of(REQUEST, request);
        let approved = "Certificate request has been approved by cert-manager.io";
        tell(&mut draft, self.now, "Approved", "True", "cert-manager.io", approved);
        match signed {
            Ok(()) => tell(
                &mut draft,
                self.now,
                "Ready",
                "True",
                "Issued",
                "Certificate fetched from issuer successfully",
            ),
            Err(why) => tell(&mut draft, self.now, "Ready", "False", "Pending", &why),
        }
        reaction.push(draft.end());
    }
}
