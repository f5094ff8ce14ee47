# Shortcuts for contributors. `just --list` shows them; CI runs `bash .ci/run`.

# Run all tests, or those with this name: `just test http::`
test filter="":
    cargo test --locked {{ filter }}

# Check formatting and lints
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings

# Correct what can be corrected by itself
fix:
    cargo fmt
    cargo clippy --fix --allow-dirty --allow-staged --all-targets

# Check that the benchmarks run, without useful figures
bench-quick:
    cargo build --release --locked --bin wecom-relay
    cargo bench --locked --profile dev -- --quick --relay target/release/wecom-relay

# Compare this many random Go templates of each kind with amtool, and print the seed that repeats the run
go-templates count="5000":
    WECOM_RELAY_GO_TEMPLATES={{ count }} cargo test --locked --test it -- go::generated --nocapture

# Fuzz one target for a minute: payload, split, go_template or config. Needs cargo-fuzz; see tests/fuzz/README.md
fuzz target="payload":
    cd tests/fuzz && RUSTC_BOOTSTRAP=1 cargo fuzz run {{ target }} --fuzz-dir . -- -max_total_time=60

# Show what the relay does
demo:
    cargo run --locked -- demo

# Build the artefacts of a release in target/artefacts: `just dist x86_64 aarch64`, or all that this machine can build
dist *architectures:
    packaging/dist {{ architectures }}

# Write the generated Kubernetes manifests
manifests:
    packaging/kubernetes/render
