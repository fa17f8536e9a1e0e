//! The role in Terraform's language.

use super::{POLICY_NAME, Role};
use crate::policy::node::hcl_quoted;

/// A module of one file: the role, its policy, and its ARN as output.
pub(super) fn module(role: &Role<'_>) -> String {
    format!(
        r#"terraform {{
  required_providers {{
    aws = {{
      source = "hashicorp/aws"
    }}
  }}
}}

resource "aws_iam_role" "cortex" {{
  name        = {name}
  description = "Lets Cortex read the files of a data source."

  assume_role_policy = jsonencode({trust})
}}

resource "aws_iam_role_policy" "cortex" {{
  name = {policy_name}
  role = aws_iam_role.cortex.id

  policy = jsonencode({permissions})
}}

output "role_arn" {{
  description = "The role's ARN, to be entered in Cortex."
  value       = aws_iam_role.cortex.arn
}}
"#,
        name = hcl_quoted(role.name),
        trust = role.trust.to_hcl(2),
        policy_name = hcl_quoted(POLICY_NAME),
        permissions = role.permissions.to_hcl(2),
    )
}
