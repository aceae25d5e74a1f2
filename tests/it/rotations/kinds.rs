//! The stores of all kinds: how a configuration names two places there, who logs in, what consumers read, and which
//! request writes a key.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall_standins::aws::{Aws, ID, KEY};
use rolecall_standins::azure::{Azure, CLIENT, SECRET, TENANT};
use rolecall_standins::gcp::{AUDIENCE, Gcp, SUBJECT};
use rolecall_standins::github::Github;
use rolecall_standins::gitlab::Gitlab;
use rolecall_standins::kubernetes::{ADMIN, Kubernetes};
use rolecall_standins::vault::{ROOT, Vault};
use rolecall_standins::{Running, Standin, github, gitlab, serve};
use serde_json::json;

use super::relay::{Asked, Behind, Relay};
use super::store::{Door, Store};
use crate::exec;
use crate::stage::Stage;
use crate::stores::{of_script, read_by_another_client};

fn places() -> [String; 2] {
    ["one", "two"].map(str::to_owned)
}

/// A stand-in that is served, and a relay before it.
fn served<S: Standin>(standin: S) -> (Arc<Running<S>>, Relay) {
    let served = serve(standin, ([127, 0, 0, 1], 0).into()).expect("a port");
    let relay = Relay::before(Behind::new(&served.url, None));
    (Arc::new(served), relay)
}

/// A policy directory that lets logins go to a server.
fn allowed(stage: &Stage, address: &str) -> Vec<String> {
    fs::create_dir(stage.path("security")).expect("created");
    let text = format!("destinations {{\n  allow = [\"{address}\"]\n}}\n");
    fs::write(stage.path("security/allow.hcl"), text).expect("written");
    ["--policy-dir", "security"].map(str::to_owned).to_vec()
}

fn of_base64(text: impl AsRef<[u8]>) -> String {
    let json = STANDARD.decode(text).expect("one line of base64");
    String::from_utf8(json).expect("a text")
}

/// Folders of the machine.
pub fn file(stage: &Stage) -> Store {
    let at = stage.path("access");
    Store {
        kind: "file",
        places: places(),
        sink: Box::new(|place| format!("directory = \"{place}/credentials\"\nkeep = true")),
        login: Vec::new(),
        options: Vec::new(),
        key: Box::new(move |place| {
            fs::read_to_string(at.join(place).join("credentials/ci.json")).ok()
        }),
        versions: None,
        beside: None,
        unreadable: false,
        door: Door::None,
    }
}

fn writes_to_vault(asked: &Asked, place: &str) -> bool {
    // A body without anything in it asks what the engine is.
    asked.method != "GET"
        && asked.target == format!("/v1/secret/data/mondoo/{place}")
        && asked.body != b"{}"
}

fn into_vault(relay: &Relay) -> Box<dyn Fn(&str) -> String> {
    let url = relay.url.clone();
    Box::new(move |place| {
        format!("address = \"{url}\"\nmount = \"secret\"\npath = \"mondoo/{place}\"")
    })
}

fn refused_by_vault() -> (u16, String) {
    (403, json!({"errors": ["permission denied"]}).to_string())
}

pub fn vault(_: &Stage) -> Store {
    let (vault, relay) = served(Vault::new());
    let counted = Arc::clone(&vault);
    Store {
        kind: "vault",
        places: places(),
        sink: into_vault(&relay),
        login: vec![
            ("VAULT_ADDR", relay.url.clone()),
            ("VAULT_TOKEN", ROOT.to_owned()),
        ],
        options: Vec::new(),
        key: Box::new(move |place| {
            let fields = vault.with(|held| held.fields("", "secret", &format!("mondoo/{place}")));
            Some(fields?["credential"].as_str()?.to_owned())
        }),
        versions: Some(Box::new(move |place| {
            counted.with(|held| held.versions("", "secret", &format!("mondoo/{place}")))
        })),
        beside: None,
        unreadable: false,
        door: Door::Relay {
            relay,
            writes: writes_to_vault,
            refusal: refused_by_vault(),
        },
    }
}

/// Two fields of one secret, in a namespace.
pub fn vault_fields(_: &Stage) -> Store {
    let (vault, relay) = served(Vault::new());
    let url = relay.url.clone();
    Store {
        kind: "vault",
        places: places(),
        sink: Box::new(move |place| {
            format!(
                "address = \"{url}\"\nnamespace = \"team\"\nmount = \"secret\"\n\
                 path = \"mondoo/both\"\nfield = \"{place}\""
            )
        }),
        login: vec![
            ("VAULT_ADDR", relay.url.clone()),
            ("VAULT_TOKEN", ROOT.to_owned()),
        ],
        options: Vec::new(),
        key: Box::new(move |place| {
            let fields = vault.with(|held| held.fields("team", "secret", "mondoo/both"));
            Some(fields?[place].as_str()?.to_owned())
        }),
        versions: None,
        beside: None,
        unreadable: false,
        door: Door::None,
    }
}

/// A real one, which a script serves; the login is an AppRole with the rights that the sink's page names. What is there is
/// read by another client.
pub fn real_vault(name: &str) -> Store {
    let relay = Relay::before(Behind::new(&of_script("VAULT_ADDR"), None));
    let folder = PathBuf::from(of_script("ROLECALL_TEST_VAULT_FOLDER"));
    let text = |name: &str| fs::read_to_string(folder.join(name)).expect("made by the client");
    Store {
        kind: "vault",
        places: places().map(|place| format!("{name}-{place}")),
        sink: into_vault(&relay),
        login: vec![
            ("VAULT_ADDR", relay.url.clone()),
            ("VAULT_ROLE_ID", text("role-id")),
            ("VAULT_SECRET_ID", text("secret-id")),
        ],
        options: Vec::new(),
        key: Box::new(|place| Some(read_by_another_client("show", &format!("mondoo/{place}")))),
        versions: Some(Box::new(|place| {
            let told = read_by_another_client("version", &format!("mondoo/{place}"));
            told.trim().parse().expect("a number")
        })),
        beside: None,
        unreadable: false,
        door: Door::Relay {
            relay,
            writes: writes_to_vault,
            refusal: refused_by_vault(),
        },
    }
}

fn writes_to_kubernetes(asked: &Asked, place: &str) -> bool {
    let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    // What is tried is not done.
    let tried = query.contains("dryRun");
    asked.method == "PATCH" && path.ends_with(&format!("/secrets/{place}")) && !tried
}

fn into_kubernetes(relay: &Relay) -> Box<dyn Fn(&str) -> String> {
    let url = relay.url.clone();
    Box::new(move |place| {
        format!("address = \"{url}\"\nnamespace = \"mondoo-operator\"\nname = \"{place}\"")
    })
}

fn refused_by_kubernetes() -> (u16, String) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Forbidden", "code": 403,
        "message": "secrets is forbidden: User \"job\" cannot patch resource \"secrets\" in API group \"\"",
    });
    (403, status.to_string())
}

pub fn kubernetes(_: &Stage) -> Store {
    let (cluster, relay) = served(Kubernetes::new());
    Store {
        kind: "kubernetes",
        places: places(),
        sink: into_kubernetes(&relay),
        login: vec![
            ("KUBE_SERVER", relay.url.clone()),
            ("KUBE_TOKEN", ADMIN.to_owned()),
        ],
        options: Vec::new(),
        key: Box::new(move |place| {
            let value = cluster.with(|held| held.value("mondoo-operator", place, "config"));
            value.map(of_base64)
        }),
        versions: None,
        beside: None,
        unreadable: false,
        door: Door::Relay {
            relay,
            writes: writes_to_kubernetes,
            refusal: refused_by_kubernetes(),
        },
    }
}

/// Two keys of one Secret.
pub fn kubernetes_keys(_: &Stage) -> Store {
    let (cluster, relay) = served(Kubernetes::new());
    Store {
        kind: "kubernetes",
        places: places(),
        sink: into_keys(&relay, "both"),
        login: vec![
            ("KUBE_SERVER", relay.url.clone()),
            ("KUBE_TOKEN", ADMIN.to_owned()),
        ],
        options: Vec::new(),
        key: Box::new(move |place| {
            let value = cluster.with(|held| held.value("mondoo-operator", "both", place));
            value.map(of_base64)
        }),
        versions: None,
        beside: None,
        unreadable: false,
        door: Door::None,
    }
}

fn into_keys(relay: &Relay, name: &'static str) -> Box<dyn Fn(&str) -> String> {
    let url = relay.url.clone();
    Box::new(move |place| {
        format!(
            "address = \"{url}\"\nnamespace = \"mondoo-operator\"\nname = \"{name}\"\nkey = \"{place}\""
        )
    })
}

/// A real one, which a script serves. What is there is read by another client.
pub fn real_kubernetes(name: &str) -> Store {
    let authority = PathBuf::from(of_script("KUBE_CA_FILE"));
    let behind = Behind::new(&of_script("KUBE_SERVER"), Some(&authority));
    let relay = Relay::before(behind);
    Store {
        kind: "kubernetes",
        places: places().map(|place| format!("{name}-{place}")),
        sink: into_kubernetes(&relay),
        login: vec![
            ("KUBE_SERVER", relay.url.clone()),
            ("KUBE_TOKEN", of_script("ROLECALL_TEST_KUBE_ADMIN")),
        ],
        options: Vec::new(),
        key: Box::new(|place| Some(read_by_another_client("show", place))),
        versions: None,
        beside: None,
        unreadable: false,
        door: Door::Relay {
            relay,
            writes: writes_to_kubernetes,
            refusal: refused_by_kubernetes(),
        },
    }
}

/// Two keys of the one Secret that the role of the sink's page is for, by who has that role.
pub fn real_kubernetes_by_its_role(_: &Stage) -> Store {
    let store = real_kubernetes("role");
    let Door::Relay { relay, .. } = &store.door else {
        return store;
    };
    Store {
        places: places().map(|place| format!("rotated-{place}")),
        sink: into_keys(relay, "mondoo-client"),
        login: vec![
            ("KUBE_SERVER", relay.url.clone()),
            ("KUBE_TOKEN", of_script("ROLECALL_TEST_KUBE_JOB")),
        ],
        key: Box::new(|place| {
            Some(read_by_another_client(
                "show",
                &format!("mondoo-client/{place}"),
            ))
        }),
        ..store
    }
}

fn refused_by_aws(action: &str) -> (u16, String) {
    let message = format!(
        "User: arn:aws:sts::123456789012:assumed-role/ci/1 is not authorized to perform: {action}"
    );
    let body = json!({"__type": "AccessDeniedException", "Message": message});
    (400, body.to_string())
}

/// A stand-in of AWS, with a relay before it, and who logs in there.
fn amazon(
    stage: &Stage,
    kind: &'static str,
    before: &'static str,
    door: impl FnOnce(Relay) -> Door,
) -> (Store, Arc<Running<Aws>>) {
    let (aws, relay) = served(Aws::by_the_clock());
    let url = relay.url.clone();
    let store = Store {
        kind,
        places: places(),
        sink: Box::new(move |place| {
            format!(
                "endpoint = \"{url}\"\nregion = \"eu-central-1\"\naccount_id = \"123456789012\"\n\
                 name = \"{before}mondoo/{place}\""
            )
        }),
        login: vec![
            ("AWS_ENDPOINT_URL_STS", relay.url.clone()),
            ("AWS_ACCESS_KEY_ID", ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", KEY.to_owned()),
        ],
        options: allowed(stage, &relay.url),
        key: Box::new(|_| None),
        versions: None,
        beside: None,
        unreadable: false,
        door: door(relay),
    };
    (store, aws)
}

pub fn aws_secretsmanager(stage: &Stage) -> Store {
    let (store, aws) = amazon(stage, "aws_secretsmanager", "", |relay| Door::Relay {
        relay,
        writes: |asked, place| {
            let (action, body) = (asked.header("x-amz-target"), asked.text());
            action == "secretsmanager.UpdateSecretVersionStage"
                && body.contains(&format!("mondoo/{place}"))
                && body.contains("AWSCURRENT")
        },
        refusal: refused_by_aws("secretsmanager:UpdateSecretVersionStage"),
    });
    let pending = Arc::clone(&aws);
    Store {
        key: Box::new(move |place| {
            aws.with(|held| held.current(&format!("mondoo/{place}")).map(str::to_owned))
        }),
        beside: Some(Box::new(move || pending.with(|held| held.pending()))),
        ..store
    }
}

pub fn aws_ssm(stage: &Stage) -> Store {
    let (store, aws) = amazon(stage, "aws_ssm", "/", |relay| Door::Relay {
        relay,
        writes: |asked, place| {
            let (action, body) = (asked.header("x-amz-target"), asked.text());
            action == "AmazonSSM.PutParameter" && body.contains(&format!("/mondoo/{place}"))
        },
        refusal: refused_by_aws("ssm:PutParameter"),
    });
    let counted = Arc::clone(&aws);
    let newest = |aws: &Running<Aws>, place: &str| {
        aws.with(|held| held.parameters.newest(&format!("/mondoo/{place}")).cloned())
    };
    Store {
        key: Box::new(move |place| Some(newest(&aws, place)?.value)),
        versions: Some(Box::new(move |place| {
            let number = newest(&counted, place).map_or(0, |held| held.number);
            usize::try_from(number).expect("few")
        })),
        ..store
    }
}

pub fn azure_key_vault(stage: &Stage) -> Store {
    let (azure, relay) = served(Azure::new());
    let (url, counted) = (relay.url.clone(), Arc::clone(&azure));
    let named = |place: &str| format!("mondoo-{place}");
    let refusal = json!({"error": {
        "code": "Forbidden", "message": "Caller is not authorized to perform action on resource.",
        "innererror": {"code": "ForbiddenByRbac"},
    }});
    Store {
        kind: "azure_key_vault",
        places: places(),
        sink: Box::new(move |place| format!("vault = \"{url}\"\nname = \"{}\"", named(place))),
        login: vec![
            ("AZURE_AUTHORITY_HOST", relay.url.clone()),
            ("AZURE_TENANT_ID", TENANT.to_owned()),
            ("AZURE_CLIENT_ID", CLIENT.to_owned()),
            ("AZURE_CLIENT_SECRET", SECRET.to_owned()),
        ],
        options: allowed(stage, &relay.url),
        key: Box::new(move |place| {
            azure.with(|held| Some(held.newest(&named(place))?.value.clone()))
        }),
        versions: Some(Box::new(move |place| {
            counted.with(|held| held.versions(&named(place)).len())
        })),
        beside: None,
        unreadable: false,
        door: Door::Relay {
            relay,
            writes: |asked, place| {
                asked.method == "PUT"
                    && asked
                        .target
                        .starts_with(&format!("/secrets/mondoo-{place}?"))
            },
            refusal: (403, refusal.to_string()),
        },
    }
}

pub fn gcp_secret_manager(stage: &Stage) -> Store {
    let (gcp, relay) = served(Gcp::by_the_clock());
    let named = |place: &str| format!("projects/acme-prod/secrets/mondoo-{place}");
    for place in places() {
        gcp.with(|held| held.make(&named(&place)));
    }
    let login = json!({
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/v1/token", relay.url),
        "credential_source": {"file": stage.path("token")},
    });
    fs::write(stage.path("login.json"), login.to_string()).expect("written");
    fs::write(stage.path("token"), SUBJECT).expect("written");
    let (url, counted) = (relay.url.clone(), Arc::clone(&gcp));
    let refusal = json!({"error": {
        "code": 403, "status": "PERMISSION_DENIED",
        "message": "Permission 'secretmanager.versions.add' denied for resource (or it may not exist).",
    }});
    Store {
        kind: "gcp_secret_manager",
        places: places(),
        sink: Box::new(move |place| {
            format!("address = \"{url}\"\nproject = \"acme-prod\"\nname = \"mondoo-{place}\"")
        }),
        login: vec![(
            "GOOGLE_APPLICATION_CREDENTIALS",
            stage.path("login.json").display().to_string(),
        )],
        options: allowed(stage, &relay.url),
        key: Box::new(move |place| {
            let latest = gcp.with(|held| held.latest(&named(place)));
            latest.map(|value| String::from_utf8(value).expect("a text"))
        }),
        versions: Some(Box::new(move |place| {
            counted.with(|held| held.versions(&named(place)).len())
        })),
        beside: None,
        unreadable: false,
        door: Door::Relay {
            relay,
            writes: |asked, place| {
                let wanted = format!("/secrets/mondoo-{place}:addVersion");
                asked.method == "POST" && asked.target.contains(&wanted)
            },
            refusal: (403, refusal.to_string()),
        },
    }
}

fn variable(place: &str) -> String {
    format!("KEY_{}", place.to_uppercase())
}

pub fn github(_: &Stage) -> Store {
    let (github, relay) = served(Github::by_the_clock());
    let url = relay.url.clone();
    let refusal = json!({
        "message": "Resource not accessible by integration", "status": "403",
        "documentation_url": "https://docs.github.com/rest/actions/secrets",
    });
    Store {
        kind: "github",
        places: places(),
        sink: Box::new(move |place| {
            let name = variable(place);
            format!("address = \"{url}\"\nrepository = \"acme/app\"\nname = \"{name}\"")
        }),
        login: vec![
            ("GITHUB_API_URL", relay.url.clone()),
            ("ROLECALL_GITHUB_TOKEN", github::TOKEN.to_owned()),
        ],
        options: Vec::new(),
        key: Box::new(move |place| {
            let value = github.with(|held| held.value("repos/acme/app/actions", &variable(place)));
            value.map(of_base64)
        }),
        versions: None,
        beside: None,
        unreadable: true,
        door: Door::Relay {
            relay,
            writes: |asked, place| {
                let wanted = format!("/secrets/{}", variable(place));
                asked.method == "PUT" && asked.target.ends_with(&wanted)
            },
            refusal: (403, refusal.to_string()),
        },
    }
}

fn of_gitlab(hidden: bool) -> Store {
    let (gitlab, relay) = served(Gitlab::new());
    let url = relay.url.clone();
    let refusal = json!({"message": "403 Forbidden"});
    Store {
        kind: "gitlab",
        places: places(),
        sink: Box::new(move |place| {
            let name = variable(place);
            let hidden = match hidden {
                true => "\nhidden = true",
                false => "",
            };
            format!("address = \"{url}\"\nproject = \"acme/app\"\nname = \"{name}\"{hidden}")
        }),
        login: vec![
            ("CI_API_V4_URL", format!("{}/api/v4", relay.url)),
            ("ROLECALL_GITLAB_TOKEN", gitlab::TOKEN.to_owned()),
        ],
        options: Vec::new(),
        key: Box::new(move |place| {
            let kept = gitlab.with(|held| {
                let kept = held.variable("projects/acme/app", &variable(place), "*");
                kept.cloned()
            });
            kept.map(|kept| of_base64(kept.value))
        }),
        versions: None,
        beside: None,
        unreadable: hidden,
        door: Door::Relay {
            relay,
            writes: |asked, place| {
                let path = asked.target.split('?').next().unwrap_or_default();
                asked.method == "PUT" && path.ends_with(&format!("/variables/{}", variable(place)))
            },
            refusal: (403, refusal.to_string()),
        },
    }
}

pub fn gitlab(_: &Stage) -> Store {
    of_gitlab(false)
}

pub fn gitlab_hidden(_: &Stage) -> Store {
    of_gitlab(true)
}

/// What the program does before it writes: it refuses, or writes and says so to a file instead of to rolecall.
const THEN: &str = r#"[ ! -e "$place.refuse" ] || exit 10
  if [ -e "$place.hold" ]; then
    part value | tr -d '\n' > "$place"
    touch "$place.held"
    while [ -e "$place.hold" ]; do sleep 0.05; done
    exit 10
  fi"#;

pub fn exec(stage: &Stage) -> Store {
    let folder = stage.path("kept/credentials");
    fs::create_dir_all(&folder).expect("made");
    let text = exec::PROGRAM
        .replace("FOLDER", folder.to_str().expect("text"))
        .replace("THEN", THEN);
    let program = stage.path("store-key");
    exec::put(&program, &text);
    let at = folder.clone();
    let path = std::env::var_os("PATH").expect("is set");
    Store {
        kind: "exec",
        places: places(),
        sink: Box::new(|place| {
            format!(
                "program = \"store-key\"\narguments = [\"{place}\"]\nabilities = [\"read_back\"]"
            )
        }),
        login: vec![("PATH", path.into_string().expect("text"))],
        options: vec![format!("--allow-exec=store-key={}", program.display())],
        key: Box::new(move |place| {
            // As JSON writes a text.
            let kept = fs::read_to_string(at.join(place)).ok()?;
            serde_json::from_str(&format!("\"{kept}\"")).ok()
        }),
        versions: None,
        beside: None,
        unreadable: false,
        door: Door::Program(folder),
    }
}

/// The program that the sink's page shows, which stages; it has no door.
pub fn exec_by_the_page(stage: &Stage) -> Store {
    let program = fs::canonicalize("tests/services/exec/store-key").expect("is there");
    let at = stage.path("keys");
    let store = exec(stage);
    Store {
        sink: Box::new(|place| {
            format!(
                "program = \"store-key\"\narguments = [\"{place}\"]\n\
                 abilities = [\"read_back\", \"stage\", \"compare_and_swap\"]"
            )
        }),
        options: vec![format!("--allow-exec=store-key={}", program.display())],
        key: Box::new(move |place| fs::read_to_string(at.join(place)).ok()),
        door: Door::None,
        ..store
    }
}
