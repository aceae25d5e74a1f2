# Names the owner of all that this configuration manages. The id is random and made once, so that
# two configurations never claim the same accounts: keep it. The seal key proves whose an account
# is; this is its public half, which everybody may know. `rolecall seal rotate` changes it.
rolecall {
  stack    = "access"
  id       = "[STACKID]"
  seal_key = "ed25519:[PUBLIC]"
}

organization "acme_corp" {
  id = "acme-corp-883120"
}

space "payments" {
  organization = organization.acme_corp
  id           = "amazing-hofstadter-175565"
}

space "prod_us" {
  organization = organization.acme_corp
  id           = "relaxed-khayyam-961566"
}

space "prod_eu" {
  organization = organization.acme_corp
  id           = "serene-bouman-275779"
}

# Accounts that are live already. Each `import` block takes its account over, which seals it; after
# that it may go. The keys stay where they are.

service_account "billing_export" {
  scope       = organization.acme_corp
  name        = "billing-export"
  description = "reads findings for the monthly report"
  roles       = ["viewer"]
  labels      = { cost-centre = "4711", team = "finance" }
}

import {
  to = service_account.billing_export
  id = "//agents.api.mondoo.app/organizations/acme-corp-883120/serviceaccounts/[ID]"
}

service_account "legacy_admin" {
  scope       = organization.acme_corp
  name        = "legacy-admin"
  description = "made by hand for the first pipeline, do not delete??"
  roles       = ["owner"]
}

import {
  to = service_account.legacy_admin
  id = "//agents.api.mondoo.app/organizations/acme-corp-883120/serviceaccounts/[ID]"
}

# Left out: "platform owner" (//agents.api.mondoo.app/organizations/acme-corp-883120/serviceaccounts/[ID]): this is the account whose credential rolecall itself was using.

service_account "terraform_ci" {
  scope       = organization.acme_corp
  name        = "terraform-ci"
  description = "Created by Terraform"
  roles       = ["editor"]
}

import {
  to = service_account.terraform_ci
  id = "//agents.api.mondoo.app/organizations/acme-corp-883120/serviceaccounts/[ID]"
}

# Left out: "twice" (//agents.api.mondoo.app/organizations/acme-corp-883120/serviceaccounts/[ID]): 2 accounts of its scope have this name, and a configuration declares one of a name in a scope; write the two blocks of that one by hand, or rename the others on the platform first.

# Left out: "twice" (//agents.api.mondoo.app/organizations/acme-corp-883120/serviceaccounts/[ID]): 2 accounts of its scope have this name, and a configuration declares one of a name in a scope; write the two blocks of that one by hand, or rename the others on the platform first.

service_account "account" {
  scope = organization.acme_corp
  name  = "監視"
  roles = ["viewer"]
}

import {
  to = service_account.account
  id = "//agents.api.mondoo.app/organizations/acme-corp-883120/serviceaccounts/[ID]"
}

service_account "file_etc_passwd_if_true_quoted_x_gnp" {
  scope       = space.payments
  name        = "$${file(\"/etc/passwd\")} %%{ if true } \"quoted\" \\ $\u0024{x} \u202egnp"
  description = "$${file(\"/etc/passwd\")} %%{ if true } \"quoted\" \\ $\u0024{x} \u202egnp"
  roles       = ["viewer"]
  labels      = { "a b" = "$\u0024{x}", "for" = "$${file(\"/etc/passwd\"" }
}

import {
  to = service_account.file_etc_passwd_if_true_quoted_x_gnp
  id = "//agents.api.mondoo.app/spaces/amazing-hofstadter-175565/serviceaccounts/[ID]"
}

service_account "payments_dashboard" {
  scope  = space.payments
  name   = "payments-dashboard"
  roles  = ["policy-manager", "viewer"]
  labels = { team = "payments" }
}

import {
  to = service_account.payments_dashboard
  id = "//agents.api.mondoo.app/spaces/amazing-hofstadter-175565/serviceaccounts/[ID]"
}

service_account "scanner_payments" {
  scope       = space.payments
  name        = "scanner"
  description = "nightly cnspec scan"
  roles       = ["agent"]
}

import {
  to = service_account.scanner_payments
  id = "//agents.api.mondoo.app/spaces/amazing-hofstadter-175565/serviceaccounts/[ID]"
}

# Left out: "theirs" (//agents.api.mondoo.app/spaces/amazing-hofstadter-175565/serviceaccounts/[ID]): the configuration other-stack/aaaa1111 manages it.

# Its description has control characters, so it is left as it is.
# Its labels cannot be written here, so they are left as they are.
service_account "windows" {
  scope = space.payments
  name  = "windows"
  roles = ["viewer"]
}

import {
  to = service_account.windows
  id = "//agents.api.mondoo.app/spaces/amazing-hofstadter-175565/serviceaccounts/[ID]"
}

service_account "contractor" {
  scope       = space.prod_us
  name        = "contractor"
  description = "until the migration is over"
  roles       = ["editor"]
}

import {
  to = service_account.contractor
  id = "//agents.api.mondoo.app/spaces/relaxed-khayyam-961566/serviceaccounts/[ID]"
}

# Left out: "evil\n\u{1b}[2J\u{1b}[31m::add-mask::x\n::set-output name=ok::yes \u{202e}gnp.exe <img src=x> | @acme/everyone =1+1" (//agents.api.mondoo.app/spaces/serene-bouman-275779/serviceaccounts/[ID]): its name has control characters; give it a plain name on the platform first.

service_account "scanner_prod_eu" {
  scope = space.prod_eu
  name  = "scanner"
  roles = ["agent"]
}

import {
  to = service_account.scanner_prod_eu
  id = "//agents.api.mondoo.app/spaces/serene-bouman-275779/serviceaccounts/[ID]"
}
