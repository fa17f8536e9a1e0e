//! Compiles the contracts that consumers and pure crates need, without `protoc`, and cuts out of them the schema of each
//! record by itself.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write;
use std::path::Path;

use prost::Message;
use prost_types::{DescriptorProto, FileDescriptorProto};

const RECORDS: &str = "cortex/records/v1/records.proto";

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    let descriptors = protox::compile([RECORDS, "cortex/queue/v1/queue.proto"], [root])?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    let records = descriptors.file.iter().find(|file| file.name() == RECORDS).ok_or(RECORDS)?;
    let text = std::fs::read_to_string(root.join(RECORDS))?;
    std::fs::write(out.join("schemas.rs"), schemas(records, &text)?)?;
    prost_build::Config::new().btree_map(["."]).enable_type_names().compile_fds(descriptors)?;
    Ok(())
}

/// A slice of pairs in Rust: each message's full name, and the text of a file that begins with it and has besides only what
/// it uses.
fn schemas(file: &FileDescriptorProto, text: &str) -> Result<String, Box<dyn Error>> {
    if !file.enum_type.is_empty() || !file.extension.is_empty() {
        return Err("the schemas of records are cut out message by message: there is something else".into());
    }
    let lines: Vec<&str> = text.lines().collect();
    // Each message ends where the next one's comment begins; what stands before the first is the head of every schema.
    let mut begins = head_ends(file);
    let head = lines[..begins].join("\n");
    let mut parts = Vec::new();
    for index in 0..file.message_type.len() {
        let ends = last_line(file, &[4, i32::try_from(index)?]).ok_or("a message without its place")?;
        parts.push(lines[begins..ends].join("\n"));
        begins = ends;
    }
    let mut out = String::from("&[\n");
    for (index, message) in file.message_type.iter().enumerate() {
        let mut used = BTreeSet::new();
        uses(file, message, &mut used);
        used.remove(&index);
        let parts: Vec<&str> =
            [index].into_iter().chain(used).map(|part| parts[part].trim_start_matches('\n')).collect();
        let schema = format!("{head}\n\n{}\n", parts.join("\n\n"));
        writeln!(out, "    ({:?}, {schema:?}),", format!("{}.{}", file.package(), message.name()))?;
    }
    out.push(']');
    Ok(out)
}

/// The line behind syntax, package and imports.
fn head_ends(file: &FileDescriptorProto) -> usize {
    let places = file.source_code_info.iter().flat_map(|info| &info.location);
    places
        .filter(|place| matches!(place.path.as_slice(), [2 | 3 | 12, ..]))
        .filter_map(|place| end_of(&place.span))
        .max()
        .unwrap_or_default()
}

fn last_line(file: &FileDescriptorProto, path: &[i32]) -> Option<usize> {
    let mut places = file.source_code_info.iter().flat_map(|info| &info.location);
    end_of(&places.find(|place| place.path == path)?.span)
}

/// The line behind a span: line and column, then line (where it is another) and column.
fn end_of(span: &[i32]) -> Option<usize> {
    let last = if span.len() == 3 { span[0] } else { *span.get(2)? };
    Some(usize::try_from(last).ok()? + 1)
}

/// The messages of the file that a message is made of, by their places in it.
fn uses(file: &FileDescriptorProto, message: &DescriptorProto, used: &mut BTreeSet<usize>) {
    for nested in &message.nested_type {
        uses(file, nested, used);
    }
    for field in &message.field {
        let name = field.type_name().trim_start_matches('.');
        let local = name.strip_prefix(file.package()).map(|name| name.trim_start_matches('.'));
        let found = local.and_then(|local| file.message_type.iter().position(|one| one.name() == local));
        if let Some(index) = found
            && used.insert(index)
        {
            uses(file, &file.message_type[index], used);
        }
    }
}
