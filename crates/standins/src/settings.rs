//! Settings of repositories at GitHub: what protects environments, and the rules of branches.
//! Source: GitHub's OpenAPI description of its REST API (`@octokit/openapi`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// What is set of repositories. Keys are `owner/name`, and the names of environments.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// From which branches an environment deploys; one that is not here deploys from all.
    pub branches: BTreeMap<(String, String), Vec<String>>,
    /// Environments that ask somebody, who may not be the one who started it.
    pub reviewers: BTreeSet<(String, String)>,
    /// The rules of all branches of a repository, as rulesets give them.
    pub rules: BTreeMap<String, Value>,
}

impl Settings {
    /// What is told of an environment besides its name.
    pub fn protection(&self, repository: &str, environment: &str) -> Value {
        let key = (repository.to_owned(), environment.to_owned());
        let mut rules = Vec::new();
        if self.reviewers.contains(&key) {
            rules.push(json!({
                "id": 3755, "node_id": "MDQ6R2F0ZTM3NTU=", "type": "required_reviewers", "prevent_self_review": true,
                "reviewers": [{"type": "User", "reviewer": {"login": "ben", "id": 2}}],
            }));
        }
        let limited = self.branches.contains_key(&key);
        if limited {
            rules.push(json!({"id": 3756, "node_id": "MDQ6R2F0ZTM3NTY=", "type": "branch_policy"}));
        }
        let policy = json!({"protected_branches": false, "custom_branch_policies": true});
        json!({
            "protection_rules": rules,
            "deployment_branch_policy": if limited { policy } else { Value::Null },
        })
    }

    /// The branches of an environment, as they are listed.
    pub fn listed(&self, repository: &str, environment: &str) -> Value {
        let key = (repository.to_owned(), environment.to_owned());
        let names = self.branches.get(&key).cloned().unwrap_or_default();
        let all: Vec<Value> = (names.iter().enumerate())
            .map(|(n, name)| json!({"id": 361_471 + n, "node_id": "MDE2", "name": name, "type": "branch"}))
            .collect();
        json!({"total_count": all.len(), "branch_policies": all})
    }
}
