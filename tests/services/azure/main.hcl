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
sink "azure_key_vault" "json" {
  vault = "AZURE"
  name  = "Mondoo-JSON"
}
sink "azure_key_vault" "base64" {
  vault  = "AZURE"
  name   = "mondoo-base64"
  format = "base64"
}
sink "azure_key_vault" "was" {
  vault = "AZURE"
  name  = "mondoo-was"
}
service_account "all" {
  scope = space.payments
  name  = "of all kinds"
  roles = ["viewer"]
  credential {
    deliver_to = [sink.azure_key_vault.json, sink.azure_key_vault.base64, sink.azure_key_vault.was]
  }
}
