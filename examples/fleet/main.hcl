rolecall {
  stack = "fleet"
  id    = "f3x8w2pd"
}

organization "acme" {
  id = "acme-corp-883120"
}

space "prod_eu" {
  organization = organization.acme
  id           = "serene-bouman-275779"
}

space "prod_us" {
  organization = organization.acme
  id           = "relaxed-khayyam-961566"
}

variable "team" {
  type        = string
  description = "Who answers for these accounts"
  default     = "platform-security"
}

locals {
  # One scanner for each production space, by a short name of the region.
  production = {
    eu = space.prod_eu
    us = space.prod_us
  }
}

role "scanner" {
  includes = ["agent"]
}

role "auditor" {
  includes = ["viewer"]
}

sink "file" "json" {
  directory = "credentials"
}

sink "file" "base64" {
  directory = "credentials-base64" # as MONDOO_CONFIG_BASE64 wants it
  format    = "base64"
}

service_account "scanner" {
  for_each    = local.production
  scope       = each.value
  name        = "scanner-${each.key}"
  description = "Scans the hosts of ${upper(each.key)}"
  roles       = [role.scanner]
  labels      = { team = var.team, region = each.key }

  credential {
    deliver_to = [sink.file.json, sink.file.base64]
  }
}

service_account "auditor" {
  scope       = organization.acme
  name        = "auditor"
  description = "Reads the findings of all spaces for the monthly report"
  roles       = [role.auditor]
  labels      = { team = var.team }

  credential {
    deliver_to = [sink.file.json]
  }
}
