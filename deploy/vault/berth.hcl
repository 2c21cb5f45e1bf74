# All that berth needs in Vault or OpenBao: `vault policy write berth berth.hcl`. Other than the defaults are the mount
# `kv` and the path `ephemeral-clusters` of your platform file.

# Documents are read and written by compare-and-set, with versions.
path "kv/data/ephemeral-clusters/*" { capabilities = ["create", "read", "update"] }

# A version is deleted exactly, never "the latest".
path "kv/delete/ephemeral-clusters/*" { capabilities = ["update"] }

# The names under which claims may lie.
path "kv/metadata/ephemeral-clusters/" { capabilities = ["list"] }

# Secrets for environments, and berth's own (`vault:berth/...` in your platform file). Name the folders that your platform
# file allows; without any, leave it out.
path "kv/data/berth/*" { capabilities = ["read"] }

# Only if all kubeconfigs are kept in one document, too (`merged-kubeconfig` in your platform file). What else is in it stays.
path "kv/data/cluster-secret-store/secrets" { capabilities = ["create", "read", "update"] }

# A login's token renews itself. The policy `default` would let it, where roles do not leave that out.
path "auth/token/renew-self" { capabilities = ["update"] }

# Only if environments get tokens of their own: by this role, which says what they may do. Its tokens must be orphans, lest
# they end with the login of the run that made them, and its longest life is the only one that Vault holds renewals to:
#   vault write auth/token/roles/berth-environment allowed_policies=YOURS orphan=true token_explicit_max_ttl=72h
path "auth/token/create/berth-environment" { capabilities = ["update"] }

# berth keeps the accessors of those, and no token. Whom an accessor is of, it cannot ask.
path "auth/token/renew-accessor" { capabilities = ["update"] }
path "auth/token/revoke-accessor" { capabilities = ["update"] }
