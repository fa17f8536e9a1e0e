//! Event notifications of a bucket, read from the SQS queue that they are sent to.

mod error;
mod notification;
mod queue;

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Config, IdentityCache, Region, StalledStreamProtectionConfig};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message};
use jiff::civil::Date;

use crate::bucket::http_client;
use crate::credentials::Session;
use crate::{ListedObject, Location};

pub use error::EventsError;
pub use queue::EventQueue;

/// The longest that SQS holds a request open.
const LONG_POLL_SECONDS: i32 = 20;
/// The most that SQS gives or deletes at once.
const BATCH: i32 = 10;
/// What was received and not deleted comes again after that. Long enough for a registry that restarts; short enough that
/// what a crash left, or a long poll that was given up, is not late.
const VISIBILITY_SECONDS: i32 = 60;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Until the first byte of an answer: longer than a long poll.
const READ_TIMEOUT: Duration = Duration::from_secs(40);
const ATTEMPTS: u32 = 3;

/// An object as an event tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventObject {
    /// That of its folder.
    pub date: Date,
    /// Its time of upload is that of the event.
    pub object: ListedObject,
    /// Orders the events of one key, by length and then by letters; empty where not told.
    pub sequencer: String,
}

/// What was received; its messages come again unless [`Events::delete`] is given it.
#[derive(Debug, Default)]
pub struct Received {
    /// Objects that listing the location would find, each key once, by its last event.
    pub objects: Vec<EventObject>,
    /// Messages received, those that say nothing of interest among them.
    pub messages: usize,
    /// Messages that were not understood. They are left to the queue's own dead letter policy.
    pub not_understood: usize,
    handles: Vec<String>,
}

/// The event queue of a location, opened.
#[derive(Debug)]
pub struct Events {
    client: aws_sdk_sqs::Client,
    queue: EventQueue,
    location: Location,
    session: Session,
}

impl Events {
    /// Makes the client; nothing is sent before the first call. The session is the one that reads the bucket.
    pub fn open(queue: EventQueue, location: Location, credentials: SharedCredentialsProvider) -> Self {
        let session = Session::new(credentials);
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
        let region = queue.region().or(location.region.as_deref()).unwrap_or("us-east-1").to_owned();
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client(queue.endpoint_url()))
            .region(Region::new(region))
            .credentials_provider(session.clone())
            .identity_cache(IdentityCache::no_cache())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts)
            // A long poll is silent by design.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(url) = queue.endpoint_url() {
            config = config.endpoint_url(url);
        }
        let client = aws_sdk_sqs::Client::from_conf(config.build());
        Self { client, queue, location, session }
    }

    /// The queue that is read.
    pub fn queue(&self) -> &EventQueue {
        &self.queue
    }

    /// Receives once without waiting, to see that it is allowed; what came is there again at once.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub async fn probe(&self) -> Result<(), EventsError> {
        self.messages(0, 0).await.map(drop)
    }

    /// Waits up to 20 seconds for messages, and takes what is there, at most so many and ten beyond.
    ///
    /// # Errors
    ///
    /// Those of SQS, of the session and of the network, where nothing was received before.
    pub async fn receive(&self, limit: usize) -> Result<Received, EventsError> {
        let mut received = Received::default();
        let mut wait = LONG_POLL_SECONDS;
        loop {
            let messages = match self.messages(wait, VISIBILITY_SECONDS).await {
                Ok(messages) => messages,
                Err(err) if received.messages == 0 => return Err(err),
                // What is in hand is hidden from everyone else; the next call meets the error again.
                Err(_) => Vec::new(),
            };
            let is_full = messages.len() >= BATCH as usize;
            received.take(messages, &self.location);
            if !is_full || received.messages >= limit {
                return Ok(received.last_of_each_key());
            }
            wait = 0;
        }
    }

    /// Deletes what was received, but for what was not understood. Where SQS does not delete a message, it comes again.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub async fn delete(&self, received: &Received) -> Result<(), EventsError> {
        for handles in received.handles.chunks(BATCH as usize) {
            let answer = self
                .call("sqs:DeleteMessage", || {
                    let mut delete = self.client.delete_message_batch().queue_url(self.queue.url());
                    for (n, handle) in handles.iter().enumerate() {
                        let entry = DeleteMessageBatchRequestEntry::builder();
                        // Both are set, so that it builds.
                        let entry = entry.id(n.to_string()).receipt_handle(handle).build().ok();
                        delete = entry.into_iter().fold(delete, |delete, entry| delete.entries(entry));
                    }
                    delete.send()
                })
                .await?;
            for failed in answer.failed() {
                tracing::warn!(queue = %self.queue, code = failed.code(),
                    "a message was not deleted and comes again");
            }
        }
        Ok(())
    }

    async fn messages(&self, wait: i32, hidden: i32) -> Result<Vec<Message>, EventsError> {
        let answer = self
            .call("sqs:ReceiveMessage", || {
                let receive = self.client.receive_message().queue_url(self.queue.url());
                receive
                    .max_number_of_messages(BATCH)
                    .wait_time_seconds(wait)
                    .visibility_timeout(hidden)
                    .send()
            })
            .await?;
        Ok(answer.messages.unwrap_or_default())
    }

    async fn call<T, E, F>(&self, action: &'static str, send: impl Fn() -> F) -> Result<T, EventsError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let queue = || self.queue.url().to_owned();
        self.session
            .call(
                |err| EventsError::from_credentials(err, queue()),
                |err| matches!(err, EventsError::CredentialsRefused { .. }),
                |reason| EventsError::Unavailable { queue: queue(), reason },
                || {
                    let sent = send();
                    async move { sent.await.map_err(|err| EventsError::from_sdk(err, queue(), action)) }
                },
            )
            .await
    }
}

impl Received {
    fn take(&mut self, messages: Vec<Message>, location: &Location) {
        for message in messages {
            self.messages += 1;
            match notification::objects(message.body().unwrap_or_default(), location) {
                Ok(objects) => {
                    self.objects.extend(objects);
                    self.handles.extend(message.receipt_handle);
                }
                Err(err) => {
                    self.not_understood += 1;
                    tracing::warn!(message_id = message.message_id(), %err,
                        "a message of the event queue is not understood and left to its dead letter policy");
                }
            }
        }
    }

    fn last_of_each_key(mut self) -> Self {
        let mut last: HashMap<String, EventObject> = HashMap::with_capacity(self.objects.len());
        for object in self.objects.drain(..) {
            let order = |one: &EventObject| (one.sequencer.len(), one.sequencer.clone());
            if last.get(&object.object.key).is_none_or(|known| order(known) <= order(&object)) {
                last.insert(object.object.key.clone(), object);
            }
        }
        self.objects = last.into_values().collect();
        self.objects.sort_by(|a, b| a.object.key.cmp(&b.object.key));
        self
    }
}
