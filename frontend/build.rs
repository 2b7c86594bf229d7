//! Keeps the relocations in the WebAssembly, by which it is split into pieces
//! (`scripts/build-site.sh`).

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script of its target this way")]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        println!("cargo::rustc-link-arg-cdylib=--emit-relocs");
    }
}
