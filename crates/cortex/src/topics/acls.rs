//! What each role must be allowed on a cluster with ACLs, and nothing beyond: the end-to-end tests run with exactly these.

use records::topic::{
    ATTRIBUTES, EVENTS, FILE_PROGRESS, ID_MAPPINGS, ITEMS, OBJECTS, PARSERS, REJECTED_ROWS,
};

use crate::args::{AclRole, AclsArgs};

/// The group that is named by who only looks at the cluster, and never joined.
const LOOK: &str = "cortex-look";

/// What records and rejected rows are on.
const RECORDS: &[&str] = &[EVENTS, ATTRIBUTES, ITEMS, ID_MAPPINGS, REJECTED_ROWS];
/// What parsers write, but for objects.
const WRITTEN: &[&str] = &[EVENTS, ATTRIBUTES, ITEMS, ID_MAPPINGS, REJECTED_ROWS, FILE_PROGRESS];

/// On what.
enum On<'a> {
    Topics(&'static [&'static str]),
    /// All topics of Cortex's, also those that are not there yet.
    AllTopics,
    Group(&'a str),
    /// The parsers' transactional ids, which begin as their group is called.
    Transactions,
}

/// Operations on something.
struct Grant<'a>(&'static [&'static str], On<'a>);

/// What a role is to be allowed.
fn grants(role: AclRole, group: &str) -> Vec<Grant<'_>> {
    let mut grants = match role {
        // DescribeConfigs is for the check at start that topics take the largest message; without it none is made.
        AclRole::Registry => vec![
            Grant(&["Read", "DescribeConfigs"], On::Topics(&[FILE_PROGRESS])),
            // It tells how far parsers are behind.
            Grant(&["Describe"], On::Topics(&[OBJECTS])),
            Grant(&["Describe"], On::Group(PARSERS)),
        ],
        AclRole::Scanner => vec![Grant(&["Write", "DescribeConfigs"], On::Topics(&[OBJECTS]))],
        AclRole::Parser => vec![
            // Written to, too: whoever claims a large object publishes its ranges.
            Grant(&["Read", "Write", "DescribeConfigs"], On::Topics(&[OBJECTS])),
            Grant(&["Write", "DescribeConfigs"], On::Topics(WRITTEN)),
            Grant(&["Read"], On::Group(PARSERS)),
            Grant(&["Write"], On::Transactions),
        ],
        AclRole::Admin => {
            vec![Grant(&["Create", "Describe", "DescribeConfigs", "Alter", "AlterConfigs"], On::AllTopics)]
        }
        AclRole::Consumer => {
            vec![Grant(&["Read"], On::Topics(RECORDS)), Grant(&["Read"], On::Group(group))]
        }
    };
    grants.push(Grant(&["Describe"], On::Group(LOOK)));
    grants
}

/// The lines, one a grant.
pub(super) fn lines(args: &AclsArgs) -> Vec<String> {
    let all = [AclRole::Registry, AclRole::Scanner, AclRole::Parser, AclRole::Admin, AclRole::Consumer];
    let roles = args.role.map_or(all.to_vec(), |role| vec![role]);
    let mut lines = Vec::new();
    for role in roles {
        let principal = args.principal.clone().unwrap_or_else(|| format!("User:cortex-{}", name(role)));
        lines.push(format!("# {}", name(role)));
        for Grant(operations, on) in grants(role, &args.group) {
            let operations: String =
                operations.iter().map(|operation| format!(" --operation {operation}")).collect();
            let on = match on {
                On::Topics(topics) => {
                    topics.iter().map(|topic| format!("--topic {topic}")).collect::<Vec<_>>().join(" ")
                }
                On::AllTopics => "--topic cortex. --resource-pattern-type prefixed".to_owned(),
                On::Group(group) => format!("--group {}", quoted(group)),
                On::Transactions => {
                    format!("--transactional-id {PARSERS}- --resource-pattern-type prefixed")
                }
            };
            lines.push(format!(
                "kafka-acls.sh --bootstrap-server {} --command-config {} --add --allow-principal {}{operations} {on}",
                args.kafka,
                quoted(&args.command_config),
                quoted(&principal),
            ));
        }
    }
    lines
}

fn name(role: AclRole) -> &'static str {
    match role {
        AclRole::Registry => "registry",
        AclRole::Scanner => "scanner",
        AclRole::Parser => "parser",
        AclRole::Admin => "admin",
        AclRole::Consumer => "consumer",
    }
}

/// For a shell, where it needs that.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-:=,/@+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(role: Option<AclRole>, principal: Option<&str>) -> AclsArgs {
        AclsArgs {
            role,
            principal: principal.map(str::to_owned),
            group: "readers".to_owned(),
            kafka: "b:9092".to_owned(),
            command_config: "admin.properties".to_owned(),
        }
    }

    #[test]
    fn a_scanner_may_write_objects_and_nothing_else() {
        let lines = lines(&args(Some(AclRole::Scanner), Some("User:CN=scanner, O=Shop")));
        assert_eq!(
            lines[1],
            "kafka-acls.sh --bootstrap-server b:9092 --command-config admin.properties --add --allow-principal \
             'User:CN=scanner, O=Shop' --operation Write --operation DescribeConfigs --topic cortex.objects.v1"
        );
        assert!(lines[2..].iter().all(|line| !line.contains("--topic")), "{lines:?}");
    }

    #[test]
    fn without_a_role_each_has_its_own_principal() {
        let lines = lines(&args(None, None)).join("\n");
        for role in ["registry", "scanner", "parser", "admin", "consumer"] {
            assert!(lines.contains(&format!("--allow-principal User:cortex-{role} ")), "{role}");
        }
    }
}
