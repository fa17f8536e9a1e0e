//! An OpenID Connect provider whose every answer is the test's: the keys that it publishes, and the tokens that it gives, which
//! may be such as no provider gives.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// See the module. Ends with the process.
#[derive(Debug, Clone)]
pub struct TokenIssuer {
    issuer: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    keys: Vec<Value>,
    asked: usize,
    token: String,
    exchanged: Vec<String>,
}

impl TokenIssuer {
    /// Starts one that publishes these keys.
    pub fn start(keys: Vec<Value>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let issuer = format!("http://{}", listener.local_addr()?);
        let state = State { keys, ..State::default() };
        let started = Self { issuer, state: Arc::new(Mutex::new(state)) };
        let serving = started.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who hangs up gets no answer.
                let _ = serving.answer(stream);
            }
        });
        Ok(started)
    }

    /// `http://HOST:PORT`
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Publishes these keys from now on.
    pub fn publish(&self, keys: Vec<Value>) {
        self.state().keys = keys;
    }

    /// How often its keys were asked for.
    pub fn asked(&self) -> usize {
        self.state().asked
    }

    /// Gives this token for every code from now on.
    pub fn give(&self, token: &str) {
        token.clone_into(&mut self.state().token);
    }

    /// The requests for tokens so far, head and form.
    pub fn exchanged(&self) -> Vec<String> {
        self.state().exchanged.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, mut stream: TcpStream) -> Result<()> {
        let request = read(&mut stream)?;
        let issuer = &self.issuer;
        let body = {
            let mut state = self.state();
            if request.starts_with("GET /keys ") {
                state.asked += 1;
                json!({ "keys": state.keys })
            } else if request.starts_with("POST /token ") {
                state.exchanged.push(request);
                json!({ "access_token": "opaque", "token_type": "Bearer", "id_token": state.token })
            } else {
                json!({
                    "issuer": issuer,
                    "jwks_uri": format!("{issuer}/keys"),
                    "authorization_endpoint": format!("{issuer}/authorize"),
                    "token_endpoint": format!("{issuer}/token"),
                })
            }
        };
        let body = body.to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes())?;
        Ok(())
    }
}

/// A whole request, head and body.
fn read(stream: &mut TcpStream) -> Result<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
            });
            if body.len() >= length.unwrap_or(0) {
                return Ok(text);
            }
        }
        let mut part = [0; 4096];
        let read = stream.read(&mut part)?;
        bytes.extend_from_slice(
            part.get(..read).filter(|part| !part.is_empty()).context("a request breaks off")?,
        );
    }
}

/// A key that signs tokens, of one's own making.
#[derive(Debug)]
pub enum TokenKey {
    /// ES256
    Ec(EcdsaKeyPair),
    /// EdDSA
    Ed(Ed25519KeyPair),
}

impl TokenKey {
    /// A new key for ES256.
    pub fn ec() -> Result<Self> {
        let (random, rules) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(rules, &random).ok().context("a new key")?;
        let pair = EcdsaKeyPair::from_pkcs8(rules, pkcs8.as_ref(), &random);
        Ok(Self::Ec(pair.ok().context("a key")?))
    }

    /// A new key for EdDSA.
    pub fn ed() -> Result<Self> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok().context("a new key")?;
        Ok(Self::Ed(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).ok().context("a key")?))
    }

    /// The public key: an uncompressed point, or the key's 32 bytes.
    pub fn public(&self) -> &[u8] {
        match self {
            Self::Ec(pair) => pair.public_key().as_ref(),
            Self::Ed(pair) => pair.public_key().as_ref(),
        }
    }

    /// The public key as a JWK of this id.
    pub fn published(&self, id: &str) -> Value {
        match self {
            Self::Ec(_) => {
                let (x, y) = self.public().get(1..).unwrap_or_default().split_at(32);
                let (x, y) = (BASE64.encode(x), BASE64.encode(y));
                json!({ "kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "alg": "ES256", "x": x, "y": y })
            }
            Self::Ed(_) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": BASE64.encode(self.public()) })
            }
        }
    }

    /// A token of this header and these claims, signed by this key whatever the header says.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        token(header, claims, |message| match self {
            Self::Ec(pair) => {
                let signed = pair.sign(&SystemRandom::new(), message);
                signed.map(|signature| signature.as_ref().to_vec()).unwrap_or_default()
            }
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        })
    }
}

/// A token with whatever signature is given.
pub fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |value: &Value| BASE64.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = BASE64.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}
