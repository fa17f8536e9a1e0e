//! The role by the AWS command line.

use super::{POLICY_NAME, Role};
use crate::policy::Node;

/// A POSIX shell script; run again, it brings an existing role up to these documents.
pub(super) fn script(role: &Role<'_>) -> String {
    let name = shell_quoted(role.name);
    format!(
        r#"#!/bin/sh
# Makes the role that lets Cortex read the files of a data source, or brings it up to date, and prints its ARN.
set -eu

role={name}
trust={trust}
permissions={permissions}

if aws iam get-role --role-name "$role" >/dev/null 2>&1; then
  aws iam update-assume-role-policy --role-name "$role" --policy-document "$trust"
else
  aws iam create-role --role-name "$role" --assume-role-policy-document "$trust" >/dev/null
fi
aws iam put-role-policy --role-name "$role" --policy-name {policy_name} --policy-document "$permissions"
aws iam get-role --role-name "$role" --query Role.Arn --output text
"#,
        trust = json(&role.trust),
        permissions = json(&role.permissions),
        policy_name = shell_quoted(POLICY_NAME),
    )
}

fn json(document: &Node) -> String {
    shell_quoted(&document.to_json())
}

/// Between single quotes, in which nothing but a single quote means anything.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
