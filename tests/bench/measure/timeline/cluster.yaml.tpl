apiVersion: v1
kind: Namespace
metadata:
  name: ${CLUSTER_NAME}
  labels: {ephemeral: "true", pr: "${PR_NUMBER}", repo: "${REPOSITORY}", cluster-secrets: "true"}
---
apiVersion: cluster.x-k8s.io/v1beta2
kind: Cluster
metadata:
  name: ${CLUSTER_NAME}
  namespace: ${CLUSTER_NAME}
  labels: {ephemeral: "true", pr: "${PR_NUMBER}", repo: "${REPOSITORY}"}
spec:
  clusterNetwork:
    pods: {cidrBlocks: [10.244.0.0/16]}
    services: {cidrBlocks: [10.96.0.0/12]}
  controlPlaneEndpoint: {host: ${CLUSTER_IP}, port: 6443}
  controlPlaneRef: {apiGroup: controlplane.cluster.x-k8s.io, kind: KThreesControlPlane, name: ${CLUSTER_NAME}-cp}
  infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: ProxmoxCluster, name: ${CLUSTER_NAME}}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1alpha1
kind: ProxmoxCluster
metadata: {name: ${CLUSTER_NAME}, namespace: ${CLUSTER_NAME}}
spec:
  allowedNodes: [node03]
  controlPlaneEndpoint: {host: ${CLUSTER_IP}, port: 6443}
  credentialsRef: {name: proxmox-credentials}
  dnsServers: [192.168.1.3]
  ipv4Config: {addresses: ["${NODE_IP}-${NODE_IP}"], gateway: 192.168.1.1, prefix: 24, metric: 100}
  schedulerHints: {memoryAdjustment: 0}
---
apiVersion: controlplane.cluster.x-k8s.io/v1beta2
kind: KThreesControlPlane
metadata: {name: ${CLUSTER_NAME}-cp, namespace: ${CLUSTER_NAME}}
spec:
  replicas: 1
  version: v1.30.6+k3s1
  machineTemplate:
    infrastructureRef:
      apiVersion: infrastructure.cluster.x-k8s.io/v1alpha1
      kind: ProxmoxMachineTemplate
      name: ${CLUSTER_NAME}-cp-mt
  kthreesConfigSpec:
    agentConfig:
      kubeletArgs: ["provider-id=proxmox://{{ ds.meta_data.instance_id }}"]
      nodeName: '{{ ds.meta_data.local_hostname }}'
    serverConfig: {cloudProviderName: external, disableCloudController: false}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1alpha1
kind: ProxmoxMachineTemplate
metadata: {name: ${CLUSTER_NAME}-cp-mt, namespace: ${CLUSTER_NAME}}
spec:
  template:
    spec:
      sourceNode: node03
      templateID: 9004
      format: qcow2
      full: true
      numCores: 4
      numSockets: 2
      memoryMiB: 16384
      disks: {bootVolume: {disk: scsi0, sizeGb: 20}}
      network: {default: {bridge: vmbr0, model: virtio}}
      checks: {skipCloudInitStatus: true, skipQemuGuestAgent: true}
      vmIDRange: {start: 401, end: 450}
