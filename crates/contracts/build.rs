//! Compiles the contracts: messages, clients, servers, the descriptor set, and the list of mutations.

use std::{env, fmt::Write as _, fs, path::PathBuf};

use prost_build::Config;
use protox::Compiler;

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let root = PathBuf::from("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let mut files = Vec::new();
    for package in ["common", "feed", "conventions", "followup", "payments"] {
        for entry in fs::read_dir(root.join("nonrecours").join(package).join("v1"))? {
            files.push(entry?.path());
        }
    }
    files.push(root.join("google/rpc/error_details.proto"));
    files.push(root.join("google/rpc/status.proto"));
    files.sort();

    let mut compiler = Compiler::new([&root])?;
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_files(&files)?;
    // The encoded set keeps the custom options, which the decoded one would lose.
    let encoded = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptor_set.bin"), &encoded)?;
    let mut set = compiler.file_descriptor_set();
    // The validation rules are read from the encoded set at run time: their own types are not needed.
    set.file.retain(|file| !file.package().starts_with("buf."));

    fs::write(out.join("mutations.rs"), mutations(&set)?)?;

    let mut config = Config::new();
    config
        .enable_type_names()
        .type_name_domain(["."], "type.googleapis.com");
    tonic_prost_build::configure()
        .include_file("contracts.rs")
        .compile_fds_with_config(set, config)?;
    Ok(())
}

/// Every message with a `request_id` is a mutation: one `impl Mutation` each.
fn mutations(set: &prost_types::FileDescriptorSet) -> Result<String, Error> {
    let mut text = String::new();
    for file in &set.file {
        let module = file.package().replace('.', "::");
        for message in &file.message_type {
            if message
                .field
                .iter()
                .any(|field| field.name() == "request_id")
            {
                writeln!(
                    text,
                    "impl Mutation for crate::{module}::{} {{\n    fn request_id(&self) -> &str {{\n        &self.request_id\n    }}\n}}",
                    message.name()
                )?;
            }
        }
    }
    Ok(text)
}
