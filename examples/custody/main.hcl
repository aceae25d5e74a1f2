rolecall {
  stack = "custody"
  id    = "c7n4e1wk"
}

organization "acme" {
  id = "acme-corp-883120"

  # Nobody makes accounts by hand here, but for those of the old pipeline.
  unmanaged {
    action = "fail"
    except = ["legacy-*"]
  }
}

space "payments" {
  organization = organization.acme
  id           = "amazing-hofstadter-175565"
}

sink "file" "local" {
  directory = "credentials"
}

# Was `service_account.builds` once: the account and its key are the same.
service_account "ci" {
  scope = space.payments
  name  = "ci-payments"
  roles = ["agent"]

  credential {
    deliver_to = [sink.file.local]
  }
}

moved {
  from = service_account.builds
  to   = service_account.ci
}

# Whoever takes this block away does not take the account away.
service_account "breakglass" {
  scope = organization.acme
  name  = "breakglass"
  roles = ["editor"]

  credential {
    deliver_to = [sink.file.local]
  }

  lifecycle {
    prevent_destroy = true
  }
}

# Another team looks after this one now; it goes on working with the key it has.
removed {
  from = service_account.legacy_export

  lifecycle {
    destroy = false
  }
}
