//! The virtual machine of a cluster, on Proxmox.
//!
//! Must never: round a size; who asked for 20G must not get 18Gi.

use super::super::{
    PoolSettings,
    amounts::{Bytes, VmIds},
    app_values::ObjectName,
    defaults,
    file::{At, MachineLayer, ProviderLayer},
    layers::Found,
    provider_values::{DiskFormat, NetworkModel, ProxmoxName, SshKey},
    providers::Keys,
    values::Switch,
};
use crate::errors::UserError;
use std::num::NonZeroU32;

/// The virtual machine of a cluster, on Proxmox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The nodes that it may run on; there is one.
    pub nodes: Vec<ProxmoxName>,
    /// The node that the template is on.
    pub source_node: ProxmoxName,
    /// The template's id.
    pub template: u32,
    /// Whether the template's disk is copied, not linked.
    pub full_clone: bool,
    /// Cores of each socket.
    pub cores: NonZeroU32,
    /// Sockets.
    pub sockets: NonZeroU32,
    /// Memory in MiB, a multiple of 8.
    pub memory_mib: u32,
    /// How many per cent of a node's memory all machines may have; 0 is no limit.
    pub memory_adjustment: u32,
    /// The size of the disk in GiB, 5 at least.
    pub disk_gib: u32,
    /// Which disk of the template that is.
    pub disk_device: ProxmoxName,
    /// How the disk is kept.
    pub disk_format: DiskFormat,
    /// The storage that the disk is on; none is the template's.
    pub storage: Option<ProxmoxName>,
    /// The bridge of the network.
    pub bridge: ProxmoxName,
    /// The network card.
    pub network_model: NetworkModel,
    /// The ids that machines may get.
    pub vm_ids: VmIds,
    /// Whether Cluster API waits until cloud-init says that it is done.
    pub wait_for_cloud_init: bool,
    /// Whether Cluster API waits for the guest agent.
    pub wait_for_guest_agent: bool,
    /// The Secret with which Proxmox is asked.
    pub credentials: ObjectName,
    /// Public keys that may log in as root.
    pub ssh_keys: Vec<SshKey>,
}

/// What the keys say.
pub(super) fn resolve(keys: &Keys<'_>, pool: &PoolSettings) -> Result<Machine, UserError> {
    fn group(provider: &ProviderLayer) -> Option<&MachineLayer> {
        Some(&provider.machine.as_ref()?.value)
    }
    let name = |pick: fn(&MachineLayer) -> Option<&At<ProxmoxName>>| {
        keys.find(|p| pick(group(p)?)).map(Found::cloned)
    };
    let own = |text: &str| text.parse::<ProxmoxName>().expect("a name of ours");
    let switch = |pick: fn(&MachineLayer) -> Option<&At<Switch>>, default| {
        keys.find(|p| pick(group(p)?)).map_or(default, |found| found.value.0)
    };
    let nodes = keys.find(|p| group(p)?.nodes.as_ref());
    let ids = keys.find(|p| group(p)?.vm_ids.as_ref());
    let all = nodes.map_or_else(|| vec![own(defaults::NODE)], Found::cloned);
    let Some(first) = all.first() else {
        return Err(keys.wrong(nodes, "a machine needs a node in `nodes`".to_owned()));
    };
    let vm_ids = ids.map_or_else(defaults::vm_ids, |found| *found.value);
    let blocks = pool.layout.blocks().count();
    if vm_ids.count() < blocks {
        let message = format!("`vm-ids` {vm_ids} are {}, and the pool has {blocks} blocks", vm_ids.count());
        return Err(keys.wrong(ids, message));
    }
    Ok(Machine {
        source_node: name(|m| m.source_node.as_ref()).unwrap_or_else(|| first.clone()),
        nodes: all.clone(),
        template: keys
            .find(|p| group(p)?.template.as_ref())
            .map_or(defaults::TEMPLATE, |found| found.value.0),
        full_clone: switch(|m| m.full_clone.as_ref(), defaults::FULL_CLONE),
        cores: keys.find(|p| group(p)?.cores.as_ref()).map_or(defaults::CORES, |found| found.value.0),
        sockets: keys.find(|p| group(p)?.sockets.as_ref()).map_or(defaults::SOCKETS, |found| found.value.0),
        memory_mib: memory_mib(keys, keys.find(|p| group(p)?.memory.as_ref()))?,
        memory_adjustment: keys
            .find(|p| group(p)?.memory_adjustment.as_ref())
            .map_or(defaults::MEMORY_ADJUSTMENT, |found| found.value.0),
        disk_gib: disk_gib(keys, keys.find(|p| group(p)?.disk.as_ref()))?,
        disk_device: name(|m| m.disk_device.as_ref()).unwrap_or_else(|| own(defaults::DISK_DEVICE)),
        disk_format: keys
            .find(|p| group(p)?.disk_format.as_ref())
            .map_or(defaults::DISK_FORMAT, |found| *found.value),
        storage: name(|m| m.storage.as_ref()),
        bridge: name(|m| m.bridge.as_ref()).unwrap_or_else(|| own(defaults::BRIDGE)),
        network_model: keys
            .find(|p| group(p)?.network_model.as_ref())
            .map_or(defaults::NETWORK_MODEL, |found| *found.value),
        vm_ids,
        wait_for_cloud_init: switch(|m| m.wait_for_cloud_init.as_ref(), defaults::WAIT_FOR_CLOUD_INIT),
        wait_for_guest_agent: switch(|m| m.wait_for_guest_agent.as_ref(), defaults::WAIT_FOR_GUEST_AGENT),
        credentials: keys
            .find(|p| group(p)?.credentials.as_ref())
            .map_or_else(defaults::credentials, Found::cloned),
        ssh_keys: keys.find(|p| group(p)?.ssh_keys.as_ref()).map(Found::cloned).unwrap_or_default(),
    })
}

/// Cluster API's provider takes MiB, in multiples of 8.
fn memory_mib(keys: &Keys<'_>, found: Option<Found<'_, Bytes>>) -> Result<u32, UserError> {
    let memory = found.map_or(defaults::MEMORY, |found| *found.value);
    let eights = memory.whole(Bytes::mebibytes(8)).and_then(|eights| u32::try_from(eights).ok());
    let wrong = || keys.wrong(found, format!("`memory` {memory} is no multiple of 8Mi"));
    eights.and_then(|eights| eights.checked_mul(8)).filter(|mib| *mib <= i32::MAX as u32).ok_or_else(wrong)
}

/// It takes disks in GiB, 5 at least.
fn disk_gib(keys: &Keys<'_>, found: Option<Found<'_, Bytes>>) -> Result<u32, UserError> {
    let disk = found.map_or(defaults::DISK, |found| *found.value);
    let whole = disk.whole(Bytes::gibibytes(1)).and_then(|whole| u32::try_from(whole).ok());
    let wrong = || keys.wrong(found, format!("`disk` {disk} is not a whole number of Gi, 5Gi at least"));
    whole.filter(|whole| (5..=i32::MAX as u32).contains(whole)).ok_or_else(wrong)
}
