//! Compiles every proto file of the workspace; no protoc is needed.

#![expect(
    clippy::disallowed_methods,
    reason = "build scripts are told by the environment where to write"
)]

use std::{env, error::Error, fmt::Write as _, fs, path::Path, path::PathBuf};

use prost_reflect::{DescriptorPool, Value};

const PROTO_ROOT: &str = "../../proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={PROTO_ROOT}");
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new([PROTO_ROOT])?;
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_files(proto_files(Path::new(PROTO_ROOT))?)?;

    // The encoded form keeps our own method options; `file_descriptor_set()` would drop them.
    let descriptor_set = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptor_set.bin"), &descriptor_set)?;
    fs::write(out.join("permissions.rs"), permission_table(&descriptor_set)?)?;

    tonic_prost_build::configure()
        // Requests with it are compared by their bytes, so its attributes need an order.
        .btree_map(".reflex.leads.v1.Account")
        .btree_map(".reflex.leads.v1.DuplicatePolicy")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

/// Lists every proto file below `root`, relative to it.
fn proto_files(root: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                files.push(path.strip_prefix(root)?.to_path_buf());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Writes the table `method path → permission`, so that the permission layer needs no reflection at run time.
fn permission_table(descriptor_set: &[u8]) -> Result<String, Box<dyn Error>> {
    let pool = DescriptorPool::decode(descriptor_set)?;
    let permission = pool
        .get_extension_by_name("reflex.options.v1.permission")
        .ok_or("the permission option")?;
    let mut table = String::from("&[\n");
    for service in pool.services() {
        for method in service.methods() {
            let options = method.options();
            let granted = options.get_extension(&permission);
            let granted = match &*granted {
                Value::String(text) if !text.is_empty() => Some(text.as_str()),
                _ => None,
            };
            writeln!(
                table,
                "    (\"/{}/{}\", {granted:?}),",
                service.full_name(),
                method.name()
            )?;
        }
    }
    table.push(']');
    Ok(table)
}
