//! The configured secrets are in the environment, and, if it is asked for, a token of Vault of its own; undone: the token is
//! revoked, the rest goes with the cluster.
//!
//! A token is born with minutes to live, is written down by its accessor, and only then made to last: one that a killed run
//! has left behind ends by itself. Must never: give berth's own token away; show a value; take a secret that could not be
//! read for one without entries.

use super::{ACCESS, Context, Field, SECRETS, Step, settled};
use crate::{
    clients::{
        kubernetes::manifest::Bundle,
        vault::{Renewal, Vault},
    },
    documents::{Document, Key, Read, remove_surely, write_surely},
    domain::{claim::ObjectName, plan::Spec, sweep::Trace},
    errors::{Exit, UserError},
    mask::Mask,
    progress::Progress,
    providers::{Access, Witness as _},
    settings::{Namespace, Secret, VaultPath, VaultToken},
};
use anyhow::{Context as _, Result};
use async_trait::async_trait;
use jiff::SignedDuration;
use k8s_openapi::ByteString;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// See the module.
pub struct Secrets {
    /// How long it may take.
    pub patience: Duration,
    /// What is fetched, and where it is put.
    pub secrets: Vec<Secret>,
    /// A token of its own.
    pub token: Option<VaultToken>,
    /// Where they come from; `None`: berth keeps no documents in Vault.
    pub vault: Option<(Arc<Vault>, VaultPath)>,
    /// Told each value, which must never be shown.
    pub mask: Mask,
}

#[async_trait(?Send)]
impl Step for Secrets {
    fn spec(&self) -> Spec {
        Spec { name: SECRETS, needs: &[ACCESS], patience: self.patience }
    }

    async fn ensure(&self, cx: &Context<'_>) -> Result<Progress> {
        if self.secrets.is_empty() && self.token.is_none() {
            return Ok(Progress::done("none are asked for"));
        }
        let inside = match cx.enter().await? {
            Ok(access) => access,
            Err(wait) => return Ok(Progress::Waiting(wait)),
        };
        let mut objects = self.fetched(cx).await?;
        if let Some(token) = &self.token {
            objects.extend(self.token(cx, &inside, token).await?);
        }
        let namespaces: BTreeSet<String> = objects
            .iter()
            .filter_map(|one| Some(one["metadata"]["namespace"].as_str()?.to_owned()))
            .collect();
        let made = namespaces.iter().filter(|name| *name != "default");
        let namespaces = made.map(|name| super::namespace(name));
        let (shared, all): (Vec<ObjectName>, Vec<Value>) =
            namespaces.map(|one| (ObjectName::of(&one), one)).unzip();
        let bundle = Bundle::of(all.into_iter().chain(objects))?.sharing(shared);
        inside.kubernetes.writer(cx.fence).apply(&bundle).await?;
        let count = self.secrets.len() + usize::from(self.token.is_some());
        Ok(Progress::done(format!("{count} in place")))
    }

    async fn remove(&self, cx: &Context<'_>) -> Result<Progress> {
        let key = Key::Token(cx.scope.name.clone());
        let (document, version) = match cx.store.read(&key).await? {
            Read::Absent { .. } => return Ok(Progress::done("no token")),
            Read::Present { document, version } => (document, version),
        };
        let accessor = accessor(&document, &cx.store.place(&key))?;
        self.vault()?.0.revoke_accessor(&accessor).await?;
        settled(remove_surely(cx.store, &key, &version).await, &cx.store.place(&key))?;
        cx.gone("Vault token", "revoked");
        Ok(Progress::done("token revoked"))
    }

    async fn traces(&self, field: &Field<'_>) -> Result<Vec<Trace>> {
        let found = field.documents(Key::Token).await?.into_iter().map(|(name, key, read)| {
            let (what, id) = (field.store.place(&key), read.version().as_str().to_owned());
            Trace { name, holder: None, life: None, what, id, object: None, held_by: None }
        });
        Ok(found.collect())
    }

    async fn remains(&self, cx: &Context<'_>) -> Result<Option<String>> {
        let key = Key::Token(cx.scope.name.clone());
        let read = cx.store.read(&key).await?;
        Ok(read.document().map(|_| cx.store.place(&key)))
    }
}

impl Secrets {
    /// With the engine that the secrets are in.
    fn vault(&self) -> Result<(&Vault, &str)> {
        let vault = self.vault.as_ref().map(|(vault, mount)| (&**vault, mount.as_ref()));
        vault.ok_or_else(|| {
            UserError::usage("secrets come from Vault, and no Vault is configured")
                .hint("set `store.vault` in the platform file, or VAULT_ADDR")
                .into()
        })
    }

    /// The Secrets that are asked for, with what Vault has for them now.
    async fn fetched(&self, cx: &Context<'_>) -> Result<Vec<Value>> {
        let variables = cx.scope.variables();
        let mut objects = Vec::new();
        for secret in &self.secrets {
            let (vault, mount) = self.vault()?;
            let path = secret.path(cx.scope.holder.repository(), &variables)?;
            let Read::Present { document, .. } = vault.read(mount, path.as_ref()).await? else {
                let message =
                    format!("there is nothing at {mount}/{path} in Vault, for the secret {}", secret.name);
                let hint = format!("write it: vault kv put -mount={mount} {path} key=value");
                return Err(UserError::new(Exit::Failed, message).hint(hint).into());
            };
            objects.push(self.object(&secret.namespace, secret.name.as_ref(), &document));
        }
        Ok(objects)
    }

    fn object(&self, namespace: &Namespace, name: &str, document: &Document) -> Value {
        let data: Map<String, Value> = document
            .iter()
            .map(|(key, value)| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.hide(value);
                (key.clone(), json!(ByteString(text.into_bytes())))
            })
            .collect();
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": name, "namespace": namespace.as_ref()},
            "data": data,
        })
    }

    /// Of a document within the document, each text.
    fn hide(&self, value: &Value) {
        match value {
            Value::String(text) => self.mask.hide(text),
            Value::Number(number) => self.mask.hide(&number.to_string()),
            Value::Array(all) => all.iter().for_each(|one| self.hide(one)),
            Value::Object(all) => all.values().for_each(|one| self.hide(one)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// What an earlier run has made.
    fn hide_handed_over(&self, secret: &Value) {
        let data = serde_json::from_value::<BTreeMap<String, ByteString>>(secret["data"].clone());
        for ByteString(value) in data.into_iter().flat_map(BTreeMap::into_values) {
            self.mask.hide(&String::from_utf8_lossy(&value));
        }
    }

    /// A Secret with a token that lasts; `None`: it is there already.
    async fn token(&self, cx: &Context<'_>, inside: &Access, asked: &VaultToken) -> Result<Option<Value>> {
        let ((vault, _), key) = (self.vault()?, Key::Token(cx.scope.name.clone()));
        let place = cx.store.place(&key);
        let name = ObjectName {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            namespace: Some(asked.namespace.to_string()),
            name: asked.name.to_string(),
        };
        let (there, read) = (inside.kubernetes.observe(&name).await?, cx.store.read(&key).await?);
        let rest = rest(cx, asked.ttl);
        if let Some(document) = read.document() {
            let accessor = accessor(document, &place)?;
            // Written down before it was made to last: a run may have died between the two.
            let lasts = vault.renew_accessor(&accessor, rest).await? != Renewal::Gone;
            if let Some(secret) = there.object().filter(|_| lasts) {
                self.hide_handed_over(secret.value());
                return Ok(None);
            }
            // It was never handed over, and cannot be read again.
            vault.revoke_accessor(&accessor).await?;
        }
        let meta = BTreeMap::from([("environment".to_owned(), cx.scope.name.to_string())]);
        let made = vault.create_token(asked.role.as_ref(), &asked.policies, rest, &meta).await?;
        self.mask.hide(made.token.expose_secret());
        let document = Document::from_iter([("accessor".to_owned(), json!(made.accessor))]);
        let written = write_surely(cx.store, &key, &document, read.version()).await;
        settled(written.map(drop), &place)?;
        if vault.renew_accessor(&made.accessor, rest).await? == Renewal::Gone {
            let message = format!("the token of {} has ended before it could be handed over", cx.scope.name);
            return Err(UserError::new(Exit::Failed, message).hint("run again to make another").into());
        }
        let token: &SecretString = &made.token;
        let document = Document::from_iter([("token".to_owned(), json!(token.expose_secret()))]);
        Ok(Some(self.object(&asked.namespace, asked.name.as_ref(), &document)))
    }
}

/// As long as was asked for, and no longer than the environment.
fn rest(cx: &Context<'_>, asked: SignedDuration) -> Duration {
    let left = cx.fence.claim().expires().duration_since(cx.clock.now());
    asked.min(left).max(SignedDuration::from_secs(60)).unsigned_abs()
}

fn accessor(document: &Document, place: &str) -> Result<String> {
    let accessor = document.get("accessor").and_then(Value::as_str).map(str::to_owned);
    accessor.with_context(|| {
        UserError::new(Exit::Unknown, format!("{place} holds no accessor of a token"))
            .hint("look which token it was, revoke that, and remove the document")
    })
}
