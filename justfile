# The developer's habits; `just` lists them. Each is one cargo command, so nothing is lost without just.

default:
    @just --list --unsorted

# The whole system in one process, on embedded parts.
dev *arguments:
    cargo run --release -- dev {{arguments}}

# Formats the code.
fmt:
    cargo fmt --all

# Formatting, clippy and the protobuf contracts.
lint:
    cargo xtask lint

# Every test on real servers, or those that the arguments choose: `just test -p queue`.
test *arguments:
    cargo xtask test {{arguments}}

# Every decoder and the row checks against inputs made to break them: `just fuzz --target json`.
fuzz *arguments:
    cargo xtask fuzz {{arguments}}

# Keeps Kafka, PostgreSQL and an S3 server up, and prints how to point tests at them.
services:
    cargo xtask services

# Licences, sources, who may use which library, and known faults of what is used.
deny:
    docs/check licences advisories

# Contracts against those of another commit: consumers must not break (needs buf).
breaking against="HEAD~1":
    buf breaking --against '.git#ref={{against}}'

# The documentation of our own crates, where a broken link is an error.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Kafka, PostgreSQL, S3 and every role in containers.
up:
    docker compose up --build --detach

# Stops them and forgets their data.
down:
    docker compose down --volumes

# What must pass before a change lands.
ci:
    .ci/run
