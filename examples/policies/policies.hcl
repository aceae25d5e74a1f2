# What every account of this configuration must keep to.

policy "no_org_owners" {
  description = "Programs do not own organizations"
  condition   = !(self.scope.kind == "organization" && contains(self.roles, "owner"))
  message     = "it would own ${self.scope.id}"
}

policy "team_label" {
  description = "Somebody answers for every account"
  condition   = lookup(self.labels, "team", "") != ""
  message     = "it has no label `team`"
}

policy "scanners_only_scan" {
  description = "What reports scan results does nothing else"
  condition   = !contains(self.roles, "agent") || length(self.roles) == 1
  message     = "it would also be ${join(", ", [for role in self.roles : role if role != "agent"])}"
}

policy "expiry" {
  description = "Accounts end by themselves"
  condition   = self.valid_until != null
  message     = "it has no valid_until"
  severity    = "warning"
}
