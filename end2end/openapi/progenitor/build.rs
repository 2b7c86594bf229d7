//! Makes the client of the document that `LATCHKEY_OPENAPI` names, which is one of OpenAPI 3.0.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=LATCHKEY_OPENAPI");
    let document = env::var("LATCHKEY_OPENAPI")?;
    println!("cargo:rerun-if-changed={document}");
    let document = serde_json::from_str(&fs::read_to_string(document)?)?;
    let client = progenitor_impl::Generator::default().generate_tokens(&document)?;
    let client = prettyplease::unparse(&syn::parse2(client)?);
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("client.rs"), client)?;
    Ok(())
}
