# Names the owner of all that this configuration manages. The id is random and made once, so that
# two configurations never claim the same accounts.
rolecall {
  stack = "quickstart"
  id    = "q7m2k9ta"
}

organization "acme" {
  id = "acme-corp-883120"
}

space "payments" {
  organization = organization.acme
  id           = "amazing-hofstadter-175565"
}

# A named set of roles. It makes nothing on the platform.
role "scanner" {
  description = "Scan builds and read the results"
  includes    = ["agent", "viewer"]
}

# Where keys are delivered: files in ./credentials, readable by you alone, ignored by git.
sink "file" "local" {
  directory = "credentials"
}

service_account "ci" {
  scope       = space.payments
  name        = "ci-payments"
  description = "Scans the builds of the payments team"
  roles       = [role.scanner]

  credential {
    deliver_to = [sink.file.local]
  }
}
