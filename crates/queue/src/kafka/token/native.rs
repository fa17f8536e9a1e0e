//! Hands a token to a client that does not ask for it.
//!
//! librdkafka asks by an event on the client's main queue, which the binding serves for consumers and producers when they
//! are polled. It does not for admin clients, and has no safe call that sets a token, so this one call is made directly
//! (docs/decisions/0021-one-unsafe-call-hands-admin-clients-their-token.md). An admin client lives for one operation, within
//! the life of any token.

use std::ffi::CString;
use std::os::raw::c_char;
use std::ptr;

use rdkafka::ClientContext;
use rdkafka::admin::AdminClient;
use rdkafka::bindings::{rd_kafka_oauthbearer_set_token, rd_kafka_resp_err_t};
use rdkafka::client::OAuthToken;

use super::TokenError;

/// librdkafka cuts what it says to the buffer that it is given.
const MESSAGE: usize = 512;

/// Sets the client's token.
pub(in crate::kafka) fn hand_over<C: ClientContext>(
    admin: &AdminClient<C>,
    token: OAuthToken,
) -> Result<(), TokenError> {
    let unfit = |_| TokenError::Denied("the token holds a zero byte".to_owned());
    let value = CString::new(token.token).map_err(unfit)?;
    let principal = CString::new(token.principal_name).map_err(unfit)?;
    let mut message: [c_char; MESSAGE] = [0; MESSAGE];
    // SAFETY: the client is alive as long as `admin` is borrowed, and librdkafka's calls may come from any thread. Both strings
    // end in a zero byte, outlive the call and are copied by it; no extensions are given, with their count of 0; `message` is
    // as long as is said, and what is written into it ends in a zero byte.
    #[allow(unsafe_code, reason = "the binding has no safe call for it")]
    let code = unsafe {
        rd_kafka_oauthbearer_set_token(
            admin.inner().native_ptr(),
            value.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            ptr::null_mut(),
            0,
            message.as_mut_ptr(),
            MESSAGE,
        )
    };
    if code == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    let said: Vec<u8> =
        message.iter().take_while(|byte| **byte != 0).map(|byte| byte.to_ne_bytes()[0]).collect();
    Err(TokenError::Denied(format!("the token is not fit for use: {}", String::from_utf8_lossy(&said))))
}
