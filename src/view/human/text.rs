//! Small pieces of text for people: coloured words and sections.

use anstyle::{AnsiColor, Style};

use crate::view::review::words::{Tone, Value};

/// Something is added.
pub const ADD: Style = AnsiColor::Green.on_default();
/// Something is taken away.
pub const REMOVE: Style = AnsiColor::Red.on_default();
/// Something changes.
pub const CHANGE: Style = AnsiColor::Yellow.on_default();
/// A heading.
pub const HEAD: Style = Style::new().bold();
/// Danger.
pub const ALARM: Style = AnsiColor::Red.on_default().bold();
/// Less important.
pub const DIM: Style = Style::new().dimmed();

/// Wraps a text in a style.
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// A value in the style of its tone.
pub fn toned(value: &Value) -> String {
    let style = match value.tone {
        Tone::Plain => return value.text.clone(),
        Tone::Add => ADD,
        Tone::Remove => REMOVE,
        Tone::Change => CHANGE,
        Tone::Alarm => ALARM,
        Tone::Dim => DIM,
    };
    paint(style, &value.text)
}

/// A heading and what stands under it; nothing where nothing does.
pub fn section<T>(
    out: &mut String,
    title: &str,
    items: impl IntoIterator<Item = T>,
    lines: impl Fn(T) -> Vec<String>,
) {
    let mut items = items.into_iter().peekable();
    if items.peek().is_none() {
        return;
    }
    push(out, &paint(HEAD, &format!("{title}:")));
    push(out, "");
    for item in items {
        for line in lines(item) {
            push(out, &line);
        }
        push(out, "");
    }
}

/// One line.
pub fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}
