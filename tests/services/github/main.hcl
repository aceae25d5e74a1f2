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
sink "github" "repository" {
  address    = "GITHUB"
  repository = "acme/app"
  name       = "ROLECALL_REPOSITORY"
}
service_account "repository" {
  scope = space.payments
  name  = "of a repository"
  roles = ["viewer"]
  credential { deliver_to = [sink.github.repository] }
}
