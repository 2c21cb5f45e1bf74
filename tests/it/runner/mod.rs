//! A runner of GitHub Actions, as far as a composite action sees one: `action.yml` itself is read, its steps are run by the
//! bash and with the variables, files and signals that a runner gives them, and what they print is read as a runner reads it.
//!
//! Must never: be more lenient than a runner; pass over what it does not know. Such an action ends the test.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

mod expression;
mod facts;
mod files;
mod log;
mod step;

use expression::Contexts;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, Sender},
    time::Duration,
};
use tempfile::TempDir;

/// How long a cancelled step has until SIGTERM, and then until it is killed.
const PATIENCE: [Duration; 2] = [Duration::from_millis(7_500), Duration::from_millis(2_500)];

/// What a job's check run is called, which is the job's own number.
pub(crate) const JOB: &str = "51725241954";

/// A job with one step: the action.
pub(crate) struct Runner {
    action: Value,
    folder: PathBuf,
    inputs: BTreeMap<String, String>,
    github: BTreeMap<String, String>,
    payload: Value,
    job: String,
    env: BTreeMap<String, String>,
    secrets: Vec<String>,
    end_at: Option<(String, step::Early)>,
    patience: [Duration; 2],
    workspace: PathBuf,
    events: (Sender<step::Event>, Receiver<step::Event>),
    temp: TempDir,
}

/// What the job's page and the steps behind it get to see.
pub(crate) struct Ran {
    /// The action's own: all that it declares.
    pub(crate) outputs: BTreeMap<String, String>,
    /// As people read it: what is masked is not in it.
    pub(crate) log: String,
    /// What the runner was told to do: the command and what it is about. (`error`, `notice`, `group`, ...)
    pub(crate) commands: Vec<(String, String)>,
    pub(crate) summary: String,
    /// Of the step that failed; 0: none did. What a signal ended has 128 and the signal's number.
    pub(crate) exit: i32,
    /// What its last step was sent, each 7.5 and 2.5 seconds after the one before, because it had not ended.
    pub(crate) signals: Vec<Signal>,
    /// The checkout, and the directory of files that go with the job.
    pub(crate) workspace: PathBuf,
    pub(crate) temp: PathBuf,
    /// All that the runner has on its disk: the two above (unless the checkout is another's), the home, and what steps wrote.
    pub(crate) disk: TempDir,
}

impl Ran {
    /// One of those that the action declares.
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("the action has no output {name}"))
    }
}

/// By which somebody cancels the run.
#[derive(Clone)]
pub(crate) struct Cancel(Sender<step::Event>);

impl Cancel {
    pub(crate) fn now(&self) {
        // Nobody hears it who has ended.
        let _ = self.0.send(step::Event::Cancel);
    }
}

impl Runner {
    /// Over this file. The job's repository is `acme/shop`, its event a push, its checkout empty.
    pub(crate) fn new(action_yml: &Path) -> Self {
        let text = fs::read_to_string(action_yml).unwrap();
        let action: Value = serde_saphyr::from_str(&text).unwrap();
        let temp = tempfile::tempdir().unwrap();
        for folder in ["workspace", "temp", "home", "tools"] {
            fs::create_dir(temp.path().join(folder)).unwrap();
        }
        let place = |folder: &str| temp.path().join(folder).to_str().unwrap().to_owned();
        let github = [
            ("action", "berth"),
            ("action_ref", "v1"),
            ("action_repository", "acme/berth"),
            ("actor", "octocat"),
            ("api_url", "https://api.github.com"),
            ("base_ref", ""),
            ("event_name", "push"),
            ("graphql_url", "https://api.github.com/graphql"),
            ("head_ref", ""),
            ("job", "berth"),
            ("ref", "refs/heads/main"),
            ("ref_name", "main"),
            ("ref_type", "branch"),
            ("repository", "acme/shop"),
            ("repository_owner", "acme"),
            ("run_attempt", "1"),
            ("run_id", "512"),
            ("run_number", "7"),
            ("server_url", "https://github.com"),
            ("sha", "9f2c1ab5f0c4d3e2b1a0f9e8d7c6b5a493827160"),
            ("token", "ghs_CANARY-of-the-job"),
            ("triggering_actor", "octocat"),
            ("workflow", "preview"),
            ("workspace", &place("workspace")),
        ];
        let folder = action_yml.parent().unwrap().canonicalize().unwrap();
        Self {
            action,
            inputs: BTreeMap::new(),
            github: github.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            payload: json!({}),
            job: JOB.to_owned(),
            env: BTreeMap::from([("HOME".to_owned(), place("home")), ("PATH".to_owned(), path())]),
            secrets: Vec::new(),
            end_at: None,
            patience: PATIENCE,
            workspace: temp.path().join("workspace"),
            events: mpsc::channel(),
            folder,
            temp,
        }
    }

    /// `with:` one of the action's inputs.
    pub(crate) fn input(mut self, name: &str, value: &str) -> Self {
        assert!(!self.action["inputs"][name].is_null(), "the action has no input {name}");
        self.inputs.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Its number, other than [`JOB`].
    pub(crate) fn numbered(mut self, job: u64) -> Self {
        self.job = job.to_string();
        self
    }

    /// What started the workflow.
    pub(crate) fn event(mut self, name: &str, payload: Value) -> Self {
        self.payload = payload;
        self.github("event_name", name)
    }

    /// One of the `github` context, and the variable `GITHUB_` of the same name: `api_url`, `server_url`, `repository`, `sha`...
    pub(crate) fn github(mut self, name: &str, value: &str) -> Self {
        assert!(self.github.contains_key(name), "there is no github.{name} here");
        self.github.insert(name.to_owned(), value.to_owned());
        self
    }

    /// `env:` of the job. What begins with `GITHUB_` is the runner's own and said by `github`; `RUNNER_` only tests of
    /// other machines say.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        assert!(!name.starts_with("GITHUB_"), "{name}: see `github`");
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// One of the `secrets` that the workflow uses: masked from the beginning.
    pub(crate) fn secret(mut self, value: &str) -> Self {
        self.secrets.push(value.to_owned());
        self
    }

    /// A file of the checkout.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let file = self.workspace().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        self
    }

    /// The checkout.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.workspace.clone()
    }

    /// A checkout that outlives the job.
    pub(crate) fn checkout(mut self, directory: PathBuf) -> Self {
        self.github.insert("workspace".to_owned(), directory.to_str().unwrap().to_owned());
        self.workspace = directory;
        self
    }

    /// Somebody cancels the run when this stands in its log.
    pub(crate) fn cancel_at(mut self, text: &str) -> Self {
        self.end_at = Some((text.to_owned(), step::Early::Cancelled));
        self
    }

    /// The machine is lost when this stands in its log: all that runs there is killed, unasked.
    pub(crate) fn lost_at(mut self, text: &str) -> Self {
        self.end_at = Some((text.to_owned(), step::Early::Lost));
        self
    }

    /// By which a test cancels it from another thread.
    pub(crate) fn cancel(&self) -> Cancel {
        Cancel(self.events.0.clone())
    }

    /// Another runner than GitHub's own: how long it waits after SIGINT, and after SIGTERM.
    pub(crate) fn patience(mut self, patience: [Duration; 2]) -> Self {
        self.patience = patience;
        self
    }

    /// Runs it to its end, on this thread.
    pub(crate) fn run(self) -> Ran {
        let Value::Object(runs) = &self.action["runs"] else { panic!("the action has no `runs`") };
        knows(runs.keys(), &["using", "steps"]);
        assert_eq!(runs["using"], "composite");
        let event = self.temp.path().join("event.json");
        fs::write(&event, self.payload.to_string()).unwrap();

        let job = BTreeMap::from([("check_run_id".to_owned(), self.job.clone())]);
        let mut contexts = Contexts { github: self.github.clone(), job, ..Contexts::default() };
        for (name, input) in self.action["inputs"].as_object().unwrap() {
            let default = input["default"].as_str().unwrap_or_default();
            let value = self.inputs.get(name).cloned().unwrap_or_else(|| contexts.evaluate(default));
            contexts.inputs.insert(name.clone(), value);
        }
        let mut log = log::Log::new(self.secrets.iter().chain(self.github.get("token")));
        let (mut summary, mut exit, mut signals) = (String::new(), 0, Vec::new());
        for (number, step) in runs["steps"].as_array().unwrap().iter().enumerate() {
            let ended = self.step(step, &contexts, number, &event, &mut log);
            if let Some(id) = step["id"].as_str() {
                contexts.steps.insert(id.to_owned(), ended.outputs);
            }
            summary.push_str(&ended.summary);
            exit = ended.exit;
            // Behind a cancelled step nothing runs, however it ended.
            signals = ended.signals;
            if exit != 0 || !signals.is_empty() {
                break;
            }
        }
        // As they stand, also behind a step that failed.
        let outputs = self.action["outputs"].as_object().unwrap().iter();
        let outputs = outputs.map(|(name, output)| {
            let value = contexts.evaluate(output["value"].as_str().unwrap());
            (name.clone(), value)
        });
        Ran {
            outputs: outputs.collect(),
            log: log.text(),
            commands: log.commands,
            summary,
            exit,
            signals,
            workspace: self.workspace(),
            temp: self.temp.path().join("temp"),
            disk: self.temp,
        }
    }

    fn step(
        &self,
        step: &Value,
        contexts: &Contexts,
        number: usize,
        event: &Path,
        log: &mut log::Log,
    ) -> step::Ended {
        knows(step.as_object().unwrap().keys(), &["id", "name", "shell", "run", "env"]);
        assert_eq!(step["shell"], "bash", "what runs another shell is not known here");
        let script = step["run"].as_str().expect("a step of the action runs a script");
        assert!(!script.contains("${{"), "an expression in a script is run by a shell: {script}");
        let mut env = self.surroundings(event);
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            env.insert(name.clone(), contexts.evaluate(value.as_str().unwrap()));
        }
        let folder = self.temp.path().join(format!("step-{number}"));
        step::Step { script, env, folder, directory: self.workspace(), patience: self.patience }.run(
            &self.events,
            self.end_at.as_ref().map(|(text, early)| (text.as_str(), *early)),
            log,
        )
    }

    /// What every step of every job has. No `INPUT_`: a composite action gets none.
    fn surroundings(&self, event: &Path) -> BTreeMap<String, String> {
        let temp = self.temp.path();
        let machine = [
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("RUNNER_OS", if cfg!(target_os = "macos") { "macOS" } else { "Linux" }.to_owned()),
            ("RUNNER_ARCH", if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" }.to_owned()),
            ("RUNNER_NAME", "local".to_owned()),
            ("RUNNER_TEMP", temp.join("temp").display().to_string()),
            ("RUNNER_TOOL_CACHE", temp.join("tools").display().to_string()),
            ("RUNNER_TRACKING_ID", "github_512".to_owned()),
        ];
        let mut all: BTreeMap<_, _> = machine.map(|(name, value)| (name.to_owned(), value)).into();
        all.extend(self.env.clone());
        // The token is in the context alone, and where an action is from is told in it, too.
        let variables =
            self.github.iter().filter(|(name, _)| !["token", "action_repository"].contains(&&***name));
        all.extend(variables.map(|(name, value)| (format!("GITHUB_{}", name.to_uppercase()), value.clone())));
        all.insert("GITHUB_ACTION_REPOSITORY".to_owned(), String::new());
        all.insert("GITHUB_ACTION_PATH".to_owned(), self.folder.display().to_string());
        all.insert("GITHUB_EVENT_PATH".to_owned(), event.display().to_string());
        all
    }
}

/// Where this machine's programs are.
#[allow(clippy::disallowed_methods, reason = "a runner hands its own on")]
fn path() -> String {
    std::env::var_os("PATH").unwrap().into_string().unwrap()
}

fn knows<'a>(keys: impl Iterator<Item = &'a String>, known: &[&str]) {
    for key in keys {
        assert!(known.contains(&key.as_str()), "`{key}` is not known here");
    }
}
