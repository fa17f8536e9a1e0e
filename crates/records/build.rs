//! Compiles the contracts that consumers and pure crates need, without `protoc`.

use std::error::Error;

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::path::Path::new("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    let descriptors =
        protox::compile(["cortex/records/v1/records.proto", "cortex/queue/v1/queue.proto"], [root])?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    prost_build::Config::new().btree_map(["."]).enable_type_names().compile_fds(descriptors)?;
    Ok(())
}
