rolecall {
  stack    = "acme-access"
  id       = "k7m2q9ta"
  seal_key = "ed25519:A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
}
organization "acme" {
  id = "acme-corp-883120"
}
space "payments" {
  organization = organization.acme
  id           = "amazing-hofstadter-175565"
}
sink "gcp_secret_manager" "global" {
  address   = "GCP"
  project   = "acme-prod"
  name      = "rolecall-${account.id}"
  on_delete = "remove"
}
sink "gcp_secret_manager" "regional" {
  address  = "GCP"
  project  = "acme-prod"
  location = "europe-west3"
  name     = "rolecall-${account.id}"
  format   = "base64"
}
service_account "kept" {
  scope = space.payments
  name  = "kept"
  roles = ["viewer"]
  credential {
    deliver_to = [sink.gcp_secret_manager.global, sink.gcp_secret_manager.regional]
  }
}
service_account "LOGIN" {
  scope = space.payments
  name  = "by LOGIN"
  roles = ["viewer"]
  credential {
    deliver_to = [sink.gcp_secret_manager.global, sink.gcp_secret_manager.regional]
  }
}
