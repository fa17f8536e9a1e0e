//! What a setting is where it is not given.

use std::net::SocketAddr;

pub(super) fn default_partitions() -> i32 {
    12
}
pub(super) fn default_security_protocol() -> String {
    "plaintext".into()
}
pub(super) fn default_topic_retention() -> u32 {
    7 * 24
}
pub(super) fn default_topic_internal_retention() -> u32 {
    30 * 24
}
pub(super) fn default_grpc_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7400))
}
pub(super) fn default_console_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7490))
}
pub(super) fn default_oidc_claim() -> String {
    "groups".into()
}
pub(super) fn default_oidc_name() -> String {
    "single sign-on".into()
}
pub(super) fn default_oidc_scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(Into::into).to_vec()
}
pub(super) fn default_max_upload() -> u64 {
    console::MAX_UPLOAD_BYTES
}
pub(super) fn default_max_request_bytes() -> usize {
    4 << 20
}
pub(super) fn default_region() -> String {
    "us-east-1".into()
}
pub(super) fn default_scan_interval() -> u64 {
    60_000
}
pub(super) fn default_sweep_interval() -> u64 {
    6 * 3_600_000
}
pub(super) fn default_relist_interval() -> u64 {
    900_000
}
pub(super) fn default_look_back() -> u32 {
    3
}
pub(super) fn default_max_unfinished() -> u32 {
    1_000
}
pub(super) fn default_max_message_bytes() -> u32 {
    queue::MAX_MESSAGE_BYTES
}
pub(super) fn default_value_format() -> String {
    "protobuf".into()
}
pub(super) fn default_auto_register() -> bool {
    true
}
pub(super) fn default_lease() -> u32 {
    30
}
pub(super) fn default_event_queues() -> usize {
    100
}
pub(super) fn default_most_attempts() -> u32 {
    5
}
pub(super) fn default_requests_per_second() -> u32 {
    50
}

pub(super) fn default_max_sources() -> u32 {
    100
}

pub(super) fn default_delete_grace() -> u32 {
    7 * 24
}

pub(super) fn default_ledger_retention() -> u32 {
    400
}

pub(super) fn default_upkeep_interval() -> u64 {
    300_000
}

pub(super) fn default_stuck_after() -> u64 {
    900_000
}
pub(super) fn default_stall_limit() -> u64 {
    600_000
}
pub(super) fn default_split_over() -> u64 {
    parser::Split::default().over
}
pub(super) fn default_range_bytes() -> u64 {
    parser::Split::default().range_bytes
}
pub(super) fn default_row_bytes() -> usize {
    format::Limits::default().row_bytes
}
pub(super) fn default_columns() -> usize {
    format::Limits::default().columns
}
pub(super) fn default_list_parts() -> usize {
    format::Limits::default().list_parts
}
pub(super) fn default_nesting() -> usize {
    format::Limits::default().nesting
}
pub(super) fn default_entries() -> usize {
    format::Limits::default().zip_entries
}
pub(super) fn default_expansion_ratio() -> u64 {
    format::Limits::default().expansion_ratio
}
pub(super) fn default_expansion_floor() -> u64 {
    format::Limits::default().expansion_floor
}
pub(super) fn default_chunk_rows() -> u64 {
    50_000
}
pub(super) fn default_chunk_bytes() -> u64 {
    32 << 20
}
pub(super) fn default_chunk_ms() -> u64 {
    2_000
}
pub(super) fn default_log() -> String {
    "info".into()
}
pub(super) fn default_log_format() -> String {
    "text".into()
}
