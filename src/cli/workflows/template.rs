//! The language of templates: lines `#: if WORD…`, `#: else`, `#: end`, which may stand in each other, and `@NAME@`.
//! Pure: texts in, text out.

use std::collections::BTreeMap;

/// The text of a template where `word` holds: lines for other words are left out, names are filled in.
pub fn render(template: &str, word: &str, names: &BTreeMap<&str, String>) -> String {
    let mut out = String::with_capacity(template.len());
    // Whether the lines of each open part hold.
    let mut open: Vec<bool> = Vec::new();
    for line in template.split_inclusive('\n') {
        match line.trim().strip_prefix("#: ") {
            Some("end") => {
                open.pop();
            }
            Some("else") => {
                if let Some(last) = open.last_mut() {
                    *last = !*last;
                }
            }
            Some(part) => {
                let mut of = part.split_whitespace().skip(1);
                open.push(of.any(|of| of == word));
            }
            None if open.iter().all(|holds| *holds) => out.push_str(line),
            None => {}
        }
    }
    names.iter().fold(out, |out, (name, value)| {
        out.replace(&format!("@{name}@"), value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_kept_by_their_word_and_stand_in_each_other() {
        let template = "a\n#: if x y\nb\n  #: if y\n  c @N@\n  #: else\n  d\n  #: end\n#: else\ne\n#: end\nf\n";
        let names = BTreeMap::from([("N", "1".to_owned())]);
        let of = |word| render(template, word, &names);
        assert_eq!(of("x"), "a\nb\n  d\nf\n");
        assert_eq!(of("y"), "a\nb\n  c 1\nf\n");
        assert_eq!(of("z"), "a\ne\nf\n");
    }
}
