//! The file that `KUBECONFIG` names: which server its current context is for, and by what that knows who
//! asks. Runs no program that the file names, and repeats nothing of it but the names of its fields.
//!
//! Sources: Kubernetes' documentation, "Organizing Cluster Access Using kubeconfig Files" and
//! "kubeconfig (v1)"; the vendors' own for the commands that print a token.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::proof::{Proof, read, refuse};
use crate::ports::SinkError;
use crate::yaml::{self, Content, Members, Node};

/// What the current context says.
#[derive(Debug)]
pub(super) struct Context {
    /// The server, as it is written there.
    pub(super) server: String,
    /// Certificates in PEM that its own is checked against.
    pub(super) authorities: Option<Zeroizing<Vec<u8>>>,
    pub(super) proof: Proof,
}

/// What is for a way to the server, or a person there, that rolecall does not take from the file.
const OF_CLUSTER: [(&str, &str); 2] = [
    (
        "tls-server-name",
        "the server's certificate is checked for the name in its address",
    ),
    ("proxy-url", "set HTTPS_PROXY in its place"),
];
const OF_USER: [(&str, &str); 7] = [
    ("as", "log in as who is meant"),
    ("as-uid", "log in as who is meant"),
    ("as-groups", "log in as who is meant"),
    ("as-user-extra", "log in as who is meant"),
    ("impersonate", "log in as who is meant"),
    (
        "username",
        "servers take no passwords any more; use a token",
    ),
    (
        "password",
        "servers take no passwords any more; use a token",
    ),
];

/// Reads the file of this path.
pub(super) fn context(path: &str) -> Result<Context, SinkError> {
    if path.split(':').filter(|one| !one.is_empty()).count() > 1 {
        return refuse(
            "KUBECONFIG names several files, and rolecall reads one",
            "write one: kubectl config view --flatten --minify --raw > FILE",
        );
    }
    let path = Path::new(path.trim_matches(':'));
    let bytes = read(path, "KUBECONFIG", "the login to a cluster")?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parsed(&bytes, folder)
}

/// Reads what the file holds; paths in it start from its folder.
fn parsed(bytes: &[u8], folder: &Path) -> Result<Context, SinkError> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return wrong("is no text");
    };
    let tree = match yaml::parse(text) {
        Ok(Some(Node {
            content: Content::Map(tree),
            ..
        })) => tree,
        Ok(_) => return wrong("holds no map"),
        Err(why) => return wrong(&why.to_string()),
    };
    let Some(current) = text_of(&tree, "current-context") else {
        return refuse(
            "the file of KUBECONFIG has no current-context",
            "choose one: kubectl config use-context NAME",
        );
    };
    let context = named(&tree, "contexts", current, "context")?;
    let part = |field: &str| match text_of(context, field) {
        Some(name) => Ok(name),
        None => wrong(&format!("has a current context without a {field}")),
    };
    let cluster = named(&tree, "clusters", part("cluster")?, "cluster")?;
    let user = named(&tree, "users", part("user")?, "user")?;
    let Some(server) = text_of(cluster, "server") else {
        return wrong("has a cluster without a server");
    };
    if text_of(cluster, "insecure-skip-tls-verify").is_some_and(|text| text != "false") {
        return refuse(
            "the cluster in KUBECONFIG says insecure-skip-tls-verify, and a key is sent to no server that \
             is not verified",
            "name its authority with certificate-authority or certificate-authority-data",
        );
    }
    for (members, fields) in [(cluster, &OF_CLUSTER[..]), (user, &OF_USER[..])] {
        if let Some((field, help)) = fields.iter().find(|(field, _)| is_set(members, field)) {
            let message = format!(
                "the current context in KUBECONFIG has {field}, which rolecall does not use"
            );
            return refuse(message, *help);
        }
    }
    Ok(Context {
        server: server.to_owned(),
        authorities: pem(cluster, "certificate-authority", folder)?,
        proof: proof(user, folder)?,
    })
}

fn proof(user: &Members, folder: &Path) -> Result<Proof, SinkError> {
    for (field, program) in [("exec", "command"), ("auth-provider", "name")] {
        let Some(found) = get(user, field) else {
            continue;
        };
        let program = match &found.content {
            Content::Null => continue,
            Content::Map(members) => text_of(members, program).unwrap_or_default(),
            Content::Text(_) | Content::List(_) => "",
        };
        return refuse(
            format!(
                "the user in KUBECONFIG logs in by a program ({field}), and rolecall runs none that a file \
                 names"
            ),
            format!(
                "set KUBE_TOKEN to what `{}` prints, KUBE_SERVER to the server, and KUBE_CA_FILE to a file of \
                 its authority",
                printing(program)
            ),
        );
    }
    // As kubectl has it, a token goes before the file of one, and both before a certificate.
    if let Some(token) = text_of(user, "token").filter(|text| !text.is_empty()) {
        return Ok(Proof::Token(Zeroizing::new(token.to_owned())));
    }
    if let Some(file) = text_of(user, "tokenFile").filter(|text| !text.is_empty()) {
        return Ok(Proof::File {
            path: folder.join(file),
            named: "tokenFile in KUBECONFIG",
        });
    }
    let certificate = pem(user, "client-certificate", folder)?;
    let key = pem(user, "client-key", folder)?;
    let (Some(certificate), Some(key)) = (certificate, key) else {
        return refuse(
            "the user in KUBECONFIG has no token, no tokenFile, and no client-certificate with its client-key",
            "add one of them, or set KUBE_SERVER and KUBE_TOKEN",
        );
    };
    let mut both = Zeroizing::new(Vec::with_capacity(certificate.len() + key.len() + 1));
    both.extend_from_slice(&certificate);
    both.push(b'\n');
    both.extend_from_slice(&key);
    Ok(Proof::Certificate(both))
}

/// What prints a token of the cloud whose program this is.
fn printing(program: &str) -> &'static str {
    let name = program.rsplit(['/', '\\']).next().unwrap_or_default();
    match name {
        _ if name.starts_with("aws") => {
            "aws eks get-token --cluster-name NAME --query status.token --output text"
        }
        _ if name.starts_with("gke-gcloud-auth-plugin") || name == "gcloud" || name == "gcp" => {
            "gcloud auth print-access-token"
        }
        // The application of all AKS clusters. Source: kubelogin's documentation.
        _ if name.starts_with("kubelogin") || name == "az" || name == "azure" => {
            "az account get-access-token --resource 6dae42f8-4368-4678-94ff-3960e28e3630 \
             --query accessToken --output tsv"
        }
        _ => "kubectl create token ACCOUNT --namespace NAMESPACE",
    }
}

/// PEM that stands in the file itself, in base64, or in another one.
fn pem(
    members: &Members,
    field: &str,
    folder: &Path,
) -> Result<Option<Zeroizing<Vec<u8>>>, SinkError> {
    let data = format!("{field}-data");
    if let Some(text) = text_of(members, &data).filter(|text| !text.is_empty()) {
        let plain: Zeroizing<Vec<u8>> =
            Zeroizing::new(text.bytes().filter(|b| !b.is_ascii_whitespace()).collect());
        return match STANDARD.decode(&*plain) {
            Ok(pem) => Ok(Some(Zeroizing::new(pem))),
            Err(_) => wrong(&format!("has a {data} that is not base64")),
        };
    }
    let Some(path) = text_of(members, field).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    read(&folder.join(path), &format!("{field} in KUBECONFIG"), "PEM").map(Some)
}

/// What stands under `field` in the entry of this name of a list.
fn named<'t>(
    tree: &'t Members,
    list: &str,
    name: &str,
    field: &str,
) -> Result<&'t Members, SinkError> {
    let entries = match get(tree, list).map(|node| &node.content) {
        Some(Content::List(entries)) => entries.as_slice(),
        _ => &[],
    };
    let mut entries = entries.iter().filter_map(|entry| match &entry.content {
        Content::Map(members) => Some(members),
        _ => None,
    });
    let entry = entries.find(|members| text_of(members, "name") == Some(name));
    match entry
        .and_then(|members| get(members, field))
        .map(|node| &node.content)
    {
        Some(Content::Map(members)) => Ok(members),
        _ => wrong(&format!(
            "has no {field} of the name that its current context uses"
        )),
    }
}

fn get<'t>(members: &'t Members, name: &str) -> Option<&'t Node> {
    let found = members.iter().find(|(known, _)| known.as_str() == name);
    found.map(|(_, node)| node)
}

fn text_of<'t>(members: &'t Members, name: &str) -> Option<&'t str> {
    match &get(members, name)?.content {
        Content::Text(text) => Some(text),
        Content::Null | Content::List(_) | Content::Map(_) => None,
    }
}

fn is_set(members: &Members, name: &str) -> bool {
    get(members, name).is_some_and(|node| match &node.content {
        Content::Null => false,
        Content::Text(text) => !text.is_empty(),
        Content::List(_) | Content::Map(_) => true,
    })
}

fn wrong<T>(why: &str) -> Result<T, SinkError> {
    refuse(
        format!("the file of KUBECONFIG {why}"),
        "see what it comes to: kubectl config view --minify",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(cluster: &str, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: prod\npreferences: {{}}\n\
             contexts:\n- name: test\n  context: {{cluster: t, user: t}}\n\
             - name: prod\n  context: {{cluster: c, user: u, namespace: x}}\n\
             clusters:\n- name: t\n  cluster: {{server: https://t.example}}\n\
             - name: c\n  cluster:\n    server: https://k8s.acme.example:6443\n{cluster}\
             users:\n- name: t\n  user: {{token: of-test}}\n- name: u\n  user:\n{user}"
        )
    }

    fn of(cluster: &str, user: &str) -> Result<Context, SinkError> {
        parsed(file(cluster, user).as_bytes(), Path::new("/nowhere"))
    }

    #[test]
    fn the_current_context_counts() {
        let found = of("", "    token: of-prod\n").expect("read");
        assert_eq!(found.server, "https://k8s.acme.example:6443");
        let token = found.proof.token().expect("a token").expect("one");
        assert_eq!(
            (token.as_str(), found.authorities.is_none()),
            ("of-prod", true)
        );
        // In JSON too.
        let json = r#"{"current-context":"a","contexts":[{"name":"a","context":{"cluster":"a","user":"a"}}],
            "clusters":[{"name":"a","cluster":{"server":"https://a","certificate-authority-data":"YWJj"}}],
            "users":[{"name":"a","user":{"token":"x","exec":null}}]}"#;
        let found = parsed(json.as_bytes(), Path::new("")).expect("read");
        assert_eq!(
            found.authorities.as_deref().map(Vec::as_slice),
            Some(&b"abc"[..])
        );
    }

    #[test]
    fn files_are_named_from_the_folder_and_a_token_is_read_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write("ca.crt", "authority").expect("written");
        write("token", "one\n").expect("written");
        let text = file(
            "    certificate-authority: ca.crt\n",
            "    tokenFile: token\n",
        );
        write("config", &text).expect("written");
        let path = folder.path().join("config");
        let found = context(path.to_str().expect("text")).expect("read");
        assert_eq!(
            found.authorities.as_deref().map(Vec::as_slice),
            Some(&b"authority"[..])
        );
        for expected in ["one", "two"] {
            write("token", expected).expect("written");
            let token = found.proof.token().expect("a token").expect("one");
            assert_eq!(token.as_str(), expected);
        }
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        let (certificate, key) = (STANDARD.encode("certificate"), STANDARD.encode("key"));
        let both =
            format!("    client-certificate-data: {certificate}\n    client-key-data: {key}\n");
        let found = of("", &both).expect("read");
        assert_eq!(found.proof.certificate(), Some(&b"certificate\nkey"[..]));
        assert!(found.proof.token().expect("none").is_none());
        let half = format!("    client-certificate-data: {certificate}\n");
        let why = of("", &half).expect_err("no key").to_string();
        assert!(why.contains("client-key"), "{why}");
    }

    /// As `aws eks update-kubeconfig`, `gcloud container clusters get-credentials` and
    /// `az aks get-credentials` write them, and as older versions of the last two did.
    #[test]
    fn no_program_is_run_and_its_cloud_has_one_command_for_a_token() {
        let folder = tempfile::tempdir().expect("a folder");
        let witness = folder.path().join("pwned");
        let hostile = format!(
            "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: touch\n      \
             args: [\"{}\"]\n",
            witness.display()
        );
        for (user, command) in [
            (
                "    exec:\n      apiVersion: client.authentication.k8s.io/v1beta1\n      command: aws\n      \
                 args:\n      - --region\n      - eu-central-1\n      - eks\n      - get-token\n      \
                 - --cluster-name\n      - prod\n      - --output\n      - json\n",
                "aws eks get-token --cluster-name NAME --query status.token --output text",
            ),
            (
                "    exec:\n      command: /usr/local/bin/aws-iam-authenticator\n      args: [token, -i, prod]\n",
                "aws eks get-token",
            ),
            (
                "    exec:\n      apiVersion: client.authentication.k8s.io/v1beta1\n      \
                 command: gke-gcloud-auth-plugin\n      provideClusterInfo: true\n",
                "gcloud auth print-access-token",
            ),
            (
                "    auth-provider:\n      name: gcp\n      config: {cmd-path: /usr/lib/gcloud}\n",
                "gcloud auth print-access-token",
            ),
            (
                "    exec:\n      command: kubelogin\n      args: [get-token, --login, devicecode]\n",
                "az account get-access-token --resource 6dae42f8-4368-4678-94ff-3960e28e3630 --query",
            ),
            (
                "    auth-provider:\n      name: azure\n",
                "az account get-access-token",
            ),
            (hostile.as_str(), "kubectl create token"),
            // A token beside it makes no difference.
            (
                "    token: x\n    exec: {command: aws}\n",
                "aws eks get-token",
            ),
        ] {
            let why = of("", user).expect_err(user).to_string();
            assert!(
                why.contains(command) && why.contains("set KUBE_TOKEN"),
                "{why}"
            );
        }
        assert!(!witness.exists());
    }

    #[test]
    fn what_would_log_in_elsewhere_or_as_somebody_else_is_refused() {
        let token = "    token: s3cr3t\n";
        for (cluster, user, told) in [
            (
                "    insecure-skip-tls-verify: true\n",
                token,
                "not verified",
            ),
            ("    insecure-skip-tls-verify: yes\n", token, "not verified"),
            ("    tls-server-name: other\n", token, "tls-server-name"),
            ("    proxy-url: http://evil.example\n", token, "HTTPS_PROXY"),
            ("", "    token: s3cr3t\n    as: admin\n", "has as,"),
            (
                "",
                "    token: s3cr3t\n    as-groups: [admins]\n",
                "as-groups",
            ),
            (
                "",
                "    username: u\n    password: s3cr3t\n",
                "has username",
            ),
            ("", "    {}\n", "no token"),
            (
                "    certificate-authority-data: \"s3cr3t!\"\n",
                token,
                "is not base64",
            ),
            (
                "    certificate-authority: none.crt\n",
                token,
                "cannot be read",
            ),
            ("", "    token: &a s3cr3t\n", "anchor"),
            ("", "    token: s3cr3t\n    token: s3cr3t\n", "already has"),
            ("", "   s3cr3t\n", "no user of the name"),
        ] {
            let why = of(cluster, user).expect_err(told);
            let shown = format!("{why} {why:?}");
            assert!(shown.contains(told), "{told}: {shown}");
            assert!(
                !shown.contains("s3cr3t") && !shown.contains("evil"),
                "{shown}"
            );
        }
        assert!(of("    insecure-skip-tls-verify: false\n", token).is_ok());
        for (text, told) in [
            ("", "holds no map"),
            ("current-context: \"\"\n", "no context of the name"),
            ("contexts: []\n", "no current-context"),
            (
                "current-context: a\ncontexts: [{name: a, context: {user: a}}]\n",
                "without a cluster",
            ),
        ] {
            let why = parsed(text.as_bytes(), Path::new(""))
                .expect_err(text)
                .to_string();
            assert!(why.contains(told), "{text}: {why}");
        }
        let several = context("/a/config:/b/config").expect_err("two").to_string();
        assert!(several.contains("--flatten"), "{several}");
    }
}
