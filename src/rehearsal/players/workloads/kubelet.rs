//! The kubelets of all nodes: what becomes of a pod's containers, one step at a look.
//!
//! All containers of a pod go the same way; those that run before the others end well. A pod that is deleted is gone at
//! once: its grace is not played.

use super::super::{
    Change, Kind, Objects, Pace, Player, Reaction,
    conditions::{stamp, tell_briefly},
    draft::Draft,
    names,
    objects::{SECRET, is_going, list, number, text, time, uid},
};
use super::{
    CONFIG_MAP, EVENT, NODE, POD,
    events::Teller,
    missing,
    play::{self, CRASH_LOOP, FAIL, HANG, NEVER_READY, OUT_OF_MEMORY},
    pods::{containers, is_active, object},
    statuses::{address, go_duration, pause, unready, waiting},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The kubelets.
#[derive(Debug, Clone)]
pub struct Kubelet {
    /// How long images and containers take.
    pub pace: Pace,
}

impl Player for Kubelet {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn watches(&self) -> &'static [Kind] {
        &[POD, NODE, SECRET, CONFIG_MAP, EVENT]
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let mut reaction = Reaction::default();
        let bound = objects.all(POD).filter(|pod| !text(pod, "/spec/nodeName").is_empty() && !is_going(pod));
        for pod in bound.filter(|pod| is_active(pod)) {
            let teller = Teller { objects, component: "kubelet", now };
            let mut step = Step { pace: self.pace, objects, pod, now, teller, reaction: &mut reaction };
            let change = step.next();
            reaction.push(change);
        }
        reaction
    }
}

/// What the first container is at.
enum At {
    Nothing,
    Waiting,
    Running,
    Ended,
}

struct Step<'a, 'r> {
    pace: Pace,
    objects: &'a Objects<'a>,
    pod: &'a Value,
    now: Timestamp,
    teller: Teller<'a>,
    reaction: &'r mut Reaction,
}

impl<'a> Step<'a, '_> {
    fn first(&self) -> &'a Value {
        &self.pod["status"]["containerStatuses"][0]
    }

    fn at(&self) -> At {
        let state = &self.first()["state"];
        if state["running"].is_object() {
            At::Running
        } else if state["terminated"].is_object() {
            At::Ended
        } else if state["waiting"].is_object() {
            At::Waiting
        } else {
            At::Nothing
        }
    }

    fn next(&mut self) -> Option<Change> {
        let word = play::word(self.pod);
        match self.at() {
            At::Nothing => self.admit(),
            At::Waiting => self.wait(word),
            At::Running => self.run(word),
            At::Ended => self.start(word, 1),
        }
    }

    fn draft(&self) -> Draft<'a> {
        Draft::of(POD, self.pod)
    }

    /// The node has seen the pod.
    fn admit(&mut self) -> Option<Change> {
        let mut draft = self.draft();
        let (begun, now) = (stamp(self.now), self.now);
        draft.set(&["status", "phase"], "Pending");
        draft.set(&["status", "qosClass"], "BestEffort");
        draft.set(&["status", "startTime"], begun.as_str());
        draft.set(&["status", "hostIP"], "192.168.1.10");
        draft.set(&["status", "hostIPs"], json!([{ "ip": "192.168.1.10" }]));
        for kind in ["PodReadyToStartContainers", "Initialized"] {
            tell_briefly(&mut draft, now, kind, ("True", "", ""));
        }
        unready(&mut draft, self.pod, now);
        let before = list(self.pod, "/spec/initContainers");
        if !before.is_empty() {
            let ended = before.iter().map(|container| self.initialized(container, &begun));
            draft.set(&["status", "initContainerStatuses"], ended.collect::<Vec<_>>());
        }
        draft.set(
            &["status", "containerStatuses"],
            waiting(self.pod, |_| ("ContainerCreating", String::new())),
        );
        draft.end()
    }

    fn initialized(&self, container: &Value, now: &str) -> Value {
        let sidecar = container["restartPolicy"] == "Always";
        let id = self.id(text(container, "/name"), 0);
        let ended = json!({
            "terminated": { "exitCode": 0, "reason": "Completed", "containerID": id, "startedAt": now, "finishedAt": now },
        });
        json!({
            "name": container["name"], "image": container["image"], "imageID": container["image"], "containerID": id,
            "ready": true, "started": sidecar, "restartCount": 0,
            "state": if sidecar { json!({ "running": { "startedAt": now } }) } else { ended },
        })
    }

    fn id(&self, container: &str, starts: i64) -> String {
        let token = |half| names::token(&[uid(self.pod), container, &starts.to_string(), half]);
        format!("containerd://{}{}", token("a"), token("b"))
    }

    /// Until its image is there, its configuration is, and it has started.
    fn wait(&mut self, word: &str) -> Option<Change> {
        let reason = text(self.first(), "/state/waiting/reason").to_owned();
        if reason == "CrashLoopBackOff" {
            let starts = number(self.first(), "/restartCount").unwrap_or(1);
            let ended = time(self.first(), "/lastState/terminated/finishedAt").unwrap_or(self.now);
            return match self.reaction.passed(ended, pause(starts), self.now) {
                true => self.start(word, starts.saturating_add(1)),
                false => None,
            };
        }
        if !play::is_known(word) {
            let message = format!("nobody plays \"{word}\"");
            self.teller.warn(self.reaction, POD, self.pod, "UnknownPlay", &message);
            return None;
        }
        if let Some(why) = missing::of_volumes(self.objects, self.pod) {
            self.teller.warn(self.reaction, POD, self.pod, "FailedMount", &why);
            return None;
        }
        let begun = time(self.pod, "/status/startTime").unwrap_or(self.now);
        if !self.reaction.passed(begun, self.pace.pull, self.now) {
            return None;
        }
        if play::pull_error(word, "").is_some() {
            return self.fail_to_pull(word, &reason);
        }
        let missing = |container: &Value| missing::of_container(self.objects, self.pod, container);
        if containers(self.pod).iter().any(|container| missing(container).is_some()) {
            let mut draft = self.draft();
            draft.set(
                &["status", "containerStatuses"],
                waiting(self.pod, |container| match missing(container) {
                    Some(why) => ("CreateContainerConfigError", why),
                    None => ("ContainerCreating", String::new()),
                }),
            );
            for why in containers(self.pod).iter().filter_map(missing) {
                self.teller.warn(self.reaction, POD, self.pod, "Failed", &format!("Error: {why}"));
            }
            return draft.end();
        }
        let whole = self.pace.pull.saturating_add(self.pace.start).saturating_add(play::delay(self.pod));
        if self.reaction.passed(begun, whole, self.now) { self.start(word, 0) } else { None }
    }

    /// A try, then the pause before the next, which would end the same.
    fn fail_to_pull(&mut self, word: &str, reason: &str) -> Option<Change> {
        if reason == "ImagePullBackOff" {
            return None;
        }
        let mut draft = self.draft();
        let said = |container: &Value| {
            let image = text(container, "/image");
            let error = play::pull_error(word, image).unwrap_or_default();
            match reason {
                "ErrImagePull" => {
                    ("ImagePullBackOff", format!("Back-off pulling image \"{image}\": ErrImagePull: {error}"))
                }
                _ => ("ErrImagePull", error),
            }
        };
        draft.set(&["status", "containerStatuses"], waiting(self.pod, said));
        for image in containers(self.pod).iter().map(|container| text(container, "/image")) {
            let (teller, pod) = (&self.teller, self.pod);
            if reason == "ErrImagePull" {
                teller.warn(self.reaction, POD, pod, "Failed", "Error: ImagePullBackOff");
                teller.note(
                    self.reaction,
                    POD,
                    pod,
                    "BackOff",
                    &format!("Back-off pulling image \"{image}\""),
                );
            } else {
                let error = play::pull_error(word, image).unwrap_or_default();
                let message = format!("Failed to pull image \"{image}\": {error}");
                teller.warn(self.reaction, POD, pod, "Failed", &message);
                teller.warn(self.reaction, POD, pod, "Failed", "Error: ErrImagePull");
            }
        }
        draft.end()
    }

    /// Its containers run, for the first time or again.
    fn start(&mut self, word: &str, starts: i64) -> Option<Change> {
        let ready = !self.crashes(word) && word != NEVER_READY;
        let mut draft = self.draft();
        let now = stamp(self.now);
        let address = address(self.pod);
        draft.set(&["status", "phase"], "Running");
        draft.set(&["status", "podIP"], address.as_str());
        draft.set(&["status", "podIPs"], json!([{ "ip": address }]));
        let statuses = containers(self.pod).iter().map(|container| {
            let known = self.known(container);
            let mut before = known["lastState"].clone();
            if known["state"]["terminated"].is_object() {
                before = known["state"].clone();
            }
            let mut status = json!({
                "name": container["name"], "image": container["image"], "imageID": container["image"],
                "containerID": self.id(text(container, "/name"), starts),
                "ready": ready, "started": true, "restartCount": starts, "state": { "running": { "startedAt": now } },
            });
            if before.is_object() {
                status["lastState"] = before;
            }
            status
        });
        draft.set(&["status", "containerStatuses"], statuses.collect::<Vec<_>>());
        if ready {
            for kind in ["Ready", "ContainersReady"] {
                tell_briefly(&mut draft, self.now, kind, ("True", "", ""));
            }
        } else if word == NEVER_READY {
            let message = "Readiness probe failed: HTTP probe failed with statuscode: 503";
            self.teller.warn(self.reaction, POD, self.pod, "Unhealthy", message);
        }
        draft.end()
    }

    fn known(&self, container: &Value) -> &'a Value {
        let all = list(self.pod, "/status/containerStatuses").iter();
        all.into_iter().find(|known| known["name"] == container["name"]).unwrap_or(&Value::Null)
    }

    /// Whether it ends with an error and is started again.
    fn crashes(&self, word: &str) -> bool {
        let again = text(self.pod, "/spec/restartPolicy") != "Never";
        let fails = word == FAIL && text(self.pod, "/spec/restartPolicy") == "OnFailure";
        again && (matches!(word, CRASH_LOOP | OUT_OF_MEMORY) || fails)
    }

    fn run(&mut self, word: &str) -> Option<Change> {
        if self.crashes(word) {
            return self.crash(word);
        }
        if word == NEVER_READY
            || word == HANG
            || matches!(text(self.pod, "/spec/restartPolicy"), "" | "Always")
        {
            // What was unready may have been told to be well.
            let starts = number(self.first(), "/restartCount").unwrap_or(0);
            let well = self.first()["ready"] == true || word == NEVER_READY;
            return if well { None } else { self.start(word, starts) };
        }
        let failed = matches!(word, FAIL | CRASH_LOOP | OUT_OF_MEMORY);
        let (phase, reason) = if failed { ("Failed", "PodFailed") } else { ("Succeeded", "PodCompleted") };
        let mut draft = self.draft();
        draft.set(&["status", "phase"], phase);
        for kind in ["PodReadyToStartContainers", "Ready", "ContainersReady"] {
            let reason = if kind == "PodReadyToStartContainers" { "" } else { reason };
            tell_briefly(&mut draft, self.now, kind, ("False", reason, ""));
        }
        if !failed {
            tell_briefly(&mut draft, self.now, "Initialized", ("True", reason, ""));
        }
        let ended = list(self.pod, "/status/containerStatuses").iter().map(|known| {
            let mut status = object(known);
            status["ready"] = false.into();
            status["started"] = false.into();
            status["state"] = self.ended(known, if failed { word } else { "" });
            status
        });
        draft.set(&["status", "containerStatuses"], ended.collect::<Vec<_>>());
        draft.end()
    }

    fn ended(&self, known: &Value, word: &str) -> Value {
        let (code, reason) = match word {
            "" => (0, "Completed"),
            OUT_OF_MEMORY => (137, "OOMKilled"),
            _ => (play::exit_code(self.pod), "Error"),
        };
        json!({ "terminated": {
            "exitCode": code, "reason": reason, "containerID": known["containerID"],
            "startedAt": known["state"]["running"]["startedAt"], "finishedAt": stamp(self.now),
        } })
    }

    /// The first time it is started again at once; then ever later.
    fn crash(&mut self, word: &str) -> Option<Change> {
        let starts = number(self.first(), "/restartCount").unwrap_or(0);
        let mut draft = self.draft();
        unready(&mut draft, self.pod, self.now);
        let full = play::full_name(self.pod);
        let statuses = list(self.pod, "/status/containerStatuses").iter().map(|known| {
            let mut status = object(known);
            status["ready"] = false.into();
            status["started"] = false.into();
            if starts == 0 {
                status["state"] = self.ended(known, word);
            } else {
                let pause = go_duration(pause(starts));
                let message = format!(
                    "back-off {pause} restarting failed container={} pod={full}",
                    text(known, "/name")
                );
                status["state"] = json!({ "waiting": { "reason": "CrashLoopBackOff", "message": message } });
                status["lastState"] = self.ended(known, word);
            }
            status
        });
        draft.set(&["status", "containerStatuses"], statuses.collect::<Vec<_>>());
        if starts > 0 {
            let container = text(self.first(), "/name");
            let message = format!("Back-off restarting failed container {container} in pod {full}");
            self.teller.warn(self.reaction, POD, self.pod, "BackOff", &message);
        }
        draft.end()
    }
}
