//! The keys of providers, and of what is the platform's beside them. See the parent for what these types are.

use super::super::{
    address::VaultPath,
    amounts::{Address, Amount, Bytes, Cidr, Count, Port, Prefix, Resolver, VmId, VmIds},
    app_values::ObjectName,
    defaults,
    provider_values::{
        DiskFormat, ImageReference, LabelKey, LabelValue, NetworkModel, ProviderKind, ProxmoxName,
        SecretName, ServerVersion, SshKey, TokenRole,
    },
    values::{FilePath, Namespace, PoolName, Switch, Word},
};
use super::{
    At,
    app::{SecretLayer, SourceLayer},
};
use crate::domain::duration::Duration;
use crate::domain::names::{ContextName, DnsName};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

keys!(
    /// The names of environments in DNS.
    DnsLayer {
        /// Below what domain they are. Default: environments have no name there.
        domain: At<DnsName>,
        /// Who must know the name before an environment counts as reachable. Default: the system's own resolvers.
        #[schemars(extend("default" = []))]
        resolvers: At<Vec<Resolver>>,
    }
);

keys!(
    /// One document in Vault with the kubeconfigs of all environments.
    MergedKubeconfigLayer {
        /// Its path below `store.vault.mount`.
        #[schemars(extend("default" = defaults::merged_kubeconfig().as_ref()))]
        path: At<VaultPath>,
        /// Under which key of it.
        #[schemars(extend("default" = defaults::MERGED_KUBECONFIG_KEY))]
        key: At<Word>,
    }
);

keys!(
    /// A way in which environments are made real.
    ProviderLayer {
        /// Which.
        kind: At<ProviderKind>,
        /// Which pool their addresses are of. Default: the only one.
        pool: At<PoolName>,
        /// The cluster in which their objects are made.
        kubernetes: At<ClusterLayer>,
        /// The version of k3s.
        #[schemars(extend("default" = defaults::k3s().as_ref()))]
        version: At<ServerVersion>,
        /// Their networks.
        network: At<NetworkLayer>,
        /// Their virtual machines.
        machine: At<MachineLayer>,
        /// What announces the first address of a block.
        kube_vip: At<KubeVipLayer>,
        /// More labels of the namespace that an environment's objects are in.
        #[schemars(extend("default" = {"cluster-secrets": "true"}))]
        namespace_labels: BTreeMap<LabelKey, At<LabelValue>>,
        /// Secrets of that cluster, as `namespace/name`, that are copied into that namespace.
        #[schemars(extend("default" = []))]
        copy_secrets: At<Vec<SecretName>>,
        /// A ClusterRole that berth binds to itself in that namespace, so that it needs no right to the Secrets of others
        /// (`deploy/kubernetes/capi-k3s.yaml`). Default: none.
        secrets_role: At<ObjectName>,
        /// A file or a directory with templates instead of the built-in manifests.
        templates: At<FilePath>,
        /// What is installed into each environment first.
        #[schemars(extend("default" = []))]
        operators: At<Vec<At<SourceLayer>>>,
        /// What is applied when the operators are available.
        #[schemars(extend("default" = []))]
        resources: At<Vec<At<SourceLayer>>>,
        /// Secrets from Vault that each environment gets, beside those that its app asks for.
        #[schemars(extend("default" = []))]
        secrets: At<Vec<At<SecretLayer>>>,
        /// A token of Vault for each environment, of its own and for its life. Default: none.
        vault_token: At<VaultTokenLayer>,
        /// A PostgreSQL in each environment, by CloudNativePG. Default: none.
        postgres: At<PostgresLayer>,
        /// Where Argo CD runs, for an app that is an Application (`deploy/kubernetes/argo-cd.yaml`).
        argo_cd: At<ArgoCdLayer>,
    }
);

keys!(
    /// A cluster.
    ClusterLayer {
        /// A context of the kubeconfig. Default: its current one.
        context: At<ContextName>,
        /// The cluster that berth itself runs in.
        in_cluster: At<Switch>,
    }
);

keys!(
    /// The networks of an environment.
    NetworkLayer {
        /// The gateway of the pool's network.
        #[schemars(extend("default" = defaults::GATEWAY.to_string()))]
        gateway: At<Address>,
        /// How many bits name that network.
        #[schemars(extend("default" = defaults::PREFIX.get()))]
        prefix: At<Prefix>,
        /// The metric of the route through the gateway.
        #[schemars(extend("default" = defaults::METRIC))]
        metric: At<Amount>,
        /// The machines' resolvers.
        #[schemars(extend("default" = [defaults::NODE_DNS.to_string()]))]
        dns: At<Vec<Address>>,
        /// The network of pods.
        #[schemars(extend("default" = defaults::pods().to_string()))]
        pods: At<Cidr>,
        /// The network of services.
        #[schemars(extend("default" = defaults::services().to_string()))]
        services: At<Cidr>,
        /// Where the environment's API server listens.
        #[schemars(extend("default" = defaults::API_SERVER))]
        port: At<Port>,
    }
);

keys!(
    /// The virtual machine of an environment, on Proxmox.
    MachineLayer {
        /// The nodes of Proxmox that it may run on.
        #[schemars(extend("default" = [defaults::NODE]))]
        nodes: At<Vec<ProxmoxName>>,
        /// The node that the template is on. Default: the first of `nodes`.
        source_node: At<ProxmoxName>,
        /// The template's id.
        #[schemars(extend("default" = defaults::TEMPLATE))]
        template: At<VmId>,
        /// Whether the template's disk is copied, not linked.
        #[schemars(extend("default" = defaults::FULL_CLONE))]
        full_clone: At<Switch>,
        /// Cores of each socket.
        #[schemars(extend("default" = defaults::CORES.get()))]
        cores: At<Count>,
        /// Sockets.
        #[schemars(extend("default" = defaults::SOCKETS.get()))]
        sockets: At<Count>,
        /// Memory, in multiples of 8Mi.
        #[schemars(extend("default" = defaults::MEMORY.to_string()))]
        memory: At<Bytes>,
        /// How many per cent of a node's memory all machines may have; 0 is no limit.
        #[schemars(extend("default" = defaults::MEMORY_ADJUSTMENT))]
        memory_adjustment: At<Amount>,
        /// The size of the disk, of at least 5Gi.
        #[schemars(extend("default" = defaults::DISK.to_string()))]
        disk: At<Bytes>,
        /// Which disk of the template that is.
        #[schemars(extend("default" = defaults::DISK_DEVICE))]
        disk_device: At<ProxmoxName>,
        /// How the disk is kept.
        #[schemars(extend("default" = defaults::DISK_FORMAT.to_string()))]
        disk_format: At<DiskFormat>,
        /// The storage that the disk is on. Default: the template's.
        storage: At<ProxmoxName>,
        /// The bridge of the network.
        #[schemars(extend("default" = defaults::BRIDGE))]
        bridge: At<ProxmoxName>,
        /// The network card.
        #[schemars(extend("default" = defaults::NETWORK_MODEL.to_string()))]
        network_model: At<NetworkModel>,
        /// The ids that machines may get; at least one for each block of the pool.
        #[schemars(extend("default" = defaults::vm_ids().to_string()))]
        vm_ids: At<VmIds>,
        /// Whether Cluster API waits until cloud-init says that it is done.
        #[schemars(extend("default" = defaults::WAIT_FOR_CLOUD_INIT))]
        wait_for_cloud_init: At<Switch>,
        /// Whether Cluster API waits for the guest agent.
        #[schemars(extend("default" = defaults::WAIT_FOR_GUEST_AGENT))]
        wait_for_guest_agent: At<Switch>,
        /// The Secret in the environment's namespace with which Proxmox is asked.
        #[schemars(extend("default" = defaults::credentials().as_ref()))]
        credentials: At<ObjectName>,
        /// Public keys that may log in as root.
        #[schemars(extend("default" = []))]
        ssh_keys: At<Vec<SshKey>>,
    }
);

keys!(
    /// What announces the first address of a block.
    KubeVipLayer {
        /// Its image.
        #[schemars(extend("default" = defaults::kube_vip().as_ref()))]
        image: At<ImageReference>,
        /// How long a leader leads without renewing.
        #[schemars(extend("default" = Duration(defaults::VIP_LEASE).to_string()))]
        lease: At<Duration>,
        /// By when it must have renewed.
        #[schemars(extend("default" = Duration(defaults::VIP_RENEW).to_string()))]
        renew: At<Duration>,
        /// How long between two tries.
        #[schemars(extend("default" = Duration(defaults::VIP_RETRY).to_string()))]
        retry: At<Duration>,
    }
);

keys!(
    /// A token of Vault, made for one environment and revoked with it.
    VaultTokenLayer {
        /// The Secret that it is put into, under the key `token`.
        #[schemars(extend("default" = defaults::vault_token().as_ref()))]
        name: At<ObjectName>,
        /// That Secret's namespace.
        #[schemars(extend("default" = defaults::deploy_namespace().as_ref()))]
        namespace: At<Namespace>,
        /// The role of Vault's tokens by which it is made (`auth/token/create/ROLE`); it must allow these policies.
        #[schemars(extend("default" = defaults::token_role().as_ref()))]
        role: At<TokenRole>,
        /// The policies that it has; none of them may be berth's own.
        policies: At<Vec<Word>>,
        /// How long it lives. Default: as long as an environment may.
        ttl: At<Duration>,
    }
);

keys!(
    /// A PostgreSQL, by CloudNativePG.
    PostgresLayer {
        /// What it is called.
        #[schemars(extend("default" = defaults::postgres().as_ref()))]
        name: At<ObjectName>,
        /// The namespace that it is in.
        #[schemars(extend("default" = defaults::deploy_namespace().as_ref()))]
        namespace: At<Namespace>,
        /// How many servers.
        #[schemars(extend("default" = defaults::POSTGRES_INSTANCES.get()))]
        instances: At<Count>,
        /// The size of each one's disk.
        #[schemars(extend("default" = defaults::POSTGRES_STORAGE.to_string()))]
        storage: At<Bytes>,
        /// The image. Default: the operator's own.
        image: At<ImageReference>,
        /// The database.
        #[schemars(extend("default" = defaults::POSTGRES_DATABASE))]
        database: At<Word>,
        /// Whose the database is.
        #[schemars(extend("default" = defaults::POSTGRES_OWNER))]
        owner: At<Word>,
    }
);

keys!(
    /// Where Argo CD runs.
    ArgoCdLayer {
        /// Its cluster. Default: the provider's.
        kubernetes: At<ClusterLayer>,
        /// Its namespace.
        #[schemars(extend("default" = defaults::argo_cd().as_ref()))]
        namespace: At<Namespace>,
        /// The project that all Applications of environments are put into.
        #[schemars(extend("default" = defaults::ARGO_CD_PROJECT))]
        project: At<Word>,
    }
);
