//! Canaries: a secret of its own in every place that may hold one, and none of them in any place that people read.

use super::{
    super::github_app,
    bed::{Bed, CANARY, Event, TOKEN, sha},
};
use crate::runner::{Ran, Runner};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use berth::{
    clock::Clock,
    rehearsal::{
        Server,
        example::{NUMBER, REPOSITORY},
        gate::Verdict,
        players::k3s::Environment,
    },
};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

const KEY_OF_THE_APP: &str = include_str!("../github_app.pem");
const OF_THE_JOB: &str = "eyCANARY-7f3a-of-the-job";
const OF_THE_CLUSTER: &str = "CANARY-7f3a-management";
const OF_THE_ENVIRONMENT: &str = "CANARY-7f3a-environment";
const OF_THE_PLATFORM: &str = "CANARY-7f3a-platform";
const PASSWORD: &str = "CANARY-7f3a 100%25 \"of\" <shop> & %0Aothers'";
const LINES: &str = "first CANARY-7f3a line\nsecond CANARY-7f3a line\n";

/// What the tests of the app print: all that they can reach, in the forms in which it stands there.
const PRINTS: &str = r#"
cat "$KUBECONFIG"
sed 's/.*client-key-data": *"\([^"]*\).*/\1/' "$KUBECONFIG" | base64 -d
for given in BESIDE/given/*; do
  cat "$given"
  base64 -w0 "$given"; echo
  echo "::warning::$(cat "$given")"
  echo '##[error]'"$(cat "$given")"
done
cat BESIDE/app.pem BESIDE/kubeconfig
env
tr '\0' '\n' </proc/$PPID/environ
cp BESIDE/given.xml r.xml
"#;

/// A user of a kubeconfig: by a token and by a client certificate with this key.
fn user(token: &str, key: &KeyPair) -> Value {
    let certificate = CertificateParams::default().self_signed(key).unwrap();
    json!({
        "token": token,
        "client-certificate-data": BASE64_STANDARD.encode(certificate.pem()),
        "client-key-data": BASE64_STANDARD.encode(key.serialize_pem()),
    })
}

/// Lines of a private key, and itself as a kubeconfig has it.
fn forms(pem: &str) -> Vec<String> {
    let lines = pem.lines().filter(|line| line.len() > 20 && !line.starts_with("-----")).map(str::to_owned);
    lines.chain([BASE64_STANDARD.encode(pem).trim_end_matches('=').to_owned()]).collect()
}

struct Planted {
    bed: Bed,
    /// Beside what holds [`CANARY`].
    canaries: Vec<String>,
}

impl Planted {
    fn new() -> Self {
        let (ours, its) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut canaries = [KEY_OF_THE_APP, &ours.serialize_pem(), &its.serialize_pem()].map(forms).concat();
        canaries.extend(
            [PASSWORD, LINES].map(|text| BASE64_STANDARD.encode(text).trim_end_matches('=').to_owned()),
        );
        let app = "\
version: 1
deploy: {manifests: app.yaml}
secrets: [{name: shop, vault: apps/shop}]
tests: {command: [sh, t.sh], junit: r.xml}
";
        let bed = Bed::reached_by(app, |environment: &mut Environment| {
            let mut kubeconfig: Value = serde_json::from_str(&environment.kubeconfig).unwrap();
            kubeconfig["users"][0]["user"] = user(OF_THE_ENVIRONMENT, &its);
            environment.kubeconfig = kubeconfig.to_string();
        });
        let bed = bed.with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", OF_THE_JOB);
        let kubeconfig = bed.path("kubeconfig");
        let mut own: Value = serde_json::from_str(&fs::read_to_string(&kubeconfig).unwrap()).unwrap();
        own["users"][0]["user"] = user(OF_THE_CLUSTER, &ours);
        fs::write(&kubeconfig, own.to_string()).unwrap();

        let key = bed.path("app.pem");
        fs::write(&key, KEY_OF_THE_APP).unwrap();
        let platform = fs::read_to_string(bed.path("platform.yaml")).unwrap();
        let platform = platform.replace("\"}}\n", "\", app-secrets: \"apps\"}}\n");
        let platform = platform.replace(
            "copy-secrets: [dev/proxmox-credentials]",
            "copy-secrets: [dev/proxmox-credentials], secrets: [{name: registry, vault: registry/pull}]",
        );
        let app = format!("github: {{app: {{id: 104729, key: \"file:{}\"}}}}\n", key.display());
        fs::write(bed.path("platform.yaml"), platform + &app).unwrap();
        {
            let mut world = bed.world();
            // The app's word is of the real time, which this machine's clock tells.
            let since = Clock::system().now().duration_since(world.now()).as_secs();
            world.pass(since.try_into().unwrap());
            world.github.add_app(github_app::app(&[REPOSITORY]));
            let mut put =
                |path, document: Value| world.vault.put(path, document.as_object().unwrap().clone());
            put("apps/shop", json!({"password": PASSWORD, "lines": LINES}));
            put("registry/pull", json!({"password": OF_THE_PLATFORM}));
        }
        fs::create_dir(bed.path("given")).unwrap();
        fs::write(bed.path("given/password"), PASSWORD).unwrap();
        fs::write(bed.path("given/lines"), LINES).unwrap();
        fs::write(bed.path("given/platform"), OF_THE_PLATFORM).unwrap();
        let escaped = PASSWORD.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let junit = |name: &str, message: &str| {
            format!(
                "<testsuite><testcase name=\"logs in with {name}\"><failure message=\"{message}\">{message}</failure></testcase></testsuite>"
            )
        };
        fs::write(bed.path("given.xml"), junit(&escaped, &format!("{escaped} for {OF_THE_ENVIRONMENT}")))
            .unwrap();
        fs::write(bed.path("own.xml"), junit(OF_THE_ENVIRONMENT, &forms(&its.serialize_pem())[0])).unwrap();
        let scanned = canaries.clone();
        bed.served.gate.witness(move |request, _, _, _| {
            let (told, body) = (request.server == Server::GitHub, request.body.to_string());
            match scanned.iter().find(|canary| told && body.contains(*canary)) {
                Some(canary) => Err(format!("GitHub is told {canary}")),
                None => Ok(()),
            }
        });
        let planted = Self { bed, canaries };
        planted.bed.writes("t.sh", &planted.prints());
        planted
    }

    fn prints(&self) -> String {
        PRINTS.replace("BESIDE", self.bed.path("").to_str().unwrap())
    }

    fn none_in(&self, place: &str, text: &str) {
        for canary in self.canaries.iter().map(String::as_str).chain([CANARY, TOKEN]) {
            assert!(!text.contains(canary), "{canary} is in {place}:\n{text}");
        }
    }

    fn scans(&self, job: Runner) -> Ran {
        let ran = self.bed.ran(job);
        self.none_in("the log", &ran.log);
        self.none_in("the summary", &ran.summary);
        self.none_in("the outputs", &format!("{:?}", ran.outputs));
        self.none_in("what the runner was told", &format!("{:?}", ran.commands));
        let meant = ran.temp.join("berth/kubeconfig");
        for directory in [ran.disk.path(), &self.bed.path("checkout")] {
            self.none_below(directory, &meant);
        }
        if let Ok(found) = fs::metadata(&meant) {
            assert_eq!(found.permissions().mode() & 0o777, 0o600);
        }
        ran
    }

    /// But in the one that is meant to be there, and in what the app's tests have left.
    fn none_below(&self, directory: &Path, meant: &Path) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.none_below(&path, meant);
            } else if path != meant && !path.ends_with("r.xml") {
                self.none_in(
                    &path.display().to_string(),
                    &String::from_utf8_lossy(&fs::read(&path).unwrap()),
                );
            }
        }
    }

    fn acts(&self, event: &Event) -> Ran {
        self.scans(self.bed.job(event))
    }
}

#[test]
fn no_secret_is_in_any_place_that_people_read() {
    let planted = Planted::new();
    let (bed, opened) = (&planted.bed, planted.bed.opened());
    let ran = planted.acts(&opened);
    assert_eq!((ran.exit, ran.output("outcome")), (1, "tests-failed"), "{}", ran.log);
    assert!(
        ran.log.contains("\"client-key-data\":\"***\"") && ran.log.contains("::warning::***"),
        "{}",
        ran.log
    );
    assert!(bed.comment().contains("logs in with ***"), "{}", bed.comment());
    let kubeconfig = fs::read_to_string(ran.output("kubeconfig-path")).unwrap();
    assert!(kubeconfig.contains(OF_THE_ENVIRONMENT), "{kubeconfig}");

    let history = bed.document("pr-shop-42/history").unwrap().to_string();
    assert!(
        history.contains("logs in with ***") && !history.contains(CANARY),
        "others tell it again: {history}"
    );
    bed.checked_out(&sha('a'));
    let retested = planted.acts(&bed.says("ada", "/berth retest"));
    assert_eq!(retested.output("outcome"), "tests-failed", "{}", retested.log);
    planted.acts(&bed.says("ada", "/berth status"));
    bed.happens(|world| world.github.close(REPOSITORY, NUMBER, "ada").unwrap());
    let swept = planted.acts(&Event::new("schedule", json!({"schedule": "17 * * * *"})));
    assert_eq!(swept.exit, 0, "{}", swept.log);
}

#[test]
fn no_credential_of_the_environment_is_told_by_the_job_that_hands_results_in() {
    let planted = Planted::new();
    let bed = &planted.bed;
    bed.writes("berth.yaml", "version: 1\ndeploy: {manifests: app.yaml}\ntests: {report: cypress}\n");
    let opened = bed.opened();
    assert_eq!(planted.acts(&opened).output("outcome"), "awaiting-tests");
    fs::write(bed.path("checkout/r.xml"), fs::read(bed.path("own.xml")).unwrap()).unwrap();
    let job = bed.job(&opened).input("command", "report").input("junit", "r.xml").input("name", "cypress");
    let ran = planted.scans(job);
    assert_eq!(ran.output("outcome"), "tests-failed", "{}", ran.log);
    assert!(bed.comment().contains("logs in with ***"), "{}", bed.comment());
}

#[test]
fn no_secret_is_told_by_a_job_that_is_cancelled_or_fails() {
    let planted = Planted::new();
    let bed = &planted.bed;
    let opened = bed.opened();
    bed.writes("t.sh", &format!("{}\necho at-tests; exec tail --pid=$PPID -f /dev/null", planted.prints()));
    let ran = planted.scans(bed.job(&opened).cancel_at("at-tests"));
    assert_eq!((ran.exit, ran.output("outcome")), (130, "interrupted"), "{}", ran.log);
    // Whoever refuses an object quotes it.
    bed.served.gate.rule(|request| {
        let quotes = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 422, "reason": "Invalid",
            "message": format!("data: Invalid value: {OF_THE_ENVIRONMENT} {PASSWORD} {LINES}"),
        });
        let refused = request.server == Server::Environment && request.mutates();
        if refused { Verdict::json(422, &quotes) } else { Verdict::Pass }
    });
    let ran = planted.acts(&bed.pushed('b'));
    assert_eq!(ran.exit, 1, "{}", ran.log);
    assert!(bed.comment().contains("Invalid value: ***"), "{}", bed.comment());
}
