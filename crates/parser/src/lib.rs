//! Claim a file, stream it down the pipe, commit
