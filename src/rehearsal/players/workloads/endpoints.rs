//! Endpoints of Services: the addresses of the pods that are ready, as both kinds tell them.

use super::super::{
    Change, Kind,
    conditions::is_true,
    draft::{Draft, controller},
    names,
    objects::{is_going, label, list, name, namespace, text, uid},
};
use super::{ENDPOINT_SLICE, ENDPOINTS, Look, POD, SERVICE, pods::containers};
use serde_json::{Map, Value, json};

pub(super) fn react(look: &mut Look<'_>) {
    for service in look.objects.all(SERVICE).filter(|service| !is_going(service)) {
        let Some(selector) = service["spec"]["selector"].as_object().filter(|all| !all.is_empty()) else {
            continue;
        };
        let pods: Vec<&Value> = look
            .objects
            .all(POD)
            .filter(|pod| namespace(pod) == namespace(service) && !text(pod, "/status/podIP").is_empty())
            .filter(|pod| matches(selector, pod))
            .collect();
        let wanted = [(ENDPOINTS, subsets(service, &pods)), (ENDPOINT_SLICE, slice(service, &pods))];
        for (kind, wanted) in wanted {
            put(look, kind, wanted);
        }
    }
}

fn matches(selector: &Map<String, Value>, pod: &Value) -> bool {
    selector
        .iter()
        .all(|(key, value)| !value.is_null() && label(pod, key) == value.as_str().unwrap_or_default())
}

fn put(look: &mut Look<'_>, kind: Kind, wanted: Value) {
    match look.objects.get(kind, namespace(&wanted), name(&wanted)) {
        None => look.reaction.push([Change::Create(wanted)]),
        Some(known) => {
            let mut draft = Draft::of(kind, known);
            for field in ["subsets", "endpoints", "ports"] {
                match wanted.get(field) {
                    Some(value) => draft.set(&[field], value.clone()),
                    None => draft.unset(&[field]),
                }
            }
            look.reaction.push(draft.end());
        }
    }
}

/// The ports of a Service as its pods have them.
fn ports(service: &Value, pods: &[&Value]) -> Value {
    let ports = list(service, "/spec/ports").iter().map(|port| {
        let of_pod = |called: &str| {
            let all = pods.iter().flat_map(|pod| containers(pod));
            let mut ports = all.flat_map(|container| list(container, "/ports"));
            ports.find(|one| text(one, "/name") == called).map(|one| one["containerPort"].clone())
        };
        let number = match &port["targetPort"] {
            Value::String(called) => of_pod(called),
            Value::Null => Some(port["port"].clone()),
            number => Some(number.clone()),
        };
        let protocol = if port["protocol"].is_string() { port["protocol"].clone() } else { "TCP".into() };
        let mut told = json!({ "port": number, "protocol": protocol });
        if port["name"].is_string() {
            told["name"] = port["name"].clone();
        }
        told
    });
    ports.collect()
}

fn reference(pod: &Value) -> Value {
    json!({ "kind": POD.kind, "namespace": namespace(pod), "name": name(pod), "uid": uid(pod) })
}

fn subsets(service: &Value, pods: &[&Value]) -> Value {
    let addresses = |ready: bool| -> Vec<Value> {
        let those = pods.iter().filter(|pod| is_true(pod, "Ready") == ready);
        let told = those.map(|pod| {
            json!({ "ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": reference(pod) })
        });
        told.collect()
    };
    let mut endpoints = json!({
        "apiVersion": "v1", "kind": ENDPOINTS.kind,
        "metadata": { "namespace": namespace(service), "name": name(service), "ownerReferences": [controller(SERVICE, service)] },
    });
    if !pods.is_empty() {
        let mut subset = json!({ "ports": ports(service, pods) });
        for (field, all) in [("addresses", addresses(true)), ("notReadyAddresses", addresses(false))] {
            if !all.is_empty() {
                subset[field] = all.into();
            }
        }
        endpoints["subsets"] = json!([subset]);
    }
    endpoints
}

fn slice(service: &Value, pods: &[&Value]) -> Value {
    let endpoints: Vec<Value> = pods
        .iter()
        .map(|pod| {
            let ready = is_true(pod, "Ready");
            json!({
                "addresses": [pod["status"]["podIP"]], "nodeName": pod["spec"]["nodeName"], "targetRef": reference(pod),
                "conditions": { "ready": ready, "serving": ready, "terminating": is_going(pod) },
            })
        })
        .collect();
    json!({
        "apiVersion": ENDPOINT_SLICE.api_version(), "kind": ENDPOINT_SLICE.kind,
        "metadata": {
            "namespace": namespace(service), "name": format!("{}-{}", name(service), names::suffix(&[uid(service)])),
            "labels": {
                "kubernetes.io/service-name": name(service),
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
            "ownerReferences": [controller(SERVICE, service)],
        },
        "addressType": "IPv4", "endpoints": endpoints, "ports": ports(service, pods),
    })
}
