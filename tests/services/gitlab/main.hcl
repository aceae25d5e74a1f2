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
sink "gitlab" "project" {
  address           = "GITLAB"
  project           = "acme/app"
  environment_scope = "production"
  name              = "ROLECALL_PROJECT"
}
sink "gitlab" "group" {
  address = "GITLAB"
  group   = "acme/team"
  name    = "ROLECALL_GROUP"
}
sink "gitlab" "file" {
  address   = "GITLAB"
  project   = "acme/team/web"
  name      = "ROLECALL_FILE"
  type      = "file"
  format    = "json"
  masked    = false
  protected = false
}
sink "gitlab" "hidden" {
  address = "GITLAB"
  project = "acme/team/web"
  name    = "ROLECALL_HIDDEN"
  hidden  = true
  # Nobody can read whose key a rotation finds there.
  overwrite_unreadable = true
}
service_account "all" {
  scope = space.payments
  name  = "of all kinds"
  roles = ["viewer"]
  credential {
    deliver_to = [sink.gitlab.project, sink.gitlab.group, sink.gitlab.file, sink.gitlab.hidden]
  }
}
