//! IAM documents: what Cortex must be allowed at a customer's bucket, and who may assume the role that allows it.

pub(crate) mod node;

pub(crate) use node::Node;

/// What a role, or a session at it, is to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reach<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub(crate) partition: &'a str,
    pub(crate) bucket: &'a str,
    /// Without slashes at its ends; empty for the whole bucket.
    pub(crate) path: &'a str,
    pub(crate) key: Key<'a>,
    /// ARN of the queue of the bucket's event notifications.
    pub(crate) event_queue: Option<&'a str>,
}

/// The keys that objects may be decrypted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    /// The objects are not encrypted by KMS.
    None,
    /// This one.
    Arn(&'a str),
    /// Whichever the role allows.
    Any,
}

/// Reading the objects under the path, listing that path, asking where the bucket is; decrypting through S3 alone, and
/// reading the event queue. Nothing else.
pub(crate) fn permissions(reach: &Reach<'_>) -> Node {
    let mut statements = bucket_statements(reach);
    let key = match reach.key {
        Key::None => None,
        Key::Arn(arn) => Some(arn),
        Key::Any => Some("*"),
    };
    statements.extend(key.map(|key| {
        let through = Node::map([("kms:ViaService", through(reach))]);
        let condition = Node::map([("StringLike", through)]);
        allow("DecryptObjects", ["kms:Decrypt"], key, Some(condition))
    }));
    statements.extend(reach.event_queue.map(|queue| {
        let actions = [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueAttributes",
        ];
        allow("ReadEvents", actions, queue, None)
    }));
    document(statements)
}

/// Denies everything.
pub(crate) fn nothing() -> Node {
    document(vec![Node::map([
        ("Effect", Node::text("Deny")),
        ("Action", Node::text("*")),
        ("Resource", Node::text("*")),
    ])])
}

/// The platform may assume the role, with this External ID alone.
pub(crate) fn trust(partition: &str, platform_account: &str, external_id: &str) -> Node {
    let principal = format!("arn:{partition}:iam::{platform_account}:root");
    let demanded = Node::map([("sts:ExternalId", Node::text(external_id))]);
    document(vec![Node::map([
        ("Sid", Node::text("AssumeByCortex")),
        ("Effect", Node::text("Allow")),
        ("Principal", Node::map([("AWS", Node::text(principal))])),
        ("Action", Node::text("sts:AssumeRole")),
        ("Condition", Node::map([("StringEquals", demanded)])),
    ])])
}

fn bucket_statements(reach: &Reach<'_>) -> Vec<Node> {
    let bucket = format!("arn:{}:s3:::{}", reach.partition, reach.bucket);
    let (objects, listed) = match reach.path {
        "" => (format!("{bucket}/*"), None),
        path => {
            let prefix = Node::map([("s3:prefix", Node::text(format!("{path}/*")))]);
            (format!("{bucket}/{path}/*"), Some(Node::map([("StringLike", prefix)])))
        }
    };
    vec![
        allow("ReadObjects", ["s3:GetObject"], &objects, None),
        allow("ListPath", ["s3:ListBucket"], &bucket, listed),
        allow("LocateBucket", ["s3:GetBucketLocation"], &bucket, None),
    ]
}

/// The services, by KMS's names in any region, through which keys are used: S3's, and where any key will do also that of the
/// event queue, which may be encrypted too.
fn through(reach: &Reach<'_>) -> Node {
    let domain = if reach.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let service = |name: &str| Node::text(format!("{name}.*.{domain}"));
    match (reach.key, reach.event_queue) {
        (Key::Any, Some(_)) => Node::list(vec![service("s3"), service("sqs")]),
        _ => service("s3"),
    }
}

fn allow<const N: usize>(sid: &str, actions: [&str; N], resource: &str, condition: Option<Node>) -> Node {
    let actions = match actions.as_slice() {
        [one] => Node::text(*one),
        many => Node::list(many.iter().map(|action| Node::text(*action)).collect()),
    };
    let mut statement = vec![
        ("Sid", Node::text(sid)),
        ("Effect", Node::text("Allow")),
        ("Action", actions),
        ("Resource", Node::text(resource)),
    ];
    statement.extend(condition.map(|condition| ("Condition", condition)));
    Node::Map(statement)
}

fn document(statements: Vec<Node>) -> Node {
    Node::map([("Version", Node::text("2012-10-17")), ("Statement", Node::list(statements))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_beside_the_path_is_allowed() {
        let reach = Reach {
            partition: "aws-cn",
            bucket: "b",
            path: "exports/clicks",
            key: Key::None,
            event_queue: None,
        };
        let policy = serde_json::to_value(permissions(&reach)).unwrap();
        assert_eq!(policy["Statement"].as_array().unwrap().len(), 3, "no KMS and no SQS where none is used");
        assert_eq!(policy["Statement"][0]["Resource"], "arn:aws-cn:s3:::b/exports/clicks/*");
        assert_eq!(policy["Statement"][1]["Condition"]["StringLike"]["s3:prefix"], "exports/clicks/*");
        let whole = serde_json::to_value(permissions(&Reach { path: "", ..reach })).unwrap();
        assert_eq!(whole["Statement"][0]["Resource"], "arn:aws-cn:s3:::b/*");
        assert!(whole["Statement"][1].get("Condition").is_none());
    }

    #[test]
    fn keys_are_used_through_s3_alone_and_of_a_queue_only_what_reading_needs() {
        let queue = "arn:aws:sqs:eu-west-1:111122223333:events";
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1";
        let reach =
            Reach { partition: "aws", bucket: "b", path: "", key: Key::Arn(key), event_queue: Some(queue) };
        let policy = serde_json::to_value(permissions(&reach)).unwrap();
        assert_eq!(policy["Statement"][3]["Resource"], key);
        let through = &policy["Statement"][3]["Condition"]["StringLike"]["kms:ViaService"];
        assert_eq!(*through, "s3.*.amazonaws.com");
        assert_eq!(policy["Statement"][4]["Resource"], queue);
        assert!(!policy["Statement"][4]["Action"].to_string().contains('*'));
    }
}
