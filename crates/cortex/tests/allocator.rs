//! Memory comes from jemalloc, by the settings that it is built with (docs/decisions/0026).

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;

#[test]
#[cfg(target_os = "linux")]
fn the_binary_uses_jemalloc_by_the_settings_it_is_built_with() {
    // Only jemalloc knows the variable: it then says which settings it takes, and from where.
    let mut command = Command::new(env!("CARGO_BIN_EXE_cortex"));
    let told = command.arg("--version").env("MALLOC_CONF", "confirm_conf:true").output().unwrap();
    let text = String::from_utf8(told.stderr).unwrap();
    assert!(told.status.success(), "{text}");
    for setting in ["background_thread:true", "narenas:4", "dirty_decay_ms:1000", "muzzy_decay_ms:0"] {
        assert!(text.contains(&format!("Set conf value: {setting}")), "{setting}: {text}");
    }
}
