//! The contract on the file store and on the embedded servers, and what the file store owes beyond it.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{
    bed::{Bed, NAMESPACE, ROOT, document, name},
    contract::{Lost, UnderTest, claim, create, is_conflict, says},
};
use async_trait::async_trait;
use berth::{
    documents::{
        Document, Key, Store, Version,
        installation::{installation, named},
    },
    domain::names::EnvironmentName,
    rehearsal::{Request, gate::Verdict},
    stores::file::FileStore,
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

/// A directory.
struct File {
    directory: tempfile::TempDir,
}

impl File {
    async fn fresh() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }
    /// Not there before the first write.
    fn path(&self) -> PathBuf {
        self.directory.path().join("documents")
    }
}

#[async_trait]
impl UnderTest for File {
    fn store(&self, _run: &str) -> Arc<dyn Store> {
        Arc::new(FileStore::new(self.path()))
    }
    fn cut(&self, _lost: Lost) -> Option<Arc<dyn Store>> {
        None
    }
    async fn damage(&self, name: &EnvironmentName) {
        let folder = self.path().join(name.as_ref());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("claim.json"), r#"{"version": "1", "document": {"half"#).unwrap();
    }
}

const CUT_AFTER: &str = "cut-after";
const CUT_BEFORE: &str = "cut-before";

/// Changes of the runs that are called so are cut.
fn cut(request: &Request) -> Verdict {
    match request.run.as_str() {
        CUT_AFTER if request.mutates() => Verdict::CutAfter,
        CUT_BEFORE if request.mutates() => Verdict::Cut,
        _ => Verdict::Pass,
    }
}

fn cut_run(lost: Lost) -> &'static str {
    match lost {
        Lost::Landed => CUT_AFTER,
        Lost::NotLanded => CUT_BEFORE,
    }
}

/// The embedded Vault.
struct Vault {
    bed: Bed,
    damaged: Arc<Mutex<BTreeSet<String>>>,
}

impl Vault {
    async fn fresh() -> Self {
        let (bed, damaged) = (Bed::start().await, Arc::new(Mutex::<BTreeSet<String>>::default()));
        let unreadable = damaged.clone();
        bed.gate().rule(move |request| match request.path.as_slice() {
            [.., name, last] if last == "claim" && unreadable.lock().unwrap().contains(name) => {
                Verdict::json(200, &json!({"data": {"data": "no object", "metadata": {"version": 1}}}))
            }
            _ => cut(request),
        });
        Self { bed, damaged }
    }
}

#[async_trait]
impl UnderTest for Vault {
    fn store(&self, run: &str) -> Arc<dyn Store> {
        self.bed.vault(run)
    }
    fn cut(&self, lost: Lost) -> Option<Arc<dyn Store>> {
        Some(self.bed.vault(cut_run(lost)))
    }
    /// KV v2 takes nothing but objects, and any object is a document to the store: only an answer can be no document.
    async fn damage(&self, name: &EnvironmentName) {
        self.bed.world().vault.put(&format!("{ROOT}/{name}/claim"), Document::new());
        self.damaged.lock().unwrap().insert(name.to_string());
    }
}

/// The embedded API server.
struct Kubernetes {
    bed: Bed,
}

impl Kubernetes {
    async fn fresh() -> Self {
        let bed = Bed::start().await;
        bed.gate().rule(cut);
        Self { bed }
    }
}

#[async_trait]
impl UnderTest for Kubernetes {
    fn store(&self, run: &str) -> Arc<dyn Store> {
        self.bed.kubernetes(run)
    }
    fn cut(&self, lost: Lost) -> Option<Arc<dyn Store>> {
        Some(self.bed.kubernetes(cut_run(lost)))
    }
    async fn damage(&self, name: &EnvironmentName) {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"document": "{\"half"},
            "metadata": {"labels": {
                "app.kubernetes.io/managed-by": "berth", "berth.dev/document": "claim", "berth.dev/environment": name,
            }},
        });
        self.bed.world().kubernetes.put("configmaps", NAMESPACE, &format!("{name}.claim"), object);
    }
}

contract! { file File vault Vault kubernetes Kubernetes }

#[tokio::test]
async fn only_its_owner_can_read_what_the_file_store_keeps() {
    use std::os::unix::fs::PermissionsExt;
    let file = File::fresh().await;
    let store = file.store("a");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for key in [Key::Kubeconfig(name("env")), claim("env"), Key::Pool] {
        let version = create(&*store, &key, &says("hush")).await;
        store.write(&key, &says("hush again"), &version).await.unwrap();
        let path = PathBuf::from(store.place(&key));
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        assert_eq!(mode(path.parent().unwrap()), 0o700, "{}", path.display());
    }
}

#[tokio::test]
async fn the_file_store_leaves_nothing_behind_but_its_documents() {
    let file = File::fresh().await;
    let store = file.store("a");
    let version = create(&*store, &claim("env"), &says("first")).await;
    let version = store.write(&claim("env"), &says("second"), &version).await.unwrap();
    is_conflict(store.write(&claim("env"), &says("third"), &Version::opaque("stale")).await);
    let within = |folder: PathBuf| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(within(file.path().join("env")), BTreeSet::from(["claim.json".to_owned()]));
    store.remove(&claim("env"), &version).await.unwrap();
    assert_eq!(within(file.path().join("env")), BTreeSet::new());
}

#[tokio::test]
async fn of_all_who_claim_first_one_names_the_installation_and_all_are_told_the_same() {
    let file = File::fresh().await;
    assert_eq!(installation(&*file.store("nobody")).await.unwrap(), None);
    let each = (0..8).map(|at| {
        let store = file.store(&format!("r{at}"));
        async move { named(&*store, || Ok(format!("{at:08x}").parse()?)).await.unwrap() }
    });
    let told: BTreeSet<_> = futures::future::join_all(each).await.into_iter().collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(installation(&*file.store("later")).await.unwrap().as_ref(), told.first());
    let later = named(&*file.store("later"), || panic!("it has a name")).await.unwrap();
    assert_eq!(Some(&later), told.first());
}

#[tokio::test]
async fn an_installation_whose_name_was_lost_is_called_what_its_claims_bear() {
    let file = File::fresh().await;
    let store = file.store("a");
    create(&*store, &claim("env"), &document(json!({"uid": "0a1b2c3d-5e6f-1"}))).await;
    let named = named(&*store, || panic!("a claim bears its name")).await.unwrap();
    assert_eq!(named.as_ref(), "0a1b2c3d");
    assert_eq!(installation(&*store).await.unwrap(), Some(named));
}
