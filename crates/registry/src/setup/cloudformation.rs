//! The role as a CloudFormation template.

use super::{POLICY_NAME, Role};
use crate::policy::Node;

/// As YAML. Intrinsic functions stand in their long form, which every YAML parser reads.
pub(super) fn template(role: &Role<'_>) -> String {
    let policy =
        Node::map([("PolicyName", Node::text(POLICY_NAME)), ("PolicyDocument", role.permissions.clone())]);
    let properties = Node::map([
        ("RoleName", Node::text(role.name)),
        ("Description", Node::text("Lets Cortex read the files of a data source.")),
        ("AssumeRolePolicyDocument", role.trust.clone()),
        ("Policies", Node::list(vec![policy])),
    ]);
    let resource = Node::map([("Type", Node::text("AWS::IAM::Role")), ("Properties", properties)]);
    let arn = Node::map([("Fn::GetAtt", Node::list(vec![Node::text("CortexRole"), Node::text("Arn")]))]);
    let output =
        Node::map([("Description", Node::text("The role's ARN, to be entered in Cortex.")), ("Value", arn)]);
    let template = Node::map([
        ("AWSTemplateFormatVersion", Node::text("2010-09-09")),
        ("Description", Node::text("A role that lets Cortex read the files of a data source.")),
        ("Resources", Node::map([("CortexRole", resource)])),
        ("Outputs", Node::map([("RoleArn", output)])),
    ]);
    let head = "# aws cloudformation deploy --stack-name cortex-s3-source --template-file FILE \\\n\
                #   --capabilities CAPABILITY_NAMED_IAM\n";
    format!("{head}{}", template.to_yaml(0))
}
