//! IAM policies, as far as sessions that read S3 use them.

use std::collections::HashMap;

use serde::Deserialize;

use crate::Grant;

/// As long as STS lets a session policy be, in characters.
const LONGEST: usize = 2048;

/// A policy document: allowed is what a statement allows and none denies.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    statements: Vec<Statement>,
}

/// What is asked of a policy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// Such as `s3:GetObject`.
    pub(crate) action: &'a str,
    /// ARN of the bucket or object.
    pub(crate) resource: &'a str,
    /// Condition keys that the request has, such as `s3:prefix`.
    pub(crate) context: &'a [(&'a str, &'a str)],
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    #[serde(default, rename = "Version")]
    _version: Option<String>,
    #[serde(default, rename = "Id")]
    _id: Option<String>,
    statement: OneOrMany<Statement>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    #[serde(default, rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    action: OneOrMany<String>,
    resource: OneOrMany<String>,
    /// Operator, key, values.
    #[serde(default)]
    condition: HashMap<Operator, HashMap<String, OneOrMany<String>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
enum Operator {
    #[serde(rename = "StringEquals")]
    Equals,
    #[serde(rename = "StringLike")]
    Like,
    #[serde(rename = "StringNotEquals")]
    NotEquals,
    #[serde(rename = "StringNotLike")]
    NotLike,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl Policy {
    /// Reads a document; the error says why it is none, or what in it the sandbox does not know.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        if json.chars().count() > LONGEST {
            return Err(format!("the session policy is longer than {LONGEST} characters"));
        }
        let document: Document = serde_json::from_str(json)
            .map_err(|err| format!("not a policy that the sandbox knows: {err}"))?;
        Ok(Self { statements: document.statement.as_slice().to_vec() })
    }

    /// The policy that a customer gives a role for its sources.
    pub(crate) fn of_grants(grants: &[Grant]) -> Self {
        let statements = grants.iter().flat_map(|Grant { bucket, prefix }| {
            let prefix = prefix.trim_matches('/');
            let (objects, prefixes) = match prefix {
                "" => ("*".to_owned(), None),
                _ => (format!("{prefix}/*"), Some(vec![prefix.to_owned(), format!("{prefix}/*")])),
            };
            let condition = prefixes.map(|values| {
                let keys = HashMap::from([("s3:prefix".to_owned(), OneOrMany::Many(values))]);
                HashMap::from([(Operator::Like, keys)])
            });
            let arn = format!("arn:aws:s3:::{bucket}");
            [
                Statement::allow("s3:GetObject", format!("{arn}/{objects}"), HashMap::new()),
                Statement::allow("s3:ListBucket", arn.clone(), condition.unwrap_or_default()),
                Statement::allow("s3:GetBucketLocation", arn, HashMap::new()),
            ]
        });
        Self { statements: statements.collect() }
    }

    pub(crate) fn allows(&self, ask: Ask<'_>) -> bool {
        let mut effects = self.statements.iter().filter(|statement| statement.applies(ask)).map(|s| s.effect);
        let mut allowed = false;
        effects.all(|effect| {
            allowed |= effect == Effect::Allow;
            effect != Effect::Deny
        }) && allowed
    }
}

impl Statement {
    fn allow(
        action: &str,
        resource: String,
        condition: HashMap<Operator, HashMap<String, OneOrMany<String>>>,
    ) -> Self {
        Self {
            _sid: None,
            effect: Effect::Allow,
            action: OneOrMany::One(action.to_owned()),
            resource: OneOrMany::One(resource),
            condition,
        }
    }

    fn applies(&self, ask: Ask<'_>) -> bool {
        let action = ask.action.to_ascii_lowercase();
        self.action.as_slice().iter().any(|pattern| is_like(&pattern.to_ascii_lowercase(), &action))
            && self.resource.as_slice().iter().any(|pattern| is_like(pattern, ask.resource))
            && self.condition.iter().all(|(operator, keys)| {
                keys.iter().all(|(key, values)| operator.holds(find(ask.context, key), values.as_slice()))
            })
    }
}

fn find<'a>(context: &[(&str, &'a str)], key: &str) -> Option<&'a str> {
    context.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| *value)
}

impl Operator {
    /// A key that the request does not have fails the positive operators and passes the negative ones, as in IAM.
    fn holds(self, value: Option<&str>, patterns: &[String]) -> bool {
        let equals = |value| patterns.iter().any(|pattern| pattern == value);
        let like = |value| patterns.iter().any(|pattern| is_like(pattern, value));
        match self {
            Self::Equals => value.is_some_and(equals),
            Self::Like => value.is_some_and(like),
            Self::NotEquals => !value.is_some_and(equals),
            Self::NotLike => !value.is_some_and(like),
        }
    }
}

/// `*` for any characters, `?` for one.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stands, and the text that it has swallowed so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|c| *c == '?' || *c == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, swallowed)) = star {
            star = Some((at, swallowed + 1));
            p = at + 1;
            t = swallowed + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(resource: &str) -> Ask<'_> {
        Ask { action: "s3:GetObject", resource, context: &[] }
    }

    fn list<'a>(context: &'a [(&'a str, &'a str)]) -> Ask<'a> {
        Ask { action: "s3:ListBucket", resource: "arn:aws:s3:::b", context }
    }

    #[test]
    fn wildcards_match_as_in_iam() {
        assert!(
            is_like("a*c", "abbc")
                && is_like("a?c", "abc")
                && is_like("*", "")
                && is_like("a*b*c", "a1b2b3c")
        );
        assert!(!is_like("a*c", "abcd") && !is_like("a?c", "ac") && !is_like("", "a"));
    }

    #[test]
    fn a_grant_allows_its_folder_and_nothing_beside_it() {
        let policy = Policy::of_grants(&[Grant { bucket: "b".into(), prefix: "events/".into() }]);
        assert!(policy.allows(get("arn:aws:s3:::b/events/2026-11-23/a.csv")));
        assert!(!policy.allows(get("arn:aws:s3:::b/events2/a.csv")));
        assert!(!policy.allows(get("arn:aws:s3:::c/events/a.csv")));
        assert!(policy.allows(list(&[("s3:prefix", "events/")])));
        assert!(!policy.allows(list(&[("s3:prefix", "items/")])));
        assert!(!policy.allows(list(&[])), "a listing of the whole bucket has no prefix");
    }

    #[test]
    fn a_deny_outdoes_an_allow() {
        let policy = Policy::parse(
            r#"{"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
                {"Effect": "Deny", "Action": ["s3:getobject"], "Resource": ["arn:aws:s3:::b/secret/*"]}]}"#,
        )
        .unwrap();
        assert!(policy.allows(get("arn:aws:s3:::b/a")));
        assert!(!policy.allows(get("arn:aws:s3:::b/secret/a")));
    }

    #[test]
    fn what_is_not_known_is_refused_rather_than_passed_over() {
        let statement =
            |rest: &str| format!(r#"{{"Statement": {{"Effect": "Allow", "Resource": "*", {rest}}}}}"#);
        assert!(Policy::parse(&statement(r#""Action": "s3:*""#)).is_ok());
        assert!(Policy::parse(&statement(r#""NotAction": "s3:*""#)).is_err());
        assert!(
            Policy::parse(&statement(
                r#""Action": "s3:*", "Condition": {"IpAddress": {"aws:SourceIp": "::"}}"#
            ))
            .is_err()
        );
        assert!(
            Policy::parse(&format!("{}{}", " ".repeat(LONGEST), statement(r#""Action": "s3:*""#))).is_err()
        );
    }
}
