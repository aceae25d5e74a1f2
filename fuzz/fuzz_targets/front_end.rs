//! Bytes in, findings out: whatever a configuration file holds, the front end says what is wrong
//! with it and neither panics nor hangs.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rolecall::config::{SourceFile, parse, resolve, validate};
use rolecall::diag::{Diagnostics, render_all};

fuzz_target!(|bytes: &[u8]| {
    let file = SourceFile {
        path: "main.hcl".to_owned(),
        bytes: bytes.to_vec(),
    };
    let (mut sources, module) = parse(vec![file]);
    let mut all = Diagnostics::new();
    match resolve(&module, &mut sources, &[]) {
        Ok(resolved) => all.extend(resolved.warnings),
        Err(found) => all.extend(found),
    }
    match validate(&module, &mut sources, &[]) {
        Ok(found) | Err(found) => all.extend(found),
    }
    let shown = render_all(&all, &sources, false);
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'));
});
