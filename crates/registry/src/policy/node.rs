//! A document whose keys keep their order, in the notations that it is pasted in.

use std::fmt::Write as _;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// A text, a list, or a map; IAM needs no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(&'static str, Node)>),
}

impl Node {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn list(items: Vec<Node>) -> Self {
        Self::List(items)
    }

    pub(crate) fn map<const N: usize>(entries: [(&'static str, Node); N]) -> Self {
        Self::Map(entries.into())
    }

    /// As JSON over several lines.
    pub(crate) fn to_json(&self) -> String {
        // Only maps with keys that are no text could fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// As JSON in one line.
    pub(crate) fn to_compact_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As block YAML, each line indented by so many blanks, with a line end behind the last. Every text is quoted, so none
    /// of it can be taken for anything else.
    pub(crate) fn to_yaml(&self, indent: usize) -> String {
        let mut out = String::new();
        self.write_yaml(&mut out, indent);
        out
    }

    /// As an HCL expression whose first line goes behind what stands there already.
    pub(crate) fn to_hcl(&self, indent: usize) -> String {
        let mut out = String::new();
        self.write_hcl(&mut out, indent);
        out
    }

    fn write_yaml(&self, out: &mut String, indent: usize) {
        let pad = " ".repeat(indent);
        match self {
            Self::Text(text) => {
                let _ = writeln!(out, "{pad}{}", quoted(text));
            }
            Self::List(items) => {
                for item in items {
                    // The dash takes the place of the first two blanks of what stands behind it.
                    let item = item.to_yaml(indent + 2);
                    let _ = write!(out, "{pad}- {}", &item[indent + 2..]);
                }
            }
            Self::Map(entries) => {
                for (key, value) in entries {
                    let _ = match value {
                        Self::Text(text) => writeln!(out, "{pad}{}: {}", yaml_key(key), quoted(text)),
                        nested => write!(out, "{pad}{}:\n{}", yaml_key(key), nested.to_yaml(indent + 2)),
                    };
                }
            }
        }
    }

    fn write_hcl(&self, out: &mut String, indent: usize) {
        let pad = " ".repeat(indent);
        match self {
            Self::Text(text) => out.push_str(&hcl_quoted(text)),
            Self::List(items) => {
                out.push_str("[\n");
                for item in items {
                    let _ = writeln!(out, "{pad}  {},", item.to_hcl(indent + 2));
                }
                let _ = write!(out, "{pad}]");
            }
            Self::Map(entries) => {
                out.push_str("{\n");
                for (key, value) in entries {
                    let _ = writeln!(out, "{pad}  {} = {}", hcl_quoted(key), value.to_hcl(indent + 2));
                }
                let _ = write!(out, "{pad}}}");
            }
        }
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => items.serialize(serializer),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// Keys of ours are plain words; those of IAM that hold a colon are quoted.
fn yaml_key(key: &str) -> String {
    if key.chars().all(|c| c.is_ascii_alphanumeric()) { key.to_owned() } else { quoted(key) }
}

/// Between double quotes, as YAML and HCL both read it: what is neither printable ASCII nor a letter is written by its
/// number.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            ' '..='~' => write!(out, "{c}"),
            c if c.is_alphanumeric() => write!(out, "{c}"),
            c if u32::from(c) <= 0xffff => write!(out, "\\u{:04x}", u32::from(c)),
            c => write!(out, "\\U{:08x}", u32::from(c)),
        };
    }
    out.push('"');
    out
}

/// As [`quoted`], and no template: HCL would take `${` and `%{` for the beginning of one.
pub(crate) fn hcl_quoted(text: &str) -> String {
    quoted(text).replace("${", "$${").replace("%{", "%%{")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: &str = "a\"b\\c: 'd' #e ${f} %{g} {{h}} é \u{2028}\u{1f600} - *i &j !k";

    #[test]
    fn a_text_comes_back_from_every_notation_as_it_was() {
        let node = Node::map([
            ("Plain", Node::text(NASTY)),
            ("aws:Key", Node::list(vec![Node::text(NASTY), Node::map([("In", Node::text(NASTY))])])),
            ("Nested", Node::list(vec![Node::list(vec![Node::text(NASTY)])])),
        ]);
        let expected = serde_json::to_value(&node).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&node.to_json()).unwrap(), expected);
        let yaml: serde_json::Value = serde_yaml_ng::from_str(&node.to_yaml(0)).unwrap();
        assert_eq!(yaml, expected);
        let hcl: serde_json::Value = hcl::from_str(&format!("it = {}\n", node.to_hcl(0))).unwrap();
        assert_eq!(hcl["it"], expected);
    }
}
