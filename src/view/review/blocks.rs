//! Addresses and blocks in HCL's syntax, to be copied.
//! Pure. What would act is written as HCL's own escapes, and means the same.

use hcl::expr::{Traversal, Variable};

use crate::model::Address;
use crate::view::inert_hcl;

/// An address as an expression of HCL; `None` if there can be none.
fn expression(address: &Address) -> Option<hcl::Expression> {
    let root = Variable::new("service_account").ok()?;
    let to = Traversal::builder(root).attr(address.name.as_str());
    let to = match &address.key {
        Some(key) => to.index(key.as_str()).build(),
        None => to.build(),
    };
    Some(hcl::Expression::from(to))
}

/// An address as text to copy.
pub fn reference(address: &Address) -> String {
    let text = expression(address).and_then(|to| hcl::format::to_string(&to).ok());
    inert_hcl(&text.unwrap_or_else(|| address.to_string()))
}

/// The block that takes a live account into custody, as text to copy; empty if there can be none.
pub fn import(to: &Address, mrn: &str) -> String {
    let Some(to) = expression(to) else {
        return String::new();
    };
    let block = hcl::Block::builder("import")
        .add_attribute(("to", to))
        .add_attribute(("id", mrn))
        .build();
    let body = hcl::Body::builder().add_block(block).build();
    inert_hcl(hcl::to_string(&body).unwrap_or_default().trim_end())
}

/// The block that gives an account another address, line by line.
pub fn moved(from: &Address, to: &Address) -> [String; 4] {
    [
        "moved {".to_owned(),
        format!("  from = {}", reference(from)),
        format!("  to   = {}", reference(to)),
        "}".to_owned(),
    ]
}
