//! Turns the frontend's WebAssembly, as linked by rustc, into what a browser loads: one module per
//! part of the dashboard, and the JavaScript that loads the first of them.
//!
//! It does what the commands `wasm-split-cli` and `wasm-bindgen` do, with the libraries behind
//! them. Compiling the commands took ten minutes on two cores, most of it for test servers and
//! downloads that are not needed here.
//!
//! Usage: `page-builder INPUT.wasm FOLDER`. The folder must not exist.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use wasm_bindgen_cli_support::Bindgen;
use wasm_split_cli_support::{Options, transform};

/// Base name of the first module's files.
const NAME: &str = "latchkey";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [input, folder] = arguments.as_slice() else {
        bail!("usage: page-builder INPUT.wasm FOLDER");
    };
    if folder.exists() {
        bail!("{} exists already", folder.display());
    }
    let wasm = fs::read(input).with_context(|| format!("reading {}", input.display()))?;
    fs::create_dir_all(folder)?;
    let first = folder.join(format!("{NAME}.wasm"));
    split(&wasm, folder, &first).context("splitting")?;
    write_script(&first, folder).context("writing the JavaScript")?;
    fs::remove_file(first)?;
    Ok(())
}

/// Splits the WebAssembly at the functions marked `#[lazy]`. The first module still has to go
/// through wasm-bindgen; the others are final.
fn split(wasm: &[u8], folder: &Path, first: &Path) -> anyhow::Result<()> {
    let script = format!("./{NAME}.js");
    let mut options = Options::new(wasm);
    options.output_dir = folder;
    options.main_out_path = first;
    options.main_module = &script;
    transform(options).map_err(|error| anyhow!("{error:?}"))?;
    Ok(())
}

fn write_script(first: &Path, folder: &Path) -> anyhow::Result<()> {
    Bindgen::new()
        .input_path(first)
        .web(true)?
        .typescript(false)
        .keep_lld_exports(true)
        .demangle(false)
        .out_name(NAME)
        .generate(folder)
}
