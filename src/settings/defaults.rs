//! What holds where nobody said anything. Every default is here and nowhere else.
//!
//! Must never: depend on the environment or on a file.

mod provider;

pub(super) use provider::*;

use super::address::VaultPath;
use super::values::{Namespace, PoolName, WhenFull};
use crate::domain::{names::LabelName, pool::Range};
use jiff::SignedDuration;
use std::num::NonZeroU8;

/// How long a closed pull request keeps its environment.
pub(super) const GRACE: SignedDuration = SignedDuration::from_hours(1);
/// How long an environment lives at most.
pub(super) const MAX: SignedDuration = SignedDuration::from_hours(3 * 24);
/// How long before its end people are warned.
pub(super) const WARN: SignedDuration = SignedDuration::from_hours(4);
/// After how long without progress an environment counts as stuck.
pub(super) const STUCK: SignedDuration = SignedDuration::from_mins(30);

/// How many environments a sweep may remove.
pub(super) const SWEEP_LIMIT: u32 = 5;
/// And how many of a hundred.
pub(super) const SWEEP_PERCENT: u8 = 20;

/// Addresses of one environment: the VIP and its node.
pub(super) const BLOCK: NonZeroU8 = NonZeroU8::new(2).expect("two is not zero");
/// How long an address that was given back is not handed out again.
pub(super) const REUSE_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// Environments of one repository; 0 is no limit.
pub(super) const MAX_PER_REPOSITORY: u32 = 0;
/// What a run does when no block is free.
pub(super) const WHEN_FULL: WhenFull = WhenFull::Queue;

/// The pool that there is if none is configured.
pub(super) fn pool() -> PoolName {
    "default".parse().expect("a label of letters")
}

/// The range that the shell tool of old hands out.
pub(super) fn range() -> Range {
    "192.168.1.140-192.168.1.149".parse().expect("a range of ten addresses")
}

/// A block begins at a multiple of its own size where that is a power of two ("even VIP, node = VIP + 1").
pub(super) fn align(block: NonZeroU8) -> NonZeroU8 {
    if block.is_power_of_two() { block } else { NonZeroU8::MIN }
}

/// Where Vault's key-value engine is mounted.
pub(super) fn vault_mount() -> VaultPath {
    path("kv")
}

/// Below what berth's documents lie in it; the shell tool of old uses the same.
pub(super) fn vault_path() -> VaultPath {
    path("ephemeral-clusters")
}

/// Where logging in by an AppRole is mounted.
pub(super) fn approle_path() -> VaultPath {
    path("approle")
}

/// Where logging in by a service account is mounted.
pub(super) fn kubernetes_path() -> VaultPath {
    path("kubernetes")
}

/// Where logging in by a JSON web token is mounted.
pub(super) fn jwt_path() -> VaultPath {
    path("jwt")
}

/// Where a pod finds its own token.
pub(super) const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The namespace of the Kubernetes store's objects.
pub(super) fn namespace() -> Namespace {
    "berth".parse().expect("a label of letters")
}

/// The command line's own directory below the user's state directory.
pub(super) const STATE_DIRECTORY: &str = "berth";

fn path(text: &str) -> VaultPath {
    text.parse().expect("one segment of letters and dashes")
}

/// Where the environments of one cluster each deploy to.
pub(super) fn deploy_namespace() -> Namespace {
    "default".parse().expect("a label of letters")
}

/// How long images are waited for.
pub(super) const IMAGE_WAIT: SignedDuration = SignedDuration::from_mins(15);
/// With which status a healthy app answers.
pub(super) const HEALTH_STATUS: u16 = 200;
/// How long tests may take.
pub(super) const TESTS: SignedDuration = SignedDuration::from_mins(20);
/// How long a cluster may take.
pub(super) const CLUSTER: SignedDuration = SignedDuration::from_mins(15);
/// How long any other step may take.
pub(super) const STEP: SignedDuration = SignedDuration::from_mins(5);
/// How long an app file may let a step take, if the platform says nothing longer.
pub(super) const LONGEST_STEP: SignedDuration = SignedDuration::from_hours(2);
/// The name of the commit status.
pub(super) const STATUS: &str = "berth";
/// By which label a maintainer lets the code of a fork in.
pub(super) const APPROVAL_LABEL: &str = "berth-approved";
/// By which label an environment gets its whole lifetime anew.
pub(super) const EXTEND_LABEL: &str = "berth-extend";
/// One of these as a label.
pub(super) fn label(text: &str) -> LabelName {
    text.parse().expect("a label of letters")
}
/// Bots, whose runs have no secrets.
pub(super) const SKIPPED_AUTHORS: [&str; 1] = ["dependabot[bot]"];
/// Whether drafts get no environment.
pub(super) const SKIP_DRAFTS: bool = true;

/// The document with all kubeconfigs, where the second generation of the shell tool kept it.
pub(super) fn merged_kubeconfig() -> VaultPath {
    path("cluster-secret-store/secrets")
}
/// Its key.
pub(super) const MERGED_KUBECONFIG_KEY: &str = "PR_KUBECONFIG";
