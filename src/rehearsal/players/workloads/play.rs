//! What is to become of a pod, as its annotations say it: the words that the bench's kubelets know too, and some more.

use super::super::objects::{annotation, name};
use jiff::SignedDuration;
use serde_json::Value;

/// What becomes of a pod: one of the words below. On a claim, [`PENDING_CLAIM`].
pub const PLAY: &str = "play.berth.dev/play";
/// How long it is creating its containers beyond what that takes anyway, as Go writes durations.
pub const DELAY: &str = "play.berth.dev/delay";
/// What [`CRASH_LOOP`] and [`FAIL`] end with, else 1.
pub const EXIT_CODE: &str = "play.berth.dev/exit-code";
/// What its containers have said, else a line for each.
pub const LOG: &str = "play.berth.dev/log";

/// Its image is not to be had.
pub const IMAGE_PULL_BACK_OFF: &str = "image-pull-back-off";
/// Its image is not for everybody.
pub const IMAGE_REFUSED: &str = "image-refused";
/// The registry does not answer.
pub const REGISTRY_DOWN: &str = "registry-down";
/// It starts, ends before it is ready, and is started again, ever later.
pub const CRASH_LOOP: &str = "crash-loop";
/// So too, and it is its memory limit that ends it.
pub const OUT_OF_MEMORY: &str = "out-of-memory";
/// It asks for a Secret that is not there. So does a pod that really asks for one.
pub const MISSING_CONFIG: &str = "missing-config";
/// It runs, and its readiness probe fails.
pub const NEVER_READY: &str = "never-ready";
/// It ends with an error, if it is not to be started again whatever comes.
pub const FAIL: &str = "fail";
/// It is ready and does not end, also where it should.
pub const HANG: &str = "hang";
/// No node has room for it.
pub const UNSCHEDULABLE: &str = "unschedulable";
/// Its claims get no volume.
pub const PENDING_CLAIM: &str = "pending-claim";
/// The namespace's quota has no room for it.
pub const QUOTA: &str = "quota";
/// The namespace's quota counts what its containers do not say.
pub const NO_REQUESTS: &str = "no-requests";
/// The namespace's least is more than its containers ask for.
pub const TOO_SMALL: &str = "too-small";
/// Its ServiceAccount is not there.
pub const NO_ACCOUNT: &str = "no-account";
/// A policy of the cluster does not take it.
pub const AGAINST_POLICY: &str = "against-policy";
/// A webhook that must be asked about it does not answer.
pub const WEBHOOK_DOWN: &str = "webhook-down";
/// The namespace's policy does not take it.
pub const NOT_PERMITTED: &str = "not-permitted";

/// What a pod, or the template of one, is to become; empty if nothing is wrong with it.
pub(super) fn word(of: &Value) -> &str {
    annotation(of, PLAY)
}

/// Whether somebody mistyped it.
pub(super) fn is_known(word: &str) -> bool {
    matches!(
        word,
        "" | IMAGE_PULL_BACK_OFF
            | IMAGE_REFUSED
            | REGISTRY_DOWN
            | CRASH_LOOP
            | OUT_OF_MEMORY
            | MISSING_CONFIG
            | NEVER_READY
            | FAIL
            | HANG
            | UNSCHEDULABLE
            | PENDING_CLAIM
            | QUOTA
            | NO_REQUESTS
            | TOO_SMALL
            | NO_ACCOUNT
            | AGAINST_POLICY
            | WEBHOOK_DOWN
            | NOT_PERMITTED
    )
}

/// What it waits beyond what everything waits; what cannot be read is none.
pub(super) fn delay(pod: &Value) -> SignedDuration {
    annotation(pod, DELAY).parse().unwrap_or(SignedDuration::ZERO)
}

pub(super) fn exit_code(pod: &Value) -> i64 {
    annotation(pod, EXIT_CODE).parse().unwrap_or(1)
}

/// Why the API server would not have such a pod.
pub(super) fn refused(template: &Value, pod: &str) -> Option<String> {
    let namespace_of_webhook = "berth-play";
    Some(match word(template) {
        QUOTA => format!(
            "pods \"{pod}\" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=10, limited: pods=10"
        ),
        NO_REQUESTS => {
            let first = super::pods::containers(template).first().map_or("", name_of);
            format!(
                "pods \"{pod}\" is forbidden: failed quota: compute: must specify requests.cpu for: {first}"
            )
        }
        TOO_SMALL => format!(
            "pods \"{pod}\" is forbidden: minimum cpu usage per Container is 100m, but request is 50m"
        ),
        NO_ACCOUNT => format!(
            "pods \"{pod}\" is forbidden: error looking up service account default/shop: serviceaccount \"shop\" not found"
        ),
        AGAINST_POLICY => format!(
            "pods \"{pod}\" is forbidden: ValidatingAdmissionPolicy 'owned' with binding 'owned' denied request: it has no \
             owner"
        ),
        WEBHOOK_DOWN => format!(
            "Internal error occurred: failed calling webhook \"pods.play.berth.dev\": failed to call webhook: Post \
             \"https://webhook.{namespace_of_webhook}.svc:443/mutate?timeout=10s\": no endpoints available for service \
             \"webhook\""
        ),
        NOT_PERMITTED => {
            let containers =
                super::pods::containers(template).iter().map(|one| format!("\"{}\"", name_of(one)));
            let containers: Vec<String> = containers.collect();
            let (plural, containers) = (if containers.len() == 1 { "" } else { "s" }, containers.join(", "));
            format!(
                "pods \"{pod}\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != \
                 false (container{plural} {containers} must set securityContext.allowPrivilegeEscalation=false)"
            )
        }
        _ => return None,
    })
}

fn name_of(container: &Value) -> &str {
    container["name"].as_str().unwrap_or_default()
}

/// The images of its error: what the kubelet says of one that does not come.
pub(super) fn pull_error(word: &str, image: &str) -> Option<String> {
    let at = format!("failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\"");
    let host = image.split('/').next().unwrap_or_default();
    Some(match word {
        IMAGE_PULL_BACK_OFF => format!("rpc error: code = NotFound desc = {at}: {image}: not found"),
        IMAGE_REFUSED => format!(
            "rpc error: code = Unknown desc = {at}: failed to authorize: failed to fetch anonymous token: unexpected status \
             from GET request to https://{host}/service/token: 401 Unauthorized"
        ),
        REGISTRY_DOWN => format!(
            "rpc error: code = DeadlineExceeded desc = {at}: failed to do request: Head \"https://{host}/v2/\": dial tcp: \
             i/o timeout"
        ),
        _ => return None,
    })
}

/// As messages of the kubelet write a pod: `NAME_NAMESPACE(UID)`.
pub(super) fn full_name(pod: &Value) -> String {
    let (namespace, uid) = (super::super::objects::namespace(pod), super::super::objects::uid(pod));
    format!("{}_{namespace}({uid})", name(pod))
}
