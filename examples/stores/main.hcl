rolecall {
  stack = "stores"
  id    = "s4n6t8vb"
}

organization "acme" {
  id = "acme-corp-883120"
}

space "payments" {
  organization = organization.acme
  id           = "amazing-hofstadter-175565"
}

# Logins come from the environment of the job that applies, never from here: VAULT_ADDR and its
# login, KUBE_SERVER and KUBE_TOKEN, ROLECALL_GITHUB_TOKEN, ROLECALL_GITLAB_TOKEN, and what the clouds' own
# programs read.
sink "vault" "team" {
  address   = "https://vault.acme.example"
  mount     = "secret"
  path      = "mondoo/${account.id}"
  on_delete = "remove" # a key that its account leaves is of no use there
}

sink "kubernetes" "operator" {
  address   = "https://k8s.acme.example:6443"
  namespace = "mondoo-operator"
  name      = "mondoo-client" # Mondoo's operator reads its key `config`
}

sink "github" "ci" {
  repository  = "acme/payments"
  environment = "production"
}

sink "gitlab" "mirror" {
  project   = "acme/payments"
  masked    = true
  protected = true
}

sink "aws_secretsmanager" "batch" {
  region     = "eu-west-1"
  account_id = "111122223333"
  name       = "mondoo/${account.name}"
}

sink "aws_ssm" "agents" {
  region     = "eu-west-1"
  account_id = "111122223333"
  name       = "mondoo-${account.name}" # flat, as in the form that cnspec documents
}

sink "azure_key_vault" "functions" {
  vault = "https://acme-payments.vault.azure.net"
  name  = "mondoo-${account.name}"
}

sink "gcp_secret_manager" "functions" {
  project = "acme-payments"
  name    = "mondoo-${account.name}"
}

# Scans builds: the job reads MONDOO_CONFIG_BASE64, and people who debug it read Vault.
service_account "builds" {
  scope = space.payments
  name  = "builds-payments"
  roles = ["agent"]

  credential {
    deliver_to = [sink.github.ci, sink.vault.team]
  }
}

service_account "cluster" {
  scope = space.payments
  name  = "cluster-payments"
  roles = ["agent"]

  credential {
    deliver_to = [sink.kubernetes.operator]
  }
}

# Every pipeline of the mirror's protected branches.
service_account "mirror" {
  scope = space.payments
  name  = "mirror-payments"
  roles = ["agent"]

  credential {
    deliver_to = [sink.gitlab.mirror]
  }
}

# Each cloud keeps a key of its own, so that one that leaks is replaced alone.
service_account "cloud" {
  for_each = {
    aws   = sink.aws_secretsmanager.batch
    ssm   = sink.aws_ssm.agents
    azure = sink.azure_key_vault.functions
    gcp   = sink.gcp_secret_manager.functions
  }

  scope = space.payments
  name  = "${each.key}-payments"
  roles = ["viewer"]

  credential {
    deliver_to = [each.value]
  }
}
