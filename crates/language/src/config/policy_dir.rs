//! The policies, limits and destinations that somebody else keeps beside the configuration.
//! Pure. Nothing of the configuration reaches them: they have no variables, locals or references.

use super::decode::Decoder;
use super::parse::{self, SourceFile, module_scope};
use super::policies::{self, Policy};
use super::{codes, settings};
use crate::diag::{Diagnostic, Diagnostics, SourceMap};
use crate::lang::Names;
use crate::model::{Limits, Origin, PolicyOrigin, SourceRef};

/// What a policy directory holds.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyDir {
    /// Its policies, by name.
    pub policies: Vec<Policy>,
    /// Its limits; what it does not say forbids nothing.
    pub limits: Limits,
    /// Where logins of sinks may go besides where they came from.
    pub destinations: Option<Destinations>,
    /// What is worth a look.
    pub warnings: Diagnostics,
    /// Whether there is any block in it.
    pub empty: bool,
}

/// What the `destinations` block of a policy directory says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destinations {
    /// The servers that a login of a sink may be sent to, wherever it came from.
    pub allow: Vec<Origin>,
    /// The block.
    pub declared_at: SourceRef,
}

/// Reads the files of a policy directory. Only `policy`, `limits` and `destinations` blocks may stand
/// there.
pub fn policy_dir(files: Vec<SourceFile>) -> (SourceMap, Result<PolicyDir, Diagnostics>) {
    let (sources, module) = parse::parse(files);
    let mut out = module.found.clone();
    for block in &module.blocks {
        if !matches!(block.schema.kind, "policy" | "limits" | "destinations") {
            out.push(
                Diagnostic::error(codes::NOT_A_POLICY)
                    .at(block.span, format!("a `{}` block", block.schema.kind)),
            );
        }
    }
    let mut scope = module_scope(&module);
    // The accounts are the configuration's; here they are only named, in `exempt`.
    let mut accounts = Names::new("service account");
    accounts.partial = true;
    scope.set_names("service_account", accounts);
    parse::check_names(&module, &scope, &mut out);
    let mut decoder = Decoder::new(&sources, false);
    let mut limits = Limits::NONE;
    for block in module.of("limits") {
        let said = settings::limits(block, Limits::NONE, &scope, &mut decoder);
        limits = said.unwrap_or(limits);
    }
    let mut destinations = None;
    for block in module.of("destinations") {
        destinations = settings::destinations(block, &scope, &mut decoder)
            .ok()
            .map(|allow| Destinations {
                allow,
                declared_at: decoder.place(block.span),
            });
    }
    let blocks: Vec<_> = module.of("policy").collect();
    let origin = PolicyOrigin::PolicyDir;
    let blameless = module.complete && !out.has_errors();
    let policies = policies::blocks(&blocks, origin, &scope, blameless, &mut decoder);
    out.extend(decoder.evaluator.take_diagnostics());
    out.sort();
    let result = if out.has_errors() {
        Err(out)
    } else {
        Ok(PolicyDir {
            policies,
            limits,
            destinations,
            warnings: out,
            empty: module.blocks.is_empty(),
        })
    };
    (sources, result)
}
