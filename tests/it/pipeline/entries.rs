//! The sweep and what stands under a name and an address where others write, too: in the pool, and in the merged kubeconfig.

use super::{
    bed::{Bed, holder},
    sweep::{lost, swept},
};
use crate::bed::{ROOT, document};
use berth::domain::kubeconfig::merged;
use serde_json::json;

const MERGED: &str = "cluster-secret-store/secrets";

#[test]
fn an_entry_of_the_pool_that_no_record_of_ours_explains_is_told_and_left() {
    let bed = Bed::standing();
    let path = format!("{ROOT}/ip-allocations");
    let mut pool = bed.world().vault.document(&path).unwrap().clone();
    pool.insert("192.168.1.148".to_owned(), json!("pr-legacy-7"));
    bed.world().vault.put(&path, document(json!(pool)));
    for run in ["first", "second", "third"] {
        assert_eq!(swept(&bed, run), ["Report 192.168.1.148 pr-legacy-7"]);
        bed.pass(601);
    }
    assert_eq!(bed.world().vault.document(&path), Some(&pool));
}

#[test]
fn an_entry_that_the_old_tool_has_brought_back_is_freed_again_unless_a_live_cluster_uses_it() {
    for is_used in [false, true] {
        let bed = Bed::standing();
        let path = format!("{ROOT}/ip-allocations");
        let pool = bed.world().vault.document(&path).unwrap().clone();
        bed.end();
        bed.world().vault.put(&path, pool.clone());
        if is_used {
            by_hand(&bed);
        }
        let first = swept(&bed, "first");
        let word = if is_used { "Report" } else { "Mark" };
        assert!(first.iter().all(|line| line.starts_with(&format!("{word} 192.168.1.14"))), "{first:?}");
        for run in ["second", "third"] {
            bed.pass(601);
            swept(&bed, run);
        }
        let left = bed.world().vault.document(&path).unwrap().len();
        assert_eq!(left == 0, !is_used, "{left} entries are left, used: {is_used}");
        bed.unbroken();
    }
}

/// A live cluster that is nobody's we know, at the first address that the environment had.
fn by_hand(bed: &Bed) {
    let cluster = json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster",
        "spec": {"paused": true, "controlPlaneEndpoint": {"host": "192.168.1.140", "port": 6443}},
    });
    bed.world().kubernetes.put("clusters.cluster.x-k8s.io", "dev", "by-hand", cluster);
}

/// Puts an entry of the environment back into the merged kubeconfig, which leads there. What the document was.
fn back_in_the_merged_kubeconfig(bed: &Bed, server: &str) -> serde_json::Value {
    let without = bed.world().vault.document(MERGED).unwrap().clone();
    // A run that slept since it had looked, or the shell tool, which writes the whole document.
    let own = json!({
        "current-context": "own",
        "clusters": [{"name": "own", "cluster": {"server": server}}],
        "users": [{"name": "own", "user": {}}],
        "contexts": [{"name": "own", "context": {"cluster": "own", "user": "own"}}],
    });
    let (own, name) = (own.to_string(), holder().name());
    let text = merged(without["PR_KUBECONFIG"].as_str(), &name, Some(&own)).unwrap().unwrap();
    bed.world().vault.put(MERGED, document(json!({"OTHER": "kept", "PR_KUBECONFIG": text})));
    json!(without)
}

#[test]
fn an_entry_of_the_merged_kubeconfig_that_leads_to_its_last_life_goes_by_two_sweeps_and_another_stays() {
    let servers = ["192.168.1.140:6443", "192.168.1.149:6443", "192.168.1.1400:6443", "pr-shop-42.lab:6443"];
    for server in servers {
        let is_its_own = server == servers[0];
        let bed = Bed::standing();
        bed.end();
        let without = back_in_the_merged_kubeconfig(&bed, &format!("https://{server}"));
        let word = if is_its_own { "Mark" } else { "Report" };
        let expected = format!("{word} the kubeconfig of pr-shop-42 in kv/cluster-secret-store/secrets");
        assert_eq!(swept(&bed, "first"), [expected], "{server}");
        for run in ["second", "third"] {
            bed.pass(601);
            swept(&bed, run);
        }
        let left = json!(bed.world().vault.document(MERGED).unwrap());
        assert_eq!(left == without, is_its_own, "{server}: {left:#?}");
        bed.unbroken();
    }
}

#[test]
fn the_merged_kubeconfigs_entry_of_a_live_cluster_stays_and_so_do_the_pools_by_its_name() {
    let bed = Bed::standing();
    let pool = format!("{ROOT}/ip-allocations");
    let entries = bed.world().vault.document(&pool).unwrap().clone();
    bed.end();
    back_in_the_merged_kubeconfig(&bed, "https://192.168.1.140:6443");
    let merged = bed.world().vault.document(MERGED).unwrap().clone();
    // As the shell tool makes it anew under the same name, with the addresses that are free first.
    bed.world().vault.put(&pool, entries.clone());
    by_hand(&bed);
    for run in ["first", "second", "third"] {
        let told = swept(&bed, run);
        assert!(told.iter().all(|line| line.starts_with("Report ")), "{told:?}");
        assert_eq!(told.len(), 3, "{told:?}");
        bed.pass(601);
    }
    assert_eq!(bed.world().vault.document(MERGED), Some(&merged));
    assert_eq!(bed.world().vault.document(&pool), Some(&entries));
    bed.unbroken();
}

#[test]
fn a_merged_kubeconfig_that_cannot_be_read_is_told_and_nobodys_orphan_goes() {
    let bed = lost();
    bed.close();
    swept(&bed, "first");
    bed.pass(601);
    let machines = bed.machines();
    bed.world().vault.put(MERGED, document(json!({"PR_KUBECONFIG": "<html>"})));
    let told = swept(&bed, "second");
    assert!(told.contains(&"Unknown entries that nobody claims".to_owned()), "{told:?}");
    assert_eq!(bed.machines(), machines);
}

#[test]
fn entries_of_one_name_go_together_or_not_at_all() {
    let pool = format!("{ROOT}/ip-allocations");
    // Of its last life is the first of each alone.
    for (server, last) in [("192.168.1.140:6443", "192.168.1.143"), ("pr-shop-42.lab:6443", "192.168.1.141")]
    {
        let bed = Bed::standing();
        bed.end();
        back_in_the_merged_kubeconfig(&bed, &format!("https://{server}"));
        let entries = document(json!({"192.168.1.140": "pr-shop-42", last: "pr-shop-42"}));
        bed.world().vault.put(&pool, entries.clone());
        let merged = bed.world().vault.document(MERGED).unwrap().clone();
        for run in ["first", "second", "third"] {
            let told = swept(&bed, run);
            assert!(told.iter().all(|line| line.starts_with("Report ")), "{told:?}");
            bed.pass(601);
        }
        assert_eq!(bed.world().vault.document(&pool), Some(&entries));
        assert_eq!(bed.world().vault.document(MERGED), Some(&merged));
    }
}

#[test]
fn what_is_brought_back_time_and_again_is_found_each_time() {
    let bed = Bed::standing();
    let path = format!("{ROOT}/ip-allocations");
    let pool = bed.world().vault.document(&path).unwrap().clone();
    bed.end();
    for round in ["a", "b", "c"] {
        bed.world().vault.put(&path, pool.clone());
        for run in ["first", "second", "third"] {
            swept(&bed, &format!("{round}-{run}"));
            bed.pass(601);
        }
        assert_eq!(bed.world().vault.document(&path).unwrap().len(), 0, "{round}");
    }
    bed.unbroken();
}

#[test]
fn a_kubeconfig_that_does_not_say_for_whom_it_is_does_not_go_with_what_nobody_claims() {
    let bed = Bed::standing();
    let (path, own) = (format!("{ROOT}/ip-allocations"), format!("{ROOT}/pr-shop-42/kubeconfig"));
    let pool = bed.world().vault.document(&path).unwrap().clone();
    bed.end();
    bed.world().vault.put(&path, pool);
    let kept = document(json!({"value": "as the shell tool writes it"}));
    bed.world().vault.put(&own, kept.clone());
    for run in ["first", "second", "third"] {
        swept(&bed, run);
        bed.pass(601);
    }
    assert_eq!(bed.world().vault.document(&path).unwrap().len(), 0);
    assert_eq!(bed.world().vault.document(&own), Some(&kept));
    bed.unbroken();
}
