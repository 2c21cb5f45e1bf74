//! What platforms configure of providers: the numbers of old as defaults, and mistakes that would only show in a cluster.

use crate::settings::{Case, case};
use berth::{
    domain::names::RepoName,
    settings::{
        Bytes, CapiK3s, ChartFrom, Cluster, Form, Manifests, ProviderSettings, Settings, Source, Store,
        built_in_names,
    },
};
use insta::assert_snapshot;
use serde_json::json;

const BARE: &str = "providers: {k3s: {kind: capi-k3s}}\n";

fn k3s(settings: &Settings) -> &CapiK3s {
    let (_, ProviderSettings::CapiK3s(k3s)) = settings.provider().unwrap();
    k3s
}

/// A provider with these keys, in flow style.
fn provider(keys: &str) -> Case {
    case().platform(&format!("providers:\n  k3s:\n    kind: capi-k3s\n    {keys}\n"))
}

fn charts(sources: &[Source]) -> Vec<String> {
    let chart = |source: &Source| match &source.form {
        Form::Chart(chart) => match &chart.from {
            ChartFrom::Repository { repo, name } => {
                let version = chart.version.as_deref().unwrap_or("newest");
                format!("{name} {version} of {repo} as {} in {}", chart.release, chart.namespace)
            }
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    };
    sources.iter().map(chart).collect()
}

// ---- the cluster of old ----

#[test]
fn with_nothing_but_its_kind_the_numbers_are_those_of_old() {
    let settings = case().platform(BARE).settings();
    let k3s = k3s(&settings);
    assert_eq!((k3s.pool.as_ref(), &k3s.cluster), ("default", &Cluster::Current));
    let Manifests::BuiltIn(built_in) = &k3s.manifests else { panic!() };
    let (network, machine, vip) = (&built_in.network, &built_in.machine, &built_in.kube_vip);
    assert_eq!(built_in.version.as_ref(), "v1.30.6+k3s1");
    assert_eq!(
        (network.gateway.to_string().as_str(), network.prefix.get(), network.metric),
        ("192.168.1.1", 24, 100)
    );
    assert_eq!(
        (network.pods.to_string().as_str(), network.services.to_string().as_str()),
        ("10.244.0.0/16", "10.96.0.0/12")
    );
    assert_eq!(
        (network.dns[0].to_string().as_str(), network.dns.len(), network.port),
        ("192.168.1.3", 1, 6443)
    );
    assert_eq!(
        (machine.nodes.len(), machine.nodes[0].as_ref(), machine.source_node.as_ref()),
        (1, "node03", "node03")
    );
    assert_eq!((machine.template, machine.full_clone), (9004, true));
    assert_eq!((machine.cores.get(), machine.sockets.get(), machine.memory_mib), (4, 2, 16384));
    assert_eq!(
        (machine.disk_device.as_ref(), machine.disk_gib, machine.disk_format.to_string().as_str()),
        ("scsi0", 20, "qcow2")
    );
    assert_eq!((machine.bridge.as_ref(), machine.network_model.to_string().as_str()), ("vmbr0", "virtio"));
    assert_eq!((machine.vm_ids.first(), machine.vm_ids.last(), machine.memory_adjustment), (401, 450, 0));
    assert!(!machine.wait_for_cloud_init && !machine.wait_for_guest_agent);
    assert_eq!(
        (machine.credentials.as_ref(), machine.ssh_keys.len(), &machine.storage),
        ("proxmox-credentials", 0, &None)
    );
    assert_eq!(vip.image.as_ref(), "ghcr.io/kube-vip/kube-vip:v0.8.7");
    let seconds = [vip.lease, vip.renew, vip.retry].map(|length| length.as_secs());
    assert_eq!(seconds, [15, 10, 2]);
    let labels: Vec<_> = k3s.namespace_labels.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
    assert_eq!(labels, [("cluster-secrets", "true")]);
    let inside = &k3s.inside;
    assert!(inside.operators.is_empty() && inside.resources.is_empty() && inside.secrets.is_empty());
    assert!(inside.postgres.is_none() && inside.vault_token.is_none());
    assert_eq!((inside.argo_cd.namespace.as_ref(), inside.argo_cd.project.as_str()), ("argocd", "default"));
}

#[test]
fn every_number_can_be_another() {
    let text = "\
pools: {far: {range: 10.0.0.10-10.0.0.13}}
dns: {domain: preview.example.com, resolvers: [10.0.0.3, '10.0.0.4:5353', '[fd00::3]:53']}
providers:
  big:
    kind: capi-k3s
    kubernetes: {in-cluster: true}
    version: v1.33.1-rc2+k3s3
    network: {gateway: 10.0.0.1, prefix: 16, metric: 0, dns: [9.9.9.9, 1.1.1.1], pods: 10.42.0.0/16, services: 10.43.0.0/16, port: 443}
    machine:
      nodes: [pve-1, pve-2]
      source-node: pve-2
      template: 100
      full-clone: false
      cores: 8
      sockets: 1
      memory: 4104Mi
      memory-adjustment: 150
      disk: 1Ti
      disk-device: virtio0
      disk-format: raw
      storage: ceph
      bridge: vmbr1
      network-model: e1000
      vm-ids: 900-901
      wait-for-cloud-init: true
      wait-for-guest-agent: true
      credentials: pve
      ssh-keys: ['ssh-ed25519 AAAAC3NzaC1lZDI1 ops@example']
    kube-vip: {image: 'registry.example.com:5000/kube-vip:v1', lease: 1m, renew: 30s, retry: 5s}
    namespace-labels: {example.com/team: shop}
    copy-secrets: [dev/pve, ops/pull]
    argo-cd: {kubernetes: {context: argo}, namespace: cd, project: previews}
";
    let settings = case().platform(text).settings();
    let resolvers: Vec<String> = settings.dns.resolvers.iter().map(ToString::to_string).collect();
    assert_eq!(resolvers, ["10.0.0.3:53", "10.0.0.4:5353", "[fd00::3]:53"]);
    assert_eq!(settings.dns.domain.as_ref().unwrap().as_ref(), "preview.example.com");
    let k3s = k3s(&settings);
    assert_eq!((k3s.pool.as_ref(), &k3s.cluster), ("far", &Cluster::Own));
    let Manifests::BuiltIn(built_in) = &k3s.manifests else { panic!() };
    assert_snapshot!(format!("{:?}", built_in.network), @r#"Network { gateway: 10.0.0.1, prefix: Prefix(16), metric: 0, dns: [9.9.9.9, 1.1.1.1], pods: Cidr { first: 10.42.0.0, prefix: 16 }, services: Cidr { first: 10.43.0.0, prefix: 16 }, port: 443 }"#);
    assert_snapshot!(format!("{:?}", built_in.machine), @r#"Machine { nodes: [ProxmoxName("pve-1"), ProxmoxName("pve-2")], source_node: ProxmoxName("pve-2"), template: 100, full_clone: false, cores: 8, sockets: 1, memory_mib: 4104, memory_adjustment: 150, disk_gib: 1024, disk_device: ProxmoxName("virtio0"), disk_format: Raw, storage: Some(ProxmoxName("ceph")), bridge: ProxmoxName("vmbr1"), network_model: E1000, vm_ids: VmIds { first: 900, last: 901 }, wait_for_cloud_init: true, wait_for_guest_agent: true, credentials: ObjectName("pve"), ssh_keys: [SshKey("ssh-ed25519 AAAAC3NzaC1lZDI1 ops@example")] }"#);
    assert_snapshot!(format!("{:?}", built_in.kube_vip), @r#"KubeVip { image: ImageReference("registry.example.com:5000/kube-vip:v1"), lease: 1m, renew: 30s, retry: 5s }"#);
    let copied: Vec<String> = k3s.copy_secrets.iter().map(ToString::to_string).collect();
    assert_eq!(copied, ["dev/pve", "ops/pull"]);
    let argo = &k3s.inside.argo_cd;
    assert_eq!((&argo.cluster, argo.namespace.as_ref()), (&Cluster::Context("argo".parse().unwrap()), "cd"));
    assert_eq!(k3s.namespace_labels.len(), 1);
}

#[test]
fn a_number_that_no_machine_could_have_is_refused_with_its_place() {
    let wrong = |keys: &str| provider(keys).refused();
    assert_snapshot!(wrong("machine: {memory: 16384}"), @r#"error: platform.yaml:4:23: "16384" is no size: a whole number from 1 with a unit: Ki, Mi, Gi, Ti, k, M, G or T"#);
    assert_snapshot!(wrong("machine: {memory: 16G}"), @"error: platform.yaml:4:23: `memory` 16G is no multiple of 8Mi");
    assert_snapshot!(wrong("machine: {disk: 4Gi}"), @"error: platform.yaml:4:21: `disk` 4Gi is not a whole number of Gi, 5Gi at least");
    assert_snapshot!(wrong("machine: {cores: 0}"), @r#"error: platform.yaml:4:22: "0" is no count: a whole number from 1 to 2147483647"#);
    assert_snapshot!(wrong("machine: {nodes: []}"), @"error: platform.yaml:4:22: a machine needs a node in `nodes`");
    assert_snapshot!(wrong("machine: {template: 99}"), @r#"error: platform.yaml:4:25: "99" is no id of a virtual machine: a whole number from 100 to 999999999"#);
    assert_snapshot!(wrong("machine: {vm-ids: 450-401}"), @r#"error: platform.yaml:4:23: "450-401" is no range of ids: two of 100 to 999999999, the smaller first: 401-450"#);
    assert_snapshot!(wrong("machine: {vm-ids: 401-404}"), @"error: platform.yaml:4:23: `vm-ids` 401-404 are 4, and the pool has 5 blocks");
    assert_snapshot!(wrong("machine: {disk-format: qcow}"), @r#"error: platform.yaml:4:28: "qcow" is no format of a disk: raw, qcow2 or vmdk"#);
    assert_snapshot!(wrong("machine: {ssh-keys: [\"ssh-rsa AAAA x' && reboot\"]}"), @r#"error: platform.yaml:4:26: "ssh-rsa AAAA x' && reboot" is no public key of SSH: one line: its kind, its base64, and a comment if you like"#);
    assert_snapshot!(wrong("version: 1.30.6"), @r#"error: platform.yaml:4:14: "1.30.6" is no version of k3s: as its releases are called: v1.30.6+k3s1"#);
    assert_snapshot!(wrong("kube-vip: {image: ghcr.io/kube-vip/kube-vip}"), @r#"error: platform.yaml:4:23: "ghcr.io/kube-vip/kube-vip" is no reference of an image: with a tag or a digest: ghcr.io/kube-vip/kube-vip:v0.8.7"#);
    assert_snapshot!(wrong("kube-vip: {renew: 20s}"), @"error: platform.yaml:4:15: `retry` 2s, `renew` 20s and `lease` 15s must grow in this order");
    assert_snapshot!(wrong("copy-secrets: [proxmox-credentials]"), @r#"error: platform.yaml:4:20: "proxmox-credentials" is no Secret: its namespace and its name: dev/proxmox-credentials"#);
    assert_snapshot!(wrong("machine: {core: 4}"), @"error: platform.yaml:4:15: unknown key `core`, did you mean `cores`?");
}

#[test]
fn networks_in_which_an_address_would_be_two_machines_are_refused() {
    let wrong = |keys: &str| provider(keys).refused();
    assert_snapshot!(wrong("network: {gateway: 192.168.2.1}"), @r"
    error: platform.yaml:4:24: the gateway 192.168.2.1 is in 192.168.2.0/24, and 192.168.1.140 of the pool is not
    hint: set `network.gateway` and `network.prefix`
    ");
    assert_snapshot!(wrong("network: {gateway: 192.168.1.145}"), @r"
    error: platform.yaml:4:24: the gateway 192.168.1.145 is one of the pool's own addresses
    hint: name it in the pool's `exclude`
    ");
    assert_snapshot!(wrong("network: {pods: 192.168.0.0/16}"), @"error: platform.yaml:4:21: the network 192.168.0.0/16 of `pods` overlaps 192.168.1.0/24, where the machines are");
    assert_snapshot!(wrong("network: {services: 10.244.128.0/20}"), @"error: platform.yaml:4:25: `pods` 10.244.0.0/16 and `services` 10.244.128.0/20 overlap");
    assert_snapshot!(wrong("network: {pods: 10.244.1.0/16}"), @r#"error: platform.yaml:4:21: "10.244.1.0/16" is no network: its first address and its bits: 10.244.0.0/16"#);
    assert_snapshot!(wrong("network: {prefix: 0}"), @r#"error: platform.yaml:4:23: "0" is no length of a prefix: a whole number from 1 to 32"#);
    assert_snapshot!(wrong("network: {dns: []}"), @"error: platform.yaml:4:20: a machine needs a resolver in `dns`");
    let far = case().platform(&format!("pools: {{lab: {{range: 10.0.0.0/28}}}}\n{BARE}"));
    assert!(far.refused().contains("and 10.0.0.1 of the pool is not"));
}

#[test]
fn a_provider_has_a_pool_with_room_for_two_addresses() {
    let pools = "pools: {lab: {}, far: {range: 10.0.0.0/28}}\n";
    assert_snapshot!(case().platform(&format!("{pools}{BARE}")).refused(), @r"
    error: platform.yaml:2:18: the provider `k3s`: there are several pools, and none is named
    hint: name one by `pool`: `far`, `lab`
    ");
    let other = format!("{pools}providers: {{k3s: {{kind: capi-k3s, pool: lap}}}}");
    assert_snapshot!(case().platform(&other).refused(), @r"
    error: platform.yaml:2:41: the provider `k3s`: there is no pool `lap`
    hint: name one by `pool`: `far`, `lab`
    ");
    let single = format!("pools: {{lab: {{block: 1}}}}\n{BARE}");
    assert_snapshot!(case().platform(&single).refused(), @r"
    error: platform.yaml:2:18: the provider `k3s` needs 2 addresses, and a block of the pool `lab` has one
    hint: set `pools.lab.block` to 2
    ");
}

#[test]
fn a_provider_has_a_kind_that_is_known() {
    assert_snapshot!(case().platform("providers:\n  k3s: {pool: lab}\n").refused(), @"error: platform.yaml:2:8: the provider `k3s` needs `kind`: capi-k3s");
    assert_snapshot!(case().platform("providers: {k3s: {kind: capi}}").refused(), @r#"error: platform.yaml:1:25: "capi" is no kind of provider that is known yet: capi-k3s"#);
    assert_snapshot!(case().platform("providers: {K3s: {}}").refused(), @r#"error: platform.yaml:1:13: "K3s" is no provider name: 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit"#);
}

#[test]
fn templates_stand_where_they_were_named_and_nothing_beside_them_is_idle() {
    let templates = provider("templates: ./cluster");
    let settings = templates.settings();
    let Manifests::Templates(path) = &k3s(&settings).manifests else { panic!() };
    assert!(path.is_absolute() && path.ends_with("cluster"), "{path:?}");
    for (key, value) in
        [("version", "v1.30.6+k3s1"), ("network", "{}"), ("machine", "{}"), ("kube-vip", "{}")]
    {
        let refused = provider(&format!("{key}: {value}\n    templates: ./cluster")).refused();
        assert!(
            refused.contains(&format!("`{key}` is of the built-in manifests, which `templates` replaces")),
            "{refused}"
        );
    }
}

// ---- what is put into environments ----

#[test]
fn operators_are_sources_and_known_charts_need_no_more_than_their_name() {
    let keys = "operators: [{chart: cert-manager}, {chart: external-dns, values: {provider: {name: pihole}}, namespace: dns}, {chart: external-secrets, version: 0.14.0}, {chart: ./charts/mine}, {chart: 'oci://r.example.com/charts/x', version: 1.0.0}, {chart: nginx, repo: 'https://charts.example.com'}, {kustomize: operators}, {manifests: /srv/crds.yaml}]";
    let settings = provider(keys).settings();
    let operators = &k3s(&settings).inside.operators;
    assert_eq!(
        charts(&operators[..3]),
        [
            "cert-manager v1.16.2 of https://charts.jetstack.io as cert-manager in cert-manager",
            "external-dns 1.15.0 of https://kubernetes-sigs.github.io/external-dns as external-dns in dns",
            "external-secrets 0.14.0 of https://charts.external-secrets.io as external-secrets in external-secrets",
        ]
    );
    let Form::Chart(cert_manager) = &operators[0].form else { panic!() };
    assert_eq!(json!(cert_manager.values), json!({"crds": {"enabled": true}}));
    let Form::Chart(mine) = &operators[3].form else { panic!() };
    assert!(
        matches!(&mine.from, ChartFrom::Directory(path) if path.is_absolute() && path.ends_with("charts/mine"))
    );
    assert_eq!((mine.release.as_ref(), mine.namespace.as_ref()), ("mine", "default"));
    let Form::Chart(oci) = &operators[4].form else { panic!() };
    assert_eq!(
        (&oci.from, oci.release.as_ref()),
        (&ChartFrom::Registry("oci://r.example.com/charts/x".into()), "x")
    );
    assert_eq!(charts(&operators[5..6]), ["nginx newest of https://charts.example.com as nginx in default"]);
    assert!(matches!(&operators[6].form, Form::Kustomize(path) if path.ends_with("operators")));
    assert!(matches!(&operators[7].form, Form::Manifests(path) if path.as_os_str() == "/srv/crds.yaml"));
    assert_eq!(operators[0].place, "platform.yaml:4:17");
}

#[test]
fn a_source_has_one_kind_and_only_the_keys_of_it() {
    let wrong = |source: &str| provider(&format!("resources: [{source}]")).refused();
    assert_snapshot!(wrong("{version: '1'}"), @"error: platform.yaml:4:17: `providers.k3s.resources[0]` has none of `manifests`, `kustomize`, `chart`, `argo-cd`");
    assert_snapshot!(wrong("{manifests: a, chart: b}"), @"error: platform.yaml:4:39: `providers.k3s.resources[0]` takes one of its kinds, and here are both `manifests` and `chart`");
    assert_snapshot!(wrong("{manifests: a, version: '1'}"), @"error: platform.yaml:4:41: `version` is for `chart`, and this source is `manifests`");
    assert_snapshot!(wrong("{kustomize: a, namespace: x}"), @"error: platform.yaml:4:43: `namespace` is for `chart`, and this source is `kustomize`");
    assert_snapshot!(wrong("{chart: a/b, repo: 'https://charts.example.com'}"), @"error: platform.yaml:4:25: `chart` is the chart's name in `repo`, not a path");
    assert_snapshot!(wrong("{chart: a, repo: 'git@example.com'}"), @r#"error: platform.yaml:4:34: "git@example.com" is no chart repository: an address that begins with https:// or http://, without credentials"#);
    assert_snapshot!(wrong("{chart: 'https://example.com/a.tgz'}"), @"error: platform.yaml:4:25: `chart` is a directory, a name in `repo`, or begins with oci://");
    assert_snapshot!(wrong("{chart: ./My_Chart}"), @"error: platform.yaml:4:25: the release cannot be called like this chart; say its `release`");
    assert_snapshot!(wrong("{chart: a, values: [b]}"), @"error: platform.yaml:4:36: keys are expected here");
    assert_snapshot!(wrong("{kustomise: a}"), @"error: platform.yaml:4:18: unknown key `kustomise`, did you mean `kustomize`?");
}

#[test]
fn a_placeholder_of_the_platforms_is_one_of_berths_own() {
    let chart = |value: &str| {
        provider(&format!("operators: [{{chart: cert-manager, values: {{a: [{{b: '{value}'}}]}}}}]"))
    };
    for name in built_in_names().filter(|name| !["HOST", "URL"].contains(name)) {
        chart(&format!("x-${{{name}}}")).settings();
    }
    assert_snapshot!(chart("${CLUSTER_NAM}").refused(), @r"
    error: platform.yaml:4:47: `providers.k3s.operators[0].values.a[0].b`: ${CLUSTER_NAM} is unknown, did you mean ${CLUSTER_NAME}?
    hint: known are ADDRESS, CLUSTER_IP, CLUSTER_NAME, HEAD_SHA, MERGE_SHA, NAME, NODE_ADDRESS, NODE_IP, OWNER, PR_NUMBER, REPO, REPOSITORY
    ");
    assert_snapshot!(chart("${HOST}").refused(), @r"
    error: platform.yaml:4:47: `providers.k3s.operators[0].values.a[0].b`: ${HOST} has no value without a domain
    hint: set `dns.domain` in the platform file
    ");
    // What an app file says must not stand in what is the platform's.
    let vars = chart("${TEAM}").app("vars: {TEAM: shop}");
    assert!(vars.refused().contains("${TEAM} is unknown"));
    chart("$${TEAM} {{ ds.meta_data.instance_id }}").settings();
}

#[test]
fn a_postgres_brings_its_operator_along() {
    let settings = provider("postgres: {}").settings();
    let inside = &k3s(&settings).inside;
    assert_eq!(
        charts(&inside.operators),
        ["cloudnative-pg 0.23.0 of https://cloudnative-pg.github.io/charts as cnpg in cnpg-system"]
    );
    let postgres = inside.postgres.as_ref().unwrap();
    assert_eq!((postgres.name.as_ref(), postgres.namespace.as_ref()), ("postgres", "default"));
    assert_eq!(
        (postgres.instances.get(), postgres.storage, &postgres.image),
        (1, "1Gi".parse::<Bytes>().unwrap(), &None)
    );
    assert_eq!((postgres.database.as_str(), postgres.owner.as_str()), ("app", "app"));
    let own = provider("postgres: {storage: 5Gi}\n    operators: [{chart: cloudnative-pg, version: 0.24.0}]")
        .settings();
    assert_eq!(k3s(&own).inside.operators.len(), 1, "one that was named is not brought again");
}

#[test]
fn a_token_of_vault_has_policies_of_its_own() {
    assert_snapshot!(provider("vault-token: {}").refused(), @r"
    error: platform.yaml:4:18: `providers.k3s.vault-token` needs `policies`
    hint: a token with none of its own would have berth's
    ");
    let settings = case()
        .platform(
            "lifetime: {max: 2d}\nproviders: {k3s: {kind: capi-k3s, vault-token: {policies: [preview]}}}",
        )
        .settings();
    let token = k3s(&settings).inside.vault_token.as_ref().unwrap();
    assert_eq!(
        (token.name.as_ref(), token.namespace.as_ref(), token.ttl.as_hours()),
        ("vault-token", "default", 48)
    );
    assert_eq!(
        (token.policies.as_slice(), token.role.as_ref()),
        (["preview".to_owned()].as_slice(), "berth-environment")
    );
    let own = provider("vault-token: {policies: [preview], role: previews}").settings();
    assert_eq!(k3s(&own).inside.vault_token.as_ref().unwrap().role.as_ref(), "previews");
    // It is a segment of a request's path.
    assert_snapshot!(provider("vault-token: {policies: [preview], role: ../../sys/seal}").refused(), @r#"error: platform.yaml:4:46: "../../sys/seal" is no role of tokens in Vault: 1 to 128 letters, digits, '-', '_' or '.', of which the first is no '.'"#);
}

// ---- Vault ----

fn vault(keys: &str) -> Case {
    let text = format!("store:\n  vault:\n    address: https://v\n    {keys}\n");
    case().platform(&text).var("VAULT_TOKEN", "s.1")
}

#[test]
fn the_secrets_of_apps_lie_apart_from_berths_own_documents() {
    let Store::Vault(settings) = vault("app-secrets: apps/${OWNER}/${REPO}/").settings().store else {
        panic!()
    };
    let rule = settings.app_secrets.unwrap();
    let repository: RepoName = "acme/shop".parse().unwrap();
    assert_eq!(rule.of(&repository).as_ref(), "apps/acme/shop");
    assert_snapshot!(vault("app-secrets: ephemeral-clusters/${REPO}").refused(), @r"
    error: platform.yaml:4:18: `app-secrets` ephemeral-clusters/${REPO} could be where berth's own documents are (ephemeral-clusters)
    hint: give it a first segment of its own, as in apps/${OWNER}/${REPO}
    ");
    assert!(vault("app-secrets: '${OWNER}/${REPO}'").refused().contains("could be where"));
    assert!(vault("path: a/b\n    app-secrets: a").refused().contains("could be where"));
    for wrong in ["apps/${NAME}", "apps/../${REPO}", "/apps", "''"] {
        assert!(
            vault(&format!("app-secrets: {wrong}")).refused().contains("is no path of apps' secrets"),
            "{wrong}"
        );
    }
}

#[test]
fn the_merged_kubeconfig_is_where_it_was_and_not_among_berths_own_documents() {
    let merged = |keys: &str| match vault(keys).settings().store {
        Store::Vault(vault) => {
            vault.merged_kubeconfig.map(|merged| format!("{}#{}", merged.path, merged.key))
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(merged("mount: kv"), None);
    assert_eq!(merged("merged-kubeconfig: {}").unwrap(), "cluster-secret-store/secrets#PR_KUBECONFIG");
    assert_eq!(merged("merged-kubeconfig: {path: a/b, key: c}").unwrap(), "a/b#c");
    assert_snapshot!(vault("merged-kubeconfig: {path: ephemeral-clusters/ip-allocations}").refused(), @"error: platform.yaml:4:24: `merged-kubeconfig` ephemeral-clusters/ip-allocations is among berth's own documents (ephemeral-clusters)");
}

// ---- who may say it ----

#[test]
fn what_the_platform_file_sets_of_a_provider_stays_as_it_is() {
    let sealed = || provider("machine: {cores: 4}");
    assert_snapshot!(sealed().var("BERTH_PROVIDERS_K3S_MACHINE_CORES", "64").refused(), @r"
    error: BERTH_PROVIDERS_K3S_MACHINE_CORES would change what the platform file sets at platform.yaml:4:22
    hint: what the platform file sets stays as it is: change it there, or leave this out
    ");
    let filled = sealed()
        .var("BERTH_PROVIDERS_K3S_MACHINE_SOCKETS", "1")
        .var("BERTH_DNS_RESOLVERS", "1.1.1.1, 9.9.9.9")
        .settings();
    let Manifests::BuiltIn(built_in) = &k3s(&filled).manifests else { panic!() };
    assert_eq!(
        (built_in.machine.cores.get(), built_in.machine.sockets.get(), filled.dns.resolvers.len()),
        (4, 1, 2)
    );
    assert_snapshot!(case().app("providers: {}").refused(), @r"
    error: berth.yaml:1:1: `providers` belongs into the platform file, not into an app file
    hint: name the platform file by --platform, BERTH_PLATFORM or the action's `platform` input
    ");
    assert!(
        case().app("dns: {domain: evil.example.com}").refused().contains("belongs into the platform file")
    );
}

#[test]
fn what_no_single_text_says_has_no_variable() {
    let unknown = |name| case().platform(BARE).var(name, "x").refused();
    for name in [
        "BERTH_PROVIDERS_K3S_OPERATORS",
        "BERTH_PROVIDERS_K3S_NAMESPACE_LABELS",
        "BERTH_DEPLOY_VALUES",
        "BERTH_VARS_TEAM",
        "BERTH_SECRETS",
    ] {
        assert!(unknown(name).contains(&format!("{name} is no setting")), "{name}");
    }
    assert_snapshot!(unknown("BERTH_PROVIDERS_K3S_MACHINE_CORE"), @"error: BERTH_PROVIDERS_K3S_MACHINE_CORE is no setting, did you mean BERTH_PROVIDERS_K3S_MACHINE_CORES?");
}

#[test]
fn sizes_are_written_as_they_are_read() {
    for text in ["16Gi", "20G", "512Mi", "1Ti", "1500M", "3k", "7Ki"] {
        assert_eq!(text.parse::<Bytes>().unwrap().to_string(), text);
    }
    assert_eq!("1024Mi".parse::<Bytes>().unwrap().to_string(), "1Gi");
    for text in
        ["", "0Gi", "Gi", "1.5Gi", "-1Gi", "1GiB", "1 Gi", "99999999999999999999Ti", "18446744073709551615Ti"]
    {
        assert!(text.parse::<Bytes>().is_err(), "{text:?}");
    }
}
