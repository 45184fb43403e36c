//! Link options of the module.

fn main() {
    // Once loaded it stays: PAM unloads modules at pam_end(3), and code that has left thread-local
    // destructors behind must not be unmapped under them.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo::rerun-if-changed=build.rs");
}
