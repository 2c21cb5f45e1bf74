//! Claims of volumes, and who provisions these: bound as soon as its class allows it, else pending.

use super::super::{
    Change,
    draft::Draft,
    objects::{annotation, is_going, list, name, namespace, target, text, uid},
};
use super::{CLAIM, Look, POD, STORAGE_CLASS, VOLUME, play};
use serde_json::{Value, json};

const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

pub(super) fn react(look: &mut Look<'_>) {
    for claim in look.objects.all(CLAIM).filter(|claim| !is_going(claim)) {
        if text(claim, "/status/phase") != "Bound" {
            bind(look, claim);
        }
    }
    for volume in look.objects.all(VOLUME).filter(|volume| !is_going(volume)) {
        let of = &volume["spec"]["claimRef"];
        let claim = look.objects.get(CLAIM, text(of, "/namespace"), text(of, "/name"));
        let is_held = claim.is_some_and(|claim| uid(claim) == text(of, "/uid"));
        if !is_held && text(volume, "/spec/persistentVolumeReclaimPolicy") == "Delete" {
            look.reaction.push([Change::Delete(target(VOLUME, volume))]);
        }
    }
}

fn bind(look: &mut Look<'_>, claim: &Value) {
    let mut users =
        look.objects.all(POD).filter(|pod| namespace(pod) == namespace(claim) && asks(pod, name(claim)));
    let user = users.next();
    let kept = [Some(claim), user].into_iter().flatten().any(|one| play::word(one) == play::PENDING_CLAIM);
    let component = "persistentvolume-controller";
    let mut draft = Draft::of(CLAIM, claim);
    draft.set(&["status", "phase"], "Pending");
    let class = match claim["spec"]["storageClassName"].as_str() {
        Some("") => None,
        Some(named) => match look.objects.get(STORAGE_CLASS, "", named) {
            None => {
                let message = format!("storageclass.storage.k8s.io \"{named}\" not found");
                look.warn(component, CLAIM, claim, "ProvisioningFailed", &message);
                return look.reaction.push(draft.end());
            }
            class => class,
        },
        None => look.objects.all(STORAGE_CLASS).find(|class| annotation(class, DEFAULT) == "true"),
    };
    let Some(class) = class else {
        let message = "no persistent volumes available for this claim and no storage class is set";
        look.note(component, CLAIM, claim, "FailedBinding", message);
        return look.reaction.push(draft.end());
    };
    if text(claim, "/spec/storageClassName") != name(class) {
        draft.set(&["spec", "storageClassName"], name(class));
    }
    let waits = text(class, "/volumeBindingMode") == "WaitForFirstConsumer" && user.is_none();
    if kept || waits {
        return look.reaction.push(draft.end());
    }
    let volume = format!("pvc-{}", uid(claim));
    if look.objects.get(VOLUME, "", &volume).is_none() {
        look.reaction.push([Change::Create(provisioned(claim, class, &volume))]);
    }
    draft.set(&["spec", "volumeName"], volume);
    draft.set(&["status", "phase"], "Bound");
    draft.set(&["status", "accessModes"], claim["spec"]["accessModes"].clone());
    draft.set(&["status", "capacity"], claim["spec"]["resources"]["requests"].clone());
    look.reaction.push(draft.end());
}

/// Whether a pod mounts this claim.
pub(super) fn asks(pod: &Value, claim: &str) -> bool {
    list(pod, "/spec/volumes").iter().any(|volume| text(volume, "/persistentVolumeClaim/claimName") == claim)
}

/// Whether one that waits for its first pod.
pub(super) fn waits_for_a_pod(class: Option<&Value>) -> bool {
    class.is_some_and(|class| text(class, "/volumeBindingMode") == "WaitForFirstConsumer")
}

fn provisioned(claim: &Value, class: &Value, called: &str) -> Value {
    let policy = match text(class, "/reclaimPolicy") {
        "" => "Delete",
        policy => policy,
    };
    json!({
        "apiVersion": "v1", "kind": VOLUME.kind,
        "metadata": {
            "name": called, "annotations": { "pv.kubernetes.io/provisioned-by": class["provisioner"] },
        },
        "spec": {
            "capacity": claim["spec"]["resources"]["requests"], "accessModes": claim["spec"]["accessModes"],
            "claimRef": {
                "apiVersion": "v1", "kind": CLAIM.kind, "namespace": namespace(claim), "name": name(claim),
                "uid": uid(claim),
            },
            "storageClassName": name(class), "persistentVolumeReclaimPolicy": policy, "volumeMode": "Filesystem",
            "hostPath": { "path": format!("/var/lib/rancher/k3s/storage/{called}"), "type": "DirectoryOrCreate" },
        },
        "status": { "phase": "Bound" },
    })
}
