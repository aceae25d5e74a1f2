rolecall {
  stack = "policies"
  id    = "p5q7r2vw"
}

organization "acme" {
  id = "acme-corp-883120"
}

space "payments" {
  organization = organization.acme
  id           = "amazing-hofstadter-175565"
}

sink "file" "local" {
  directory = "credentials"
}

service_account "scanner" {
  scope       = space.payments
  name        = "scanner-payments"
  description = "Scans the builds of payments"
  roles       = ["agent"]
  labels      = { team = "payments" }
  valid_until = "2099-12-31T00:00:00Z"

  credential {
    deliver_to = [sink.file.local]
  }
}

service_account "report" {
  scope  = organization.acme
  name   = "report-monthly"
  roles  = ["viewer"]
  labels = { team = "platform-security" }

  credential {
    deliver_to = [sink.file.local]
  }
}
