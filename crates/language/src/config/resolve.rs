//! A module and the values of its variables to what is desired.
//! Pure.

use super::accounts::{Instance, Parts};
use super::block::Block;
use super::checks;
use super::decode::Decoder;
use super::law::Ledger;
use super::parse::{self, Module, module_scope};
use super::policies::{self, Policy};
use super::scopes::{self, Scopes};
use super::sealing::{KeySpans, Sealing};
use super::sinks::DeclaredSinks;
use super::variables::{self, Input};
use super::{codes, imports, instances, moves, names, roles, settings, sinks};
use crate::diag::{Diagnostic, Diagnostics, SourceMap};
use crate::lang::Frame;
use crate::model::{
    Desired, EndpointAssertion, Limits, Meant, PolicyOrigin, Queries, Removed, SealKeys, StackId,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a configuration comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// All that it wants.
    pub desired: Desired,
    /// What must be read from the platform.
    pub queries: Queries,
    /// What every account must keep to; [`Desired::policies`] names them.
    pub policies: Vec<Policy>,
    /// Its sinks, to be asked for places of accounts that are live.
    pub sinks: DeclaredSinks,
    /// What is worth a look.
    pub warnings: Diagnostics,
}

/// Evaluates a module with the values of its variables, the later inputs winning.
///
/// The texts of the inputs are added to `sources`, so that findings can show them.
///
/// # Errors
/// Everything that is wrong, ordered by place.
pub fn resolve(
    module: &Module,
    sources: &mut SourceMap,
    inputs: &[Input],
) -> Result<Resolved, Diagnostics> {
    let (made, found) = run(module, sources, inputs, false);
    let Some(stack) = made.stack.filter(|_| !found.has_errors()) else {
        return Err(found);
    };
    let mut desired = BTreeMap::new();
    for instance in made.instances {
        desired.insert(instance.account.address.clone(), instance.account);
    }
    let desired = Desired {
        stack,
        seal_keys: made.seal_keys,
        trusted_creators: made.trusted_creators,
        endpoint: made.endpoint,
        limits: made.limits,
        policies: made.policies.iter().map(Policy::reference).collect(),
        organizations: made.scopes.organizations,
        spaces: made.scopes.spaces,
        accounts: desired,
        removed: made.removed,
        unmanaged: made.scopes.unmanaged,
        // Which live accounts it is about is known once they were read.
        elsewhere: BTreeMap::new(),
        meant: Meant::default(),
    };
    let queries = queries(&desired);
    Ok(Resolved {
        desired,
        queries,
        policies: made.policies,
        sinks: made.sinks,
        warnings: found,
    })
}

/// Checks a module without asking for values: variables that are not set are unknown, and only
/// types are checked then. Returns the warnings.
///
/// # Errors
/// Everything that is wrong, ordered by place.
pub fn validate(
    module: &Module,
    sources: &mut SourceMap,
    inputs: &[Input],
) -> Result<Diagnostics, Diagnostics> {
    let (_, found) = run(module, sources, inputs, true);
    if found.has_errors() {
        Err(found)
    } else {
        Ok(found)
    }
}

/// Gives what a module says of its seal keys, which hang on no variable.
///
/// # Errors
/// Everything that is wrong with the module, ordered by place.
pub fn sealing(
    module: &Module,
    sources: &mut SourceMap,
    inputs: &[Input],
) -> Result<Sealing, Diagnostics> {
    let (made, found) = run(module, sources, inputs, true);
    if found.has_errors() {
        return Err(found);
    }
    Ok(Sealing {
        stack: made.stack,
        keys: made.seal_keys,
        place: module.of("rolecall").next().and_then(KeySpans::of),
    })
}

/// What can be known of a module of which something may be wrong: whose accounts are its own, and where they
/// may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Salvaged {
    /// Stack, seal keys, scopes and accounts, as far as they could be made.
    pub desired: Desired,
    /// What can be read of the platform by that.
    pub queries: Queries,
}

/// Gives what a module says of its stack, its seal keys, its scopes and its accounts, whatever else is wrong
/// with it: for who has no time to put it right first. Nothing may be taken for absent by that.
///
/// # Errors
/// Everything that is wrong with the module, ordered by place, if not even its stack and keys can be known.
pub fn salvage(
    module: &Module,
    sources: &mut SourceMap,
    inputs: &[Input],
) -> Result<Salvaged, Diagnostics> {
    let (made, found) = run(module, sources, inputs, true);
    let Some(stack) = made.stack else {
        return Err(found);
    };
    let accounts = made.instances.into_iter().map(|instance| instance.account);
    let desired = Desired {
        seal_keys: made.seal_keys,
        trusted_creators: made.trusted_creators,
        endpoint: made.endpoint,
        limits: made.limits,
        organizations: made.scopes.organizations,
        spaces: made.scopes.spaces,
        accounts: accounts.map(|one| (one.address.clone(), one)).collect(),
        ..Desired::nothing(stack)
    };
    let queries = queries(&desired);
    Ok(Salvaged { desired, queries })
}

/// What could be made, whatever else is wrong.
#[derive(Default)]
struct Made {
    stack: Option<StackId>,
    seal_keys: Option<SealKeys>,
    trusted_creators: Vec<String>,
    endpoint: Option<EndpointAssertion>,
    limits: Limits,
    policies: Vec<Policy>,
    sinks: DeclaredSinks,
    scopes: Scopes,
    instances: Vec<Instance>,
    removed: Vec<Removed>,
}

fn run(
    module: &Module,
    sources: &mut SourceMap,
    inputs: &[Input],
    lenient: bool,
) -> (Made, Diagnostics) {
    let mut out = module.found.clone();
    let all = |kind| module.of(kind).collect::<Vec<_>>();
    let mut ledger = Ledger::default();
    let variables = all("variable");
    let declared: BTreeSet<&str> = variables.iter().map(|block| block.name()).collect();
    let declared = module.complete.then_some(&declared);
    let open: BTreeSet<&str> = variables
        .iter()
        .filter(|block| variables::is_open(block))
        .map(|block| block.name())
        .collect();
    let given = variables::read(declared, &open, inputs, sources, &mut out);

    let mut decoder = Decoder::new(sources, lenient);
    let mut scope = module_scope(module);
    parse::check_blocks(module, &mut out);
    parse::check_names(module, &scope, &mut out);
    variables::assign(&variables, &given, &mut decoder, &mut scope);
    let scopes = scopes::evaluate(module, &mut scope, &mut decoder, &mut out);
    variables::validate(&variables, &scope, &mut decoder, &mut ledger);
    let mut made = Made {
        scopes,
        ..Made::default()
    };

    for block in module.of("rolecall") {
        if let Ok(settings) = settings::rolecall(block, &scope, &mut decoder) {
            made.stack = settings.stack;
            made.seal_keys = settings.seal_keys;
            made.trusted_creators = settings.trusted_creators;
        }
        ledger.expect_known(made.stack.is_some(), block.span, || "the stack".to_owned());
    }
    for block in module.of("platform") {
        made.endpoint = settings::platform(block, &scope, &mut decoder).unwrap_or(None);
        let there = made.endpoint.is_some();
        ledger.expect_known(there, block.span, || "what the platform must be".to_owned());
    }
    for block in module.of("limits") {
        let limits = settings::limits(block, Limits::default(), &scope, &mut decoder);
        ledger.expect(limits.is_ok(), block.span, || {
            "what the limits are".to_owned()
        });
        made.limits = limits.unwrap_or_default();
    }
    let sinks = sinks::blocks(&all("sink"), &scope, &mut decoder);
    let roles = roles::blocks(&all("role"), &scope, &mut decoder, &mut out);
    roles.fill(&all("role"), &mut scope);
    made.sinks = DeclaredSinks::of(&sinks, &scope, decoder.sources);
    let (imports, imports_incomplete) = imports::blocks(&all("import"), &scope, &mut decoder);
    let parts = Parts {
        roles: &roles,
        sinks: &sinks,
        scopes: &made.scopes.by_address,
        imports: &imports,
        imports_incomplete: imports_incomplete || !module.complete,
    };
    let mut complete = BTreeSet::new();
    let mut instances = Vec::new();
    for block in module.of("service_account") {
        let errors = decoder.evaluator.error_count();
        let before = instances.len();
        let result = instances::make(block, &scope, &parts, &mut decoder, &mut instances);
        if result.is_ok() && decoder.evaluator.error_count() == errors {
            complete.insert(block.name());
        }
        let what = || format!("service account `{}`", block.name());
        ledger.expect(result.is_ok(), block.span, what);
        let there = result.is_ok_and(|wanted| instances.len() - before == wanted);
        ledger.expect_known(there, block.span, || format!("one of {}", what()));
    }
    let blocks = all("service_account");
    instances::fill(&blocks, &instances, &complete, lenient, &mut scope);
    let (moves, moves_incomplete) = moves::moves(&all("moved"), &mut decoder);
    let removals = moves::removals(&all("removed"), &moves, &scope, &mut decoder);
    for instance in &mut instances {
        instance.account.formerly = moves::formers(&instance.account.address, &moves);
    }
    // Only blocks that made all their instances say what is not declared.
    let whole = complete.len() == all("service_account").len();
    let origin = PolicyOrigin::Configuration;
    let blameless = module.complete && !out.has_errors();
    let policies = all("policy");
    made.policies = policies::blocks(&policies, origin, &scope, blameless, &mut decoder);
    let whole_lists = [
        ("import", imports.len()),
        ("moved", moves.len()),
        ("removed", removals.len()),
        ("policy", made.policies.len()),
    ];
    for (kind, count) in whole_lists {
        let blocks = all(kind);
        if let Some(block) = blocks.first() {
            let there = count == blocks.len();
            ledger.expect_known(there, block.span, || format!("one of the `{kind}` blocks"));
        }
    }
    for block in all("sink") {
        let there = sinks.contains_key(&format!("sink.{}", block.labels.join(".")));
        ledger.expect_known(there, block.span, || format!("sink `{}`", block.name()));
    }
    expect_values(module, &scope, &made.scopes, &mut ledger);
    for block in &module.blocks {
        let kind = block.schema.kind;
        if ELSEWHERE.contains(&kind) {
            let what = format!("a `{kind}` block in a configuration");
            out.push(Diagnostic::error(codes::NOT_THE_CONFIGURATIONS).at(block.span, what));
        }
        ledger.expect(MADE.contains(&kind), block.span, || {
            format!("a `{kind}` block")
        });
    }
    out.extend(decoder.evaluator.take_diagnostics());
    checks::duplicates(&instances, &mut out);
    names::check(&instances, &mut out);
    if !lenient && module.complete {
        let declared = all("service_account")
            .iter()
            .map(|block| block.name())
            .collect();
        checks::imports(&imports, &instances, &declared, &complete, &mut out);
        if whole && !moves_incomplete {
            let blocks = all("service_account");
            let blocks = blocks.iter().map(|block| block.name()).collect();
            moves::check(&moves, &removals, &instances, &blocks, &mut out);
        }
    }
    made.removed = removals.into_iter().map(|r| r.removed).collect();
    // What is wrong may be the very use of a role.
    if !out.has_errors() {
        parse::unused_roles(module, &mut out);
    }
    // Where `validate` is not told everything, what is made of the rest may be missing.
    let told = |block: &&Block| {
        scope
            .value("var", block.name())
            .is_some_and(|v| !v.has_unknown())
    };
    if module.complete {
        ledger.close(!lenient || variables.iter().all(told), &mut out);
    }
    out.sort();
    made.instances = instances;
    (made, out)
}

/// The blocks of which something is made here; any other would be taken and lost.
const MADE: [&str; 14] = [
    "rolecall",
    "platform",
    "limits",
    "policy",
    "variable",
    "locals",
    "organization",
    "space",
    "role",
    "sink",
    "service_account",
    "import",
    "moved",
    "removed",
];

/// The blocks that are a policy directory's alone, and refused here.
const ELSEWHERE: [&str; 1] = ["destinations"];

/// Notes which names have no value, and which `unmanaged` blocks say nothing.
fn expect_values(module: &Module, scope: &Frame<'_>, scopes: &Scopes, ledger: &mut Ledger) {
    for (root, kind) in [
        ("var", "variable"),
        ("organization", "organization"),
        ("space", "space"),
        ("role", "role"),
    ] {
        for block in module.of(kind) {
            let name = block.name();
            let there = scope.value(root, name).is_some();
            ledger.expect(there, block.span, || format!("`{root}.{name}`"));
            let Some(inner) = block.inner("unmanaged") else {
                continue;
            };
            let address = scopes.by_address.get(&format!("{root}.{name}"));
            let there = address.is_some_and(|scope| scopes.unmanaged.contains_key(scope));
            ledger.expect_known(there, inner.span, || {
                format!("`unmanaged` of `{root}.{name}`")
            });
        }
    }
    for block in module.of("locals") {
        for (name, attribute) in &block.attributes {
            let there = scope.value("local", name).is_some();
            ledger.expect(there, attribute.span, || format!("`local.{name}`"));
        }
    }
}

fn queries(desired: &Desired) -> Queries {
    Queries {
        organizations: desired
            .organizations
            .values()
            .map(|org| org.id.clone())
            .collect(),
        spaces: desired
            .spaces
            .values()
            .map(|space| (space.id.clone(), space.organization.clone()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::grammar::BLOCKS;

    #[test]
    fn something_is_made_of_every_block_of_the_grammar() {
        let known: Vec<&str> = BLOCKS.iter().map(|schema| schema.kind).collect();
        let elsewhere = |kind: &&str| ELSEWHERE.contains(kind);
        let (elsewhere, here): (Vec<_>, Vec<_>) = known.into_iter().partition(elsewhere);
        assert_eq!(here, MADE);
        assert_eq!(elsewhere, ELSEWHERE);
    }
}
