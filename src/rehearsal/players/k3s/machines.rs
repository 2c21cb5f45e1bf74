//! The machines of a control plane: made one after the other, counted, taken away.

use super::{
    CLUSTER_NAME, CONFIG, CONTROL_PLANE, Change, Draft, Look, MACHINE, Not, PROXMOX_MACHINE, Reaction,
    controller, is_going, is_true, name, names, namespace, number, reference, say, stamp, text, uid,
};
use crate::rehearsal::players::{
    objects::{list, owner_of_kind, target, time},
    proxmox::{machine::node, up_since},
};
use serde_json::{Map, Value, json};

const ROLE: &str = "cluster.x-k8s.io/control-plane";

impl<'a> Look<'a> {
    /// Oldest first.
    pub(super) fn owned(&self) -> Vec<&'a Value> {
        let ours = |machine: &&Value| {
            owner_of_kind(machine, CONTROL_PLANE).is_some_and(|owner| {
                text(owner, "/uid") == uid(self.plane) && text(owner, "/name") == name(self.plane)
            })
        };
        let mut owned: Vec<_> = self.objects.of_cluster(MACHINE, self.cluster).filter(ours).collect();
        owned.sort_by_key(|machine| (time(machine, "/metadata/creationTimestamp"), name(machine)));
        owned
    }

    fn wanted(&self) -> usize {
        // Absurd numbers would be refused by the webhook.
        let replicas = number(self.plane, "/spec/replicas").unwrap_or(1).clamp(0, 9);
        usize::try_from(replicas).unwrap_or_default()
    }

    /// One machine more, or one less, and only while nothing else is under way.
    pub(super) fn scale(&self, draft: &mut Draft<'_>, reaction: &mut Reaction) {
        let (owned, wanted) = (self.owned(), self.wanted());
        if owned.len() < wanted {
            if owned.is_empty() {
                say(draft, self.now, "Available", Err(Not::yet("WaitingForKthreesServer")));
            }
            if owned.iter().all(|machine| self.is_server(machine)) {
                self.create(reaction, owned.len());
            }
        } else if let Some(newest) = owned.last().filter(|_| owned.len() > wanted)
            && !owned.iter().any(|machine| is_going(machine))
        {
            reaction.push([Change::Delete(target(MACHINE, newest))]);
        }
    }

    /// The VM, its bootstrap data and the Machine that joins them; what of these exists already stays.
    fn create(&self, reaction: &mut Reaction, ordinal: usize) {
        let Some(template) = self.template() else { return };
        let named = |what: &str| {
            let suffix = names::suffix(&[what, uid(self.plane), name(self.plane), &ordinal.to_string()]);
            format!("{}-{suffix}", name(self.plane))
        };
        let (vm, config, machine) = (named("vm"), named("config"), named("machine"));
        let metadata = |name: &str, owner: Value| {
            let template = &self.plane["spec"]["machineTemplate"]["metadata"];
            let labels = strings(&template["labels"]);
            let ours = [(CLUSTER_NAME, super::name(self.cluster)), (ROLE, ""), (ROLE_NAME, "")];
            let labels: Map<_, _> =
                labels.chain(ours.map(|(key, value)| (key.to_owned(), value.into()))).collect();
            let annotations: Map<_, _> = strings(&template["annotations"]).collect();
            json!({
                "namespace": namespace(self.plane), "name": name, "labels": labels, "annotations": annotations,
                "ownerReferences": [owner],
            })
        };
        let mut vm_metadata = metadata(&vm, reference(CONTROL_PLANE, self.plane));
        let cloned = "cluster.x-k8s.io/cloned-from";
        vm_metadata["annotations"][&format!("{cloned}-name")] = name(template).into();
        vm_metadata["annotations"][&format!("{cloned}-groupkind")] =
            "ProxmoxMachineTemplate.infrastructure.cluster.x-k8s.io".into();
        let mut machine_metadata = metadata(&machine, controller(CONTROL_PLANE, self.plane));
        machine_metadata["annotations"]["controlplane.cluster.x-k8s.io/kthrees-server-configuration"] =
            self.plane["spec"]["kthreesConfigSpec"]["serverConfig"].to_string().into();
        let made = [
            json!({
                "apiVersion": PROXMOX_MACHINE.api_version(), "kind": PROXMOX_MACHINE.kind,
                "metadata": vm_metadata, "spec": template["spec"]["template"]["spec"],
            }),
            json!({
                "apiVersion": CONFIG.api_version(), "kind": CONFIG.kind,
                "metadata": metadata(&config, reference(CONTROL_PLANE, self.plane)),
                "spec": object_or_empty(&self.plane["spec"]["kthreesConfigSpec"]),
            }),
            json!({
                "apiVersion": MACHINE.api_version(), "kind": MACHINE.kind, "metadata": machine_metadata,
                "spec": {
                    "clusterName": name(self.cluster), "version": text(self.plane, "/spec/version"),
                    "bootstrap": { "configRef": { "apiGroup": CONFIG.group, "kind": CONFIG.kind, "name": config } },
                    "infrastructureRef": {
                        "apiGroup": PROXMOX_MACHINE.group, "kind": PROXMOX_MACHINE.kind, "name": vm,
                    },
                },
            }),
        ];
        let exists = |object: &Value| {
            [PROXMOX_MACHINE, CONFIG, MACHINE]
                .into_iter()
                .any(|kind| kind.kind == text(object, "/kind") && self.known(kind, name(object)))
        };
        reaction.push(made.into_iter().filter(|object| !exists(object)).map(Change::Create));
    }

    fn known(&self, kind: super::Kind, name: &str) -> bool {
        self.objects.get(kind, namespace(self.plane), name).is_some()
    }

    fn vm(&self, machine: &Value) -> Option<&'a Value> {
        let vm = text(machine, "/spec/infrastructureRef/name");
        self.objects.get(PROXMOX_MACHINE, namespace(machine), vm)
    }

    /// Whether k3s answers there.
    fn is_server(&self, machine: &Value) -> bool {
        let up = self.vm(machine).and_then(up_since);
        up.and_then(|up| up.checked_add(self.player.pace.server).ok()).is_some_and(|due| due <= self.now)
    }

    /// What the control plane says of itself, and the nodes of servers that have just come up.
    pub(super) fn count(&self, draft: &mut Draft<'_>, reaction: &mut Reaction) {
        let owned = self.owned();
        let (mut servers, mut nodes) = (Vec::new(), 0);
        for &machine in &owned {
            let Some(up) = self.vm(machine).and_then(up_since) else { continue };
            let pace = self.player.pace;
            if reaction.passed(up, pace.server, self.now) {
                servers.push(machine);
                nodes += usize::from(reaction.passed(up, pace.server.saturating_add(pace.node), self.now));
            }
        }
        let selector = format!("{CLUSTER_NAME}={},{ROLE}", name(self.cluster));
        draft.set(&["status", "selector"], selector);
        draft.set(&["status", "replicas"], owned.len());
        draft.set(&["status", "updatedReplicas"], owned.len());
        if is_going(self.plane) {
            draft.set(&["status", "readyReplicas"], 0);
            return draft.set(&["status", "unavailableReplicas"], owned.len());
        }
        let ready_before = number(self.plane, "/status/readyReplicas").unwrap_or(0);
        draft.set(&["status", "readyReplicas"], nodes);
        draft.set(&["status", "unavailableReplicas"], owned.len() - nodes);
        if let Some(lowest) = owned.iter().map(|machine| text(machine, "/spec/version")).min() {
            draft.set(&["status", "version"], lowest);
        }
        self.resized(draft, &owned);
        if !servers.is_empty() {
            draft.set(&["status", "initialized"], true);
        }
        if nodes > 0 {
            draft.set(&["status", "ready"], true);
            say(draft, self.now, "Available", Ok(()));
        }
        if i64::try_from(nodes).is_ok_and(|nodes| nodes > ready_before) {
            reaction.push(servers.into_iter().filter_map(|machine| self.joins(machine)));
        }
    }

    fn resized(&self, draft: &mut Draft<'_>, owned: &[&Value]) {
        let (is, wanted) = (owned.len(), self.wanted());
        let scaling = |reason, word| {
            let message = format!("Scaling {word} control plane to {wanted} replicas (actual {is})");
            Err(Not::warning(reason, message))
        };
        if is < wanted {
            say(draft, self.now, "Resized", scaling("ScalingUp", "up"));
        } else if is > wanted {
            say(draft, self.now, "Resized", scaling("ScalingDown", "down"));
        } else if owned.iter().all(|machine| is_true(machine, "Ready")) {
            say(draft, self.now, "Resized", Ok(()));
        }
        let older = "/status/deprecated/v1beta1/conditions";
        let ready = |machine: &Value| {
            let all = list(machine, older);
            all.iter().find(|condition| condition["type"] == "Ready").cloned()
        };
        let not_ready = owned.iter().find_map(|machine| {
            let said = ready(machine).filter(|condition| condition["status"] != "True")?;
            Some(Not::yet(&format!("{} @ Machine/{}", text(&said, "/reason"), name(machine))))
        });
        if owned.iter().any(|machine| ready(machine).is_some()) {
            say(draft, self.now, "MachinesReady", not_ready.map_or(Ok(()), Err));
        }
    }

    fn joins(&self, machine: &Value) -> Option<Change> {
        let vm = self.vm(machine)?;
        let node = node(vm, node_name(self.plane, vm), text(machine, "/spec/version"), &stamp(self.now));
        Some(Change::Join(self.environment(), node))
    }
}

/// A Node is called as cloud-init names the host, unless somebody wrote a name out.
pub(in crate::rehearsal::players) fn node_name<'a>(plane: &'a Value, vm: &'a Value) -> &'a str {
    let written = text(plane, "/spec/kthreesConfigSpec/agentConfig/nodeName");
    if written.is_empty() || written.contains("{{") { name(vm) } else { written }
}

const ROLE_NAME: &str = "cluster.x-k8s.io/control-plane-name";

fn strings(map: &Value) -> impl Iterator<Item = (String, Value)> {
    let map = map.as_object().into_iter().flatten();
    map.filter(|(_, value)| value.is_string()).map(|(key, value)| (key.clone(), value.clone()))
}

fn object_or_empty(value: &Value) -> Value {
    if value.is_object() { value.clone() } else { json!({}) }
}
