//! The schema of each record by itself, as it is put into a schema registry.

const SCHEMAS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/schemas.rs"));

/// The text of a `.proto` file whose first message is the one of this full name, with what it uses and nothing else; none
/// where `cortex.records.v1` has no such message.
///
/// Made of the contract as it stands in `proto/`, comments and all. Readers that are given a schema and no message's name
/// take its first one.
pub fn schema(message: &str) -> Option<&'static str> {
    SCHEMAS.iter().find(|(name, _)| *name == message).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use prost_reflect::{DescriptorPool, MessageDescriptor};

    use super::*;
    use crate::topic::VALUES;

    fn pool(text: &str) -> DescriptorPool {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("schema.proto"), text).unwrap();
        let compiled = protox::compile(["schema.proto"], [dir.path()]).unwrap();
        DescriptorPool::from_file_descriptor_set(compiled).unwrap()
    }

    fn fields(message: &MessageDescriptor) -> Vec<String> {
        message.fields().map(|field| format!("{field:?}")).collect()
    }

    #[test]
    fn a_schema_is_the_contract_s_message_first_and_what_it_uses() {
        let contract = pool(include_str!("../../../proto/cortex/records/v1/records.proto"));
        for (_, name) in VALUES {
            let pool = pool(schema(name).unwrap());
            let file = pool.get_file_by_name("schema.proto").unwrap();
            assert_eq!(file.messages().next().unwrap().full_name(), name);
            for message in file.messages() {
                let told = contract.get_message_by_name(message.full_name()).unwrap();
                assert_eq!(fields(&message), fields(&told), "{name}");
            }
        }
        assert_eq!(schema("cortex.records.v1.Nothing"), None);
    }

    #[test]
    fn a_schema_reads_as_it_was_written() {
        let text = schema("cortex.records.v1.Item").unwrap();
        assert!(text.starts_with("syntax = \"proto3\";\n"), "{text}");
        assert!(text.contains("\n\n// Metadata of an item that events name.\nmessage Item {\n"), "{text}");
        assert!(text.contains("message Value {") && text.contains("message StringList {"), "{text}");
        assert!(!text.contains("message Event {") && !text.contains("message RejectedRow {"), "{text}");
        assert!(text.ends_with("}\n") && !text.contains("\n\n\n"), "{text}");
    }
}
