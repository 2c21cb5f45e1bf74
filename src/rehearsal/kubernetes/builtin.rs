//! The kinds that every API server has, as far as pipelines and the bundles that they apply use them.
//!
//! What fields they have, their types know; how their lists merge, `builtin_shapes` says.
//! It must never hold what a definition of the user's could define.

use super::builtin_shapes;
use super::kinds::Kind;
use k8s_openapi::{
    ClusterResourceScope, NamespaceResourceScope, Resource,
    api::{
        admissionregistration::v1 as admission, apps::v1 as apps, autoscaling::v2 as autoscaling,
        batch::v1 as batch, coordination::v1 as coordination, core::v1 as core, discovery::v1 as discovery,
        networking::v1 as networking, policy::v1 as policy, rbac::v1 as rbac, scheduling::v1 as scheduling,
        storage::v1 as storage,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1 as extensions,
    kube_aggregator::pkg::apis::apiregistration::v1 as registration,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

trait Scope {
    const NAMESPACED: bool;
}
impl Scope for ClusterResourceScope {
    const NAMESPACED: bool = false;
}
impl Scope for NamespaceResourceScope {
    const NAMESPACED: bool = true;
}

/// What of a kind its type does not tell.
enum Has {
    /// Nothing but the object itself.
    Plain,
    /// A status.
    Status,
    /// A generation.
    Generation,
    /// Both.
    Both,
}

fn kind<K>(has: Has, short: &[&str], categories: &[&str]) -> Kind
where
    K: Resource + Serialize + DeserializeOwned,
    K::Scope: Scope,
{
    let resource = match K::GROUP {
        "" => K::URL_PATH_SEGMENT.to_owned(),
        group => format!("{}.{group}", K::URL_PATH_SEGMENT),
    };
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Kind {
        group: K::GROUP.to_owned(),
        version: K::VERSION.to_owned(),
        plural: K::URL_PATH_SEGMENT.to_owned(),
        singular: K::KIND.to_lowercase(),
        kind: K::KIND.to_owned(),
        short: owned(short),
        categories: owned(categories),
        namespaced: K::Scope::NAMESPACED,
        status: matches!(has, Has::Status | Has::Both),
        generation: matches!(has, Has::Generation | Has::Both),
        storage: true,
        schema: builtin_shapes::of(&resource),
        reread: Some(reread::<K>),
    }
}

fn reread<K: Serialize + DeserializeOwned>(object: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(K::deserialize(object)?)
}

/// In the order of discovery: by group, then by name.
pub(super) fn kinds() -> impl Iterator<Item = Kind> {
    use Has::{Both, Generation, Plain, Status};
    [
        kind::<core::ConfigMap>(Plain, &["cm"], &[]),
        kind::<core::Endpoints>(Plain, &["ep"], &[]),
        kind::<core::Event>(Plain, &["ev"], &[]),
        kind::<core::LimitRange>(Plain, &["limits"], &[]),
        kind::<core::Namespace>(Status, &["ns"], &[]),
        kind::<core::Node>(Status, &["no"], &[]),
        kind::<core::PersistentVolumeClaim>(Status, &["pvc"], &[]),
        kind::<core::PersistentVolume>(Status, &["pv"], &[]),
        kind::<core::Pod>(Both, &["po"], &["all"]),
        kind::<core::ResourceQuota>(Status, &["quota"], &[]),
        kind::<core::Secret>(Plain, &[], &[]),
        kind::<core::ServiceAccount>(Plain, &["sa"], &[]),
        kind::<core::Service>(Status, &["svc"], &["all"]),
        kind::<registration::APIService>(Status, &[], &["api-extensions"]),
        kind::<apps::ControllerRevision>(Plain, &[], &[]),
        kind::<apps::DaemonSet>(Both, &["ds"], &["all"]),
        kind::<apps::Deployment>(Both, &["deploy"], &["all"]),
        kind::<apps::ReplicaSet>(Both, &["rs"], &["all"]),
        kind::<apps::StatefulSet>(Both, &["sts"], &["all"]),
        kind::<autoscaling::HorizontalPodAutoscaler>(Status, &["hpa"], &["all"]),
        kind::<batch::CronJob>(Both, &["cj"], &["all"]),
        kind::<batch::Job>(Both, &[], &["all"]),
        kind::<networking::IngressClass>(Generation, &[], &[]),
        kind::<networking::Ingress>(Both, &["ing"], &[]),
        kind::<networking::NetworkPolicy>(Generation, &["netpol"], &[]),
        kind::<policy::PodDisruptionBudget>(Both, &["pdb"], &[]),
        kind::<rbac::ClusterRoleBinding>(Plain, &[], &[]),
        kind::<rbac::ClusterRole>(Plain, &[], &[]),
        kind::<rbac::RoleBinding>(Plain, &[], &[]),
        kind::<rbac::Role>(Plain, &[], &[]),
        kind::<storage::StorageClass>(Plain, &["sc"], &[]),
        kind::<admission::MutatingWebhookConfiguration>(Generation, &[], &["api-extensions"]),
        kind::<admission::ValidatingAdmissionPolicy>(Both, &[], &["api-extensions"]),
        kind::<admission::ValidatingAdmissionPolicyBinding>(Generation, &[], &["api-extensions"]),
        kind::<admission::ValidatingWebhookConfiguration>(Generation, &[], &["api-extensions"]),
        kind::<extensions::CustomResourceDefinition>(Both, &["crd", "crds"], &["api-extensions"]),
        kind::<scheduling::PriorityClass>(Generation, &["pc"], &[]),
        kind::<coordination::Lease>(Plain, &[], &[]),
        kind::<discovery::EndpointSlice>(Generation, &[], &[]),
    ]
    .into_iter()
}
