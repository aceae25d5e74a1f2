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
sink "aws_secretsmanager" "json" {
  endpoint   = "AWS"
  region     = "eu-central-1"
  account_id = "123456789012"
  name       = "mondoo/json"
}
sink "aws_secretsmanager" "base64" {
  endpoint   = "AWS"
  region     = "eu-central-1"
  account_id = "123456789012"
  name       = "mondoo/base64"
  format     = "base64"
}
sink "aws_secretsmanager" "was" {
  endpoint   = "AWS"
  region     = "eu-central-1"
  account_id = "123456789012"
  name       = "mondoo/was"
}
sink "aws_ssm" "json" {
  endpoint   = "AWS"
  region     = "eu-central-1"
  account_id = "123456789012"
  name       = "/mondoo/json"
}
sink "aws_ssm" "base64" {
  endpoint   = "AWS"
  region     = "eu-central-1"
  account_id = "123456789012"
  name       = "/mondoo/base64"
  format     = "base64"
}
sink "aws_ssm" "was" {
  endpoint   = "AWS"
  region     = "eu-central-1"
  account_id = "123456789012"
  name       = "/mondoo/was"
}
service_account "all" {
  scope = space.payments
  name  = "of all kinds"
  roles = ["viewer"]
  credential {
    deliver_to = [
      sink.aws_secretsmanager.json, sink.aws_secretsmanager.base64, sink.aws_secretsmanager.was,
      sink.aws_ssm.json, sink.aws_ssm.base64, sink.aws_ssm.was,
    ]
  }
}
