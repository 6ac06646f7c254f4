//! Keeps the section in which pgrx leaves the SQL of the extension: the linker would drop it from the shared library, as nothing
//! refers to it. `cargo pgrx install` passes the same flag for all crates alike, which makes cargo build each twice.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=-Wl,--no-gc-sections");
}
