//! What goes wrong on purpose: which call meets which fault.
//!
//! Pure: time and randomness are arguments, and nothing is done here. The same rules, seed and
//! order of calls give the same faults. The doing is the socket shell's.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::{
    Name, Positioned, Value, Variables,
    parser::types::{DocumentOperations, ExecutableDocument, Field, Selection, SelectionSet},
};
use serde::Deserialize;

use super::{document, exchange::Request};

/// The operations that change who has which role.
const ROLE_WRITES: [&str; 2] = ["setRoles", "setRole"];

/// Rules, in order. Reads from JSON.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// The rules; the first that strikes decides.
    pub rules: Vec<Rule>,
}

/// One rule: which calls, and what happens to them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A root field of GraphQL (`setRoles`), an RPC method (`AgentManager/PingPong` or
    /// `PingPong`), or `*` for every call.
    pub operation: String,
    /// The first matching call that is struck, counted from 1.
    #[serde(default = "one")]
    pub from: u64,
    /// How many matching calls from there on may be struck; all if absent.
    #[serde(default)]
    pub count: Option<u64>,
    /// How likely each of them is struck, from 0 to 1; certainly if absent.
    #[serde(default)]
    pub probability: Option<f64>,
    /// What happens.
    pub fault: Fault,
}

fn one() -> u64 {
    1
}

/// What may happen to a call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The connection is cut before anything happened.
    Refuse,
    /// The call has its effect, and the connection is cut instead of an answer.
    LoseAnswer,
    /// The call has its effect, and the connection is cut in the middle of the answer.
    Truncate,
    /// The call is executed twice; the second answer is given.
    Duplicate,
    /// `rpc error: code = Aborted`; nothing happened.
    Abort,
    /// The call begins later. Later rules may strike it as well.
    Delay {
        /// How much later.
        ms: u64,
    },
    /// 429; nothing happened.
    TooMany {
        /// The `Retry-After` header; none if absent.
        #[serde(default)]
        retry_after_s: Option<u32>,
    },
    /// A server error.
    Status {
        /// The HTTP status, from 500 to 599.
        code: u16,
        /// Whether the call has its effect before the error.
        #[serde(default)]
        after_effect: bool,
    },
    /// Nothing is ever answered; the connection stays open until the caller is gone.
    Hang {
        /// Whether the call has its effect first.
        #[serde(default)]
        after_effect: bool,
    },
    /// A read is answered as of an earlier moment. Writes are not changed by it.
    StaleRead {
        /// How much earlier.
        ms: u64,
    },
}

/// A call that hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hanging {
    /// What it asks for.
    pub operations: Vec<String>,
    /// Whether it may write.
    pub writes: bool,
    /// Whether it had its effect.
    pub done: bool,
}

/// What was decided about one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How long the call waits first.
    pub delay_ms: u64,
    /// What happens to it, if anything.
    pub fault: Option<Fault>,
}

impl Faults {
    /// Reads and checks rules; says what is wrong with them.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        let faults: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        for (index, rule) in faults.rules.iter().enumerate() {
            let wrong = |what: &str| Err(format!("rule {}: {what}", index + 1));
            if rule.operation.is_empty() {
                return wrong("operation must not be empty; \"*\" is every call");
            }
            if rule.from == 0 {
                return wrong("from counts from 1");
            }
            if rule
                .probability
                .is_some_and(|likely| !(0.0..=1.0).contains(&likely))
            {
                return wrong("probability lies from 0 to 1");
            }
            if let Fault::Status { code, .. } = rule.fault
                && !(500..=599).contains(&code)
            {
                return wrong("code lies from 500 to 599");
            }
        }
        Ok(faults)
    }

    /// How far back reads must be able to look.
    pub fn history_ms(&self) -> u64 {
        let staleness = |rule: &Rule| match rule.fault {
            Fault::StaleRead { ms } => ms,
            _ => 0,
        };
        self.rules.iter().map(staleness).max().unwrap_or(0)
    }
}

/// Rules at work: they count the calls.
#[derive(Clone, Debug)]
pub struct Fate {
    rules: Vec<(Rule, u64)>,
    seed: u64,
}

impl Fate {
    /// Starts counting.
    pub fn new(faults: Faults, seed: u64) -> Self {
        let rules = faults.rules.into_iter().map(|rule| (rule, 0)).collect();
        Self { rules, seed }
    }

    /// Whether anything may go wrong at all.
    pub fn strikes(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Decides about a call that asks for operations. Every rule that matches counts it, whether
    /// or not an earlier rule strikes.
    pub fn decide(&mut self, operations: &[String]) -> Verdict {
        let mut verdict = Verdict::default();
        for (index, (rule, seen)) in (0_u64..).zip(&mut self.rules) {
            if !operations.iter().any(|name| matches(&rule.operation, name)) {
                continue;
            }
            *seen += 1;
            let past = seen.saturating_sub(rule.from);
            let due = *seen >= rule.from && rule.count.is_none_or(|count| past < count);
            let likely = rule
                .probability
                .is_none_or(|likely| draw(self.seed, index, *seen) < likely);
            if !due || !likely || verdict.fault.is_some() {
                continue;
            }
            match rule.fault {
                Fault::Delay { ms } => verdict.delay_ms = verdict.delay_ms.saturating_add(ms),
                ref fault => verdict.fault = Some(fault.clone()),
            }
        }
        verdict
    }
}

fn matches(pattern: &str, operation: &str) -> bool {
    let method = operation.rsplit('/').next();
    pattern == "*" || pattern == operation || method == Some(pattern)
}

/// A number from 0 up to 1 that follows from the seed, the rule and the call (splitmix64), so
/// that calls which other rules count do not change it.
fn draw(seed: u64, rule: u64, call: u64) -> f64 {
    let mix = |mut z: u64| {
        z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let bits = mix(mix(mix(seed) ^ rule) ^ call);
    // 53 bits are what a float holds exactly.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let fraction = (bits >> 11) as f64 / (1_u64 << 53) as f64;
    fraction
}

/// At most so many calls in each second.
#[derive(Clone, Debug)]
pub struct Rate {
    per_second: u32,
    second: i64,
    used: u32,
}

impl Rate {
    /// A limit.
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second,
            second: i64::MIN,
            used: 0,
        }
    }

    /// Lets a call at a time (Unix seconds) pass, or says how many seconds to wait.
    pub fn admit(&mut self, second: i64) -> Result<(), u32> {
        if second > self.second {
            self.second = second;
            self.used = 0;
        }
        if self.used < self.per_second {
            self.used += 1;
            Ok(())
        } else {
            Err(1)
        }
    }
}

/// What a call asks for, as far as faults are concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Root fields of the GraphQL operation, or the path of an RPC without its first slash.
    pub operations: Vec<String>,
    /// The key of the first root field in the answer.
    pub key: Option<String>,
    /// Whether it may write.
    pub writes: bool,
    /// The scopes whose roles it changes.
    pub role_scopes: BTreeSet<String>,
}

impl Asked {
    /// What a call asks for that cannot be read, or that nobody may know: only `*` matches it.
    pub(crate) fn nothing() -> Self {
        Self {
            operations: vec![String::new()],
            ..Self::default()
        }
    }

    /// A call that is no GraphQL: its path says what it asks for.
    pub(crate) fn of_path(path: &str) -> Self {
        Self {
            operations: vec![path.trim_start_matches('/').to_owned()],
            writes: true,
            ..Self::default()
        }
    }

    /// Looks into the body of a GraphQL request whose sender is known. What cannot be read asks for
    /// nothing.
    pub(crate) fn of_query(body: &[u8]) -> Self {
        let Ok(request) = Request::parse(body) else {
            return Self::nothing();
        };
        if document::check_variables(&request.variables).is_err() {
            return Self::nothing();
        }
        let Ok(document) = document::read(&request.query) else {
            return Self::nothing();
        };
        Self::of_document(&document, request).unwrap_or_else(Self::nothing)
    }

    fn of_document(document: &ExecutableDocument, request: Request) -> Option<Self> {
        let operation = match (&document.operations, request.operation_name.as_deref()) {
            (DocumentOperations::Single(operation), _) => operation,
            (DocumentOperations::Multiple(all), Some(name)) => all.get(name)?,
            (DocumentOperations::Multiple(all), None) => all.values().next()?,
        };
        let operation = &operation.node;
        let mut variables: BTreeMap<Name, Value> = operation
            .variable_definitions
            .iter()
            .filter_map(|definition| {
                let definition = &definition.node;
                let value = definition.default_value.as_ref()?;
                Some((definition.name.node.clone(), value.node.clone()))
            })
            .collect();
        for (name, value) in Variables::from_json(request.variables).iter() {
            variables.insert(name.clone(), value.clone());
        }
        let mut fields = Vec::new();
        root_fields(document, &operation.selection_set.node, 0, &mut fields);
        let first = fields.first()?;
        let key = first.alias.as_ref().unwrap_or(&first.name).node.to_string();
        let mut role_scopes = BTreeSet::new();
        for field in &fields {
            if ROLE_WRITES.contains(&field.name.node.as_str()) {
                role_scopes.extend(scope_of(field, &variables));
            }
        }
        Some(Self {
            operations: fields.iter().map(|f| f.name.node.to_string()).collect(),
            key: Some(key),
            writes: operation.ty != async_graphql::parser::types::OperationType::Query,
            role_scopes,
        })
    }
}

/// The fields of the root, through fragments. Fragments that contain themselves end soon; whoever
/// sends them is refused elsewhere.
fn root_fields<'a>(
    document: &'a ExecutableDocument,
    set: &'a SelectionSet,
    depth: u8,
    fields: &mut Vec<&'a Field>,
) {
    if depth > 4 {
        return;
    }
    for Positioned { node, .. } in &set.items {
        match node {
            Selection::Field(field) => fields.push(&field.node),
            Selection::InlineFragment(inner) => {
                root_fields(document, &inner.node.selection_set.node, depth + 1, fields);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(inner) = document.fragments.get(&spread.node.fragment_name.node) {
                    root_fields(document, &inner.node.selection_set.node, depth + 1, fields);
                }
            }
        }
    }
}

fn scope_of(field: &Field, variables: &BTreeMap<Name, Value>) -> Option<String> {
    let input = field.get_argument("input")?.node.clone();
    let input = input
        .into_const_with(|name| variables.get(&name).cloned().ok_or(()))
        .ok()?;
    match input {
        Value::Object(object) => match object.get("scopeMrn") {
            Some(Value::String(mrn)) => Some(mrn.clone()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fate(rules: serde_json::Value, seed: u64) -> Fate {
        let json = json!({ "rules": rules }).to_string();
        Fate::new(Faults::from_json(json.as_bytes()).expect("rules"), seed)
    }

    fn run(fate: &mut Fate, operation: &str, calls: usize) -> Vec<Verdict> {
        (0..calls)
            .map(|_| fate.decide(&[operation.to_owned()]))
            .collect()
    }

    fn struck(fate: &mut Fate, operation: &str, calls: usize) -> Vec<bool> {
        run(fate, operation, calls)
            .iter()
            .map(|verdict| verdict.fault.is_some())
            .collect()
    }

    #[test]
    fn a_rule_strikes_from_its_call_as_often_as_it_says() {
        let rules = json!([{ "operation": "setRoles", "from": 2, "count": 2, "fault": "abort" }]);
        let mut fate = fate(rules, 0);
        assert_eq!(struck(&mut fate, "getRoles", 3), [false; 3]);
        let expected = [false, true, true, false, false];
        assert_eq!(struck(&mut fate, "setRoles", 5), expected);
    }

    #[test]
    fn the_first_rule_decides_delays_add_up_and_all_rules_count() {
        let rules = json!([
            { "operation": "*", "fault": { "delay": { "ms": 5 } } },
            { "operation": "x", "count": 1, "fault": "refuse" },
            { "operation": "x", "from": 2, "count": 1, "fault": "truncate" },
            { "operation": "x", "from": 3, "fault": { "delay": { "ms": 7 } } },
        ]);
        let verdict = |delay_ms, fault| Verdict { delay_ms, fault };
        assert_eq!(
            run(&mut fate(rules, 0), "x", 3),
            [
                verdict(5, Some(Fault::Refuse)),
                verdict(5, Some(Fault::Truncate)),
                verdict(12, None),
            ]
        );
    }

    #[test]
    fn chance_follows_the_seed_and_keeps_its_share() {
        let rules = json!([{ "operation": "*", "probability": 0.3, "fault": "refuse" }]);
        let first = struck(&mut fate(rules.clone(), 7), "x", 2000);
        assert_eq!(first, struck(&mut fate(rules.clone(), 7), "x", 2000));
        assert_ne!(first, struck(&mut fate(rules, 8), "x", 2000));
        let share = first.iter().filter(|hit| **hit).count();
        assert!((500..700).contains(&share), "{share} of 2000 at 0.3");
        for (likely, expected) in [(0.0, false), (1.0, true)] {
            let rules = json!([{ "operation": "*", "probability": likely, "fault": "refuse" }]);
            assert_eq!(struck(&mut fate(rules, 1), "x", 100), [expected; 100]);
        }
    }

    #[test]
    fn rpc_methods_match_with_and_without_their_service() {
        for (pattern, expected) in [
            ("AgentManager/PingPong", true),
            ("PingPong", true),
            ("AgentManager", false),
            ("Pong", false),
            ("*", true),
        ] {
            let rules = json!([{ "operation": pattern, "fault": "refuse" }]);
            let hit = struck(&mut fate(rules, 0), "AgentManager/PingPong", 1);
            assert_eq!(hit, [expected], "{pattern}");
        }
    }

    #[test]
    fn wrong_rules_are_refused_with_their_number() {
        for (rules, expected) in [
            (r#"{"rules": [], "seed": 1}"#, "unknown field `seed`"),
            (
                r#"{"rules": [{"operation": "x", "fault": "abort", "often": 1}]}"#,
                "unknown field `often`",
            ),
            (
                r#"{"rules": [{"operation": "x", "fault": "explode"}]}"#,
                "unknown variant `explode`",
            ),
            (
                r#"{"rules": [{"operation": "x", "fault": {"delay": {"s": 1}}}]}"#,
                "unknown field `s`",
            ),
            (
                r#"{"rules": [{"operation": "x", "from": 0, "fault": "abort"}]}"#,
                "rule 1: from",
            ),
            (
                r#"{"rules": [{"operation": "", "fault": "abort"}]}"#,
                "rule 1: operation",
            ),
            (
                r#"{"rules": [{"operation": "x", "probability": 1.5, "fault": "abort"}]}"#,
                "rule 1: probability",
            ),
            (
                r#"{"rules": [{"operation": "x", "fault": {"status": {"code": 200}}}]}"#,
                "rule 1: code",
            ),
        ] {
            let error = Faults::from_json(rules.as_bytes()).expect_err(rules);
            assert!(error.contains(expected), "{rules}: {error}");
        }
    }

    #[test]
    fn a_rate_counts_each_second_anew_and_time_does_not_run_back() {
        let mut rate = Rate::new(2);
        let seconds = [10, 10, 10, 11, 10, 11, 12];
        let admitted = seconds.map(|second| rate.admit(second).is_ok());
        assert_eq!(admitted, [true, true, false, true, true, false, true]);
        assert_eq!(rate.admit(12), Ok(()));
        assert_eq!(rate.admit(12), Err(1), "a second of waiting is enough");
    }

    #[test]
    fn a_call_is_known_by_its_root_fields() {
        let asked = |query: &str, variables: serde_json::Value, name: Option<&str>| {
            let body = json!({ "query": query, "variables": variables, "operationName": name });
            Asked::of_query(body.to_string().as_bytes())
        };
        let read = asked(
            "query{a: viewer{mrn} ...F} fragment F on Query{b: space(mrn: \"x\"){mrn}}",
            json!({}),
            None,
        );
        assert_eq!(read.operations, ["viewer", "space"]);
        assert_eq!((read.key.as_deref(), read.writes), (Some("a"), false));

        let by_variable = asked(
            "query A{viewer{mrn}} mutation B($i: SetRolesInput!){setRoles(input: $i){mrns}}",
            json!({ "i": { "scopeMrn": "s1" } }),
            Some("B"),
        );
        assert_eq!(by_variable.operations, ["setRoles"]);
        assert!(by_variable.writes);
        assert_eq!(by_variable.role_scopes, ["s1".to_owned()].into());
        let two = asked(
            "mutation($s: String = \"s2\"){a: setRoles(input: {scopeMrn: $s}){mrns} \
             b: setRoles(input: {scopeMrn: \"s3\"}){mrns}}",
            json!({}),
            None,
        );
        assert_eq!(two.role_scopes, ["s2".to_owned(), "s3".to_owned()].into());

        let rpc = Asked::of_path("/AgentManager/PingPong");
        assert_eq!(rpc.operations, ["AgentManager/PingPong"]);
        assert_eq!(Asked::of_query(b"nonsense"), Asked::nothing());
    }

    #[test]
    fn a_call_beyond_the_bounds_asks_for_nothing() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        let mut doubled = "{...F0}".to_owned();
        for i in 0..28 {
            doubled += &format!(" fragment F{i} on Query {{...F{j} ...F{j}}}", j = i + 1);
        }
        doubled += " fragment F28 on Query {viewer{mrn}}";
        for (query, variables) in [
            (format!("{{space(mrn:{}){{mrn}}}}", deep(2_000)), json!({})),
            (doubled, json!({})),
            (
                "query($a: [Int]){viewer{mrn}}".to_owned(),
                serde_json::from_str(&format!("{{\"a\":{}}}", deep(70))).expect("JSON"),
            ),
        ] {
            let body = json!({ "query": query, "variables": variables }).to_string();
            assert_eq!(Asked::of_query(body.as_bytes()), Asked::nothing(), "{body}");
        }
    }
}
