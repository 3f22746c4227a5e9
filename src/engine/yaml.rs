//! JSON values as YAML that people read: blocks, bare words where they are safe, long texts as they are.

use serde_json::Value;

/// One document.
pub fn document(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out.trim_start_matches('\n').to_owned()
}

/// Writes what follows a key or a dash: on the same line when it is short, else indented below.
fn block(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, field) in fields {
                out.push_str(&format!("\n{pad}{}:", scalar(key)));
                follow(field, indent + 2, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut inner = String::new();
                follow(item, indent + 2, &mut inner);
                // The first line of a block stands beside the dash.
                let inner = inner.strip_prefix('\n').map_or(inner.clone(), |rest| format!(" {}", rest.trim_start()));
                out.push_str(&format!("\n{pad}-{inner}"));
            }
        }
        other => follow(other, indent, out),
    }
    if indent == 0 {
        out.push('\n');
    }
}

fn follow(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(fields) if fields.is_empty() => out.push_str(" {}"),
        Value::Array(items) if items.is_empty() => out.push_str(" []"),
        Value::Object(_) | Value::Array(_) => block(value, indent, out),
        Value::String(text) if is_plain_text(text) => {
            out.push_str(" |");
            for line in text.lines() {
                let line = if line.is_empty() { String::new() } else { format!("{}{line}", " ".repeat(indent)) };
                out.push_str(&format!("\n{line}"));
            }
        }
        Value::String(text) => out.push_str(&format!(" {}", scalar(text))),
        other => out.push_str(&format!(" {other}")),
    }
}

/// Several lines that a literal block keeps exactly.
fn is_plain_text(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && text.ends_with('\n')
        && !text.ends_with("\n\n")
        && !text.starts_with([' ', '\n', '\t'])
        && text.chars().all(|c| c == '\n' || (' '..='~').contains(&c))
}

/// Bare where no YAML parser takes it for anything but this text; else as JSON, which is YAML.
fn scalar(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let reserved = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let starts = |c: char| c.is_ascii_alphabetic() || c == '/';
    let bare = text.starts_with(starts) && text.chars().all(word) && !reserved.contains(&text.to_ascii_lowercase().as_str());
    if bare { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_reads_as_people_write_it() {
        let value = json!({"kind": "Job", "n": 3, "on": "yes", "args": ["run", "-x", "1.5", "ü"], "rules": [{"a": 1, "b": [{"c": {}}]}, []],
            "script": "set -u\n\nif x; then\n    y\nfi\n", "odd": "a\nb"});
        insta::assert_snapshot!(document(&value), @r#"
        kind: Job
        "n": 3
        "on": "yes"
        args:
          - run
          - "-x"
          - "1.5"
          - "ü"
        rules:
          - a: 1
            b:
              - c: {}
          - []
        script: |
          set -u

          if x; then
              y
          fi
        odd: "a\nb"
        "#);
    }
}
