//! The pages: one module each. A page asks the registry by its session's token and shows what it says; what an account may
//! see is the registry's to say.

pub(crate) mod accounts;
pub(crate) mod check;
pub(crate) mod place;
pub(crate) mod samples;
pub(crate) mod setup;
pub(crate) mod sign_in;
pub(crate) mod sign_in_provider;
pub(crate) mod source;
pub(crate) mod sources;
