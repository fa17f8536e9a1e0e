//! The session policy: what is left of the role's rights for one source.

use serde_json::{Value, json};

/// Reading the objects under the path, listing that path, and asking where the bucket is; nothing else, whatever the role
/// allows. `partition` is that of the role's ARN: `aws`, `aws-cn`, `aws-us-gov`.
pub(crate) fn document(partition: &str, bucket: &str, path: &str) -> Value {
    let bucket_arn = format!("arn:{partition}:s3:::{bucket}");
    let (objects, prefixes) = match path {
        "" => (format!("{bucket_arn}/*"), vec!["*".to_owned()]),
        path => (format!("{bucket_arn}/{path}/*"), vec![format!("{path}/*"), format!("{path}/")]),
    };
    json!({
        "Version": "2012-10-17",
        "Statement": [
            { "Effect": "Allow", "Action": "s3:GetObject", "Resource": objects },
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": bucket_arn,
                "Condition": { "StringLike": { "s3:prefix": prefixes } }
            },
            { "Effect": "Allow", "Action": "s3:GetBucketLocation", "Resource": bucket_arn }
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_narrowed_to_bucket_and_path() {
        let policy = document("aws", "b", "exports/clicks");
        assert_eq!(policy["Statement"][0]["Resource"], "arn:aws:s3:::b/exports/clicks/*");
        assert_eq!(policy["Statement"][1]["Condition"]["StringLike"]["s3:prefix"][0], "exports/clicks/*");
        assert_eq!(document("aws-cn", "b", "")["Statement"][0]["Resource"], "arn:aws-cn:s3:::b/*");
    }
}
