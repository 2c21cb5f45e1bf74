# All that berth needs in Vault or OpenBao: `vault policy write berth berth.hcl`. Other than the defaults are the mount
# `kv` and the path `ephemeral-clusters` of your platform file.

# Documents are read and written by compare-and-set, with versions.
path "kv/data/ephemeral-clusters/*" { capabilities = ["create", "read", "update"] }

# A version is deleted exactly, never "the latest".
path "kv/delete/ephemeral-clusters/*" { capabilities = ["update"] }

# The names under which claims may lie.
path "kv/metadata/ephemeral-clusters/" { capabilities = ["list"] }

# A login's token renews itself. The policy `default` would let it, where roles do not leave that out.
path "auth/token/renew-self" { capabilities = ["update"] }
