//! Compiles the gRPC contracts, without `protoc`, and keeps their descriptors for reflection.

use std::error::Error;

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::path::Path::new("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    let descriptors =
        protox::compile(["cortex/registry/v1/registry.proto", "cortex/worker/v1/worker.proto"], [root])?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    // Messages that carry secrets get a Debug of their own, in lib.rs.
    let mut config = prost_build::Config::new();
    config.btree_map(["."]).enable_type_names().skip_debug([
        ".cortex.worker.v1.IssueCredentialsResponse",
        ".cortex.registry.v1.StaticKeys",
        ".cortex.registry.v1.CreateAccountTokenResponse",
        ".cortex.registry.v1.Account",
    ]);
    tonic_prost_build::configure().compile_fds_with_config(descriptors, config)?;
    Ok(())
}
