#![doc = include_str!("../README.md")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub mod embedded;
pub mod kafka;
mod partitioner;

pub use partitioner::partition;

/// A failed queue operation.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Another owner has the partition, or the transaction timed out: the chunk in hand is lost to this lane, which
    /// must end; the next owner goes on from the committed offset and checkpoint.
    #[error("partition {topic}/{partition} is no longer held: {reason}")]
    Fenced {
        /// Topic of the lane.
        topic: String,
        /// Partition of the lane.
        partition: i32,
        /// What the queue said.
        reason: String,
    },
    /// The transaction failed and was or must be aborted; [`Lane::abort`], then go on from [`Lane::checkpoint`].
    #[error("the transaction was not committed: {0}")]
    Aborted(String),
    /// The queue cannot be reached or refuses for now; worth another try.
    #[error("the queue is unavailable: {0}")]
    Unavailable(String),
    /// The queue does not let this client do what it asked for; the message says what to change. Not worth another try.
    #[error("the queue denies access: {0}")]
    Denied(String),
    /// The queue does not accept who this is; the message says what to change. Where it did before, worth another try:
    /// credentials are changed while clients run, and a broker that is starting may not know them yet.
    #[error("the queue does not accept who this is: {0}")]
    Unauthenticated(String),
    /// Will not work however often it is tried: wrong settings, no such topic, a message too large.
    #[error("the queue refused: {0}")]
    Permanent(String),
}

/// The result of a queue operation.
pub type Result<T> = std::result::Result<T, QueueError>;

/// The default of the largest message: a row of 1 MiB, and as much again for the names of its columns, twice over.
pub const MAX_MESSAGE_BYTES: u32 = 4 << 20;

/// A topic to be made.
#[derive(Debug, Clone)]
pub struct TopicSpec {
    /// Name.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
}

/// A message to be published. The partition is chosen by key (Kafka's default murmur2 partitioner, in both adapters).
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Key: messages of one key keep their order.
    pub key: &'a [u8],
    /// Value.
    pub value: &'a [u8],
    /// Headers, in order.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// A message as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Partition.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
    /// Key; empty where the message has none.
    pub key: Vec<u8>,
    /// Value.
    pub value: Vec<u8>,
    /// Headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// Where the partition stands after a chunk.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// The offset that the partition's next owner reads first.
    pub next_offset: i64,
    /// What the next owner must know to go on in mid-message; empty where it begins at a message's start. At most
    /// 3,000 bytes: it is kept in the offset's metadata, base64 on Kafka, where 4,096 bytes is the broker's default
    /// limit.
    pub checkpoint: &'a [u8],
}

/// One assigned partition on a thread of its own, with its transactional producer.
pub trait Lane: Send {
    /// Topic of the partition.
    fn topic(&self) -> &str;
    /// The partition.
    fn partition(&self) -> i32;
    /// The checkpoint that stands with the committed offset; empty where there is none. After [`Lane::commit`] it is
    /// what was committed.
    fn checkpoint(&self) -> &[u8];
    /// Waits up to `timeout` for the next message. After a commit of a mid-message checkpoint the lane goes on in the
    /// message it holds; after [`Lane::abort`] the first message is again that of the committed offset.
    fn next(&mut self, timeout: Duration) -> Result<Option<Incoming>>;
    /// Adds a message to the chunk in hand, opening a transaction if none is open. Blocks while the producer's buffer
    /// is full.
    fn publish(&mut self, message: Outgoing<'_>) -> Result<()>;
    /// How many partitions the lane's topic has.
    fn partitions(&self) -> Result<i32>;
    /// As [`Lane::publish`], on `partition` of the topic, whatever the key.
    fn publish_to(&mut self, partition: i32, message: Outgoing<'_>) -> Result<()>;
    /// Commits the chunk's messages together with the offset and checkpoint.
    fn commit(&mut self, commit: Commit<'_>) -> Result<()>;
    /// Drops the chunk in hand; nothing of it is ever seen. Rewinds to the committed offset.
    fn abort(&mut self) -> Result<()>;
    /// The largest message that the queue takes, in bytes of key, value and headers together.
    fn max_message_bytes(&self) -> usize;
    /// True once the partition is to be let go: commit or abort what is in hand and return.
    fn revoked(&self) -> bool;
}

/// Publishes messages outside of any consume-and-publish chunk, durably and in order.
pub trait Publisher: Send {
    /// Publishes all, and returns once every one is durable (acknowledged by all in-sync replicas).
    fn publish(&mut self, messages: &[Outgoing<'_>]) -> Result<()>;
}

/// Reads a whole topic, every partition, committed messages only; belongs to no group.
pub trait Reader: Send {
    /// Waits up to `timeout` for the next message of any partition.
    fn next(&mut self, timeout: Duration) -> Result<Option<Incoming>>;
    /// Goes on from `offset` in `partition`.
    fn seek(&mut self, partition: i32, offset: i64) -> Result<()>;
    /// True where every message committed before the reader was opened has been read.
    fn at_end(&mut self) -> Result<bool>;
}

/// Where a reader begins in each partition.
#[derive(Debug, Clone)]
pub enum Start {
    /// At the oldest message.
    Beginning,
    /// Behind the newest message.
    End,
    /// At the given offsets by partition; the oldest message in partitions that are not named.
    Offsets(BTreeMap<i32, i64>),
}

/// How far a topic has been read.
#[derive(Debug, Clone, Copy)]
pub enum Positions<'a> {
    /// As far as this group has committed.
    Group(&'a str),
    /// Up to these offsets by partition; not at all in partitions that are not named.
    Offsets(&'a BTreeMap<i32, i64>),
}

/// Who consumes what.
#[derive(Debug, Clone)]
pub struct Membership {
    /// Consumer group.
    pub group: String,
    /// Topic.
    pub topic: String,
    /// Names this member among the group's, and stays the same over a restart of the process (static membership).
    pub member: String,
}

/// Says when to stop: true once shutdown was asked for.
pub type Stop = Arc<dyn Fn() -> bool + Send + Sync>;

/// What runs on an assigned partition until it is revoked or fails. A lane whose work returns an error is reopened from
/// the committed offset, after a pause that grows.
pub type Work = Arc<dyn Fn(&mut dyn Lane) -> Result<()> + Send + Sync>;

/// A queue.
pub trait Queue: Send + Sync + 'static {
    /// Makes the topics that do not exist; leaves the others as they are.
    fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<()>;
    /// A publisher for messages of its own (the scanner's).
    fn publisher(&self) -> Result<Box<dyn Publisher>>;
    /// Joins the group and runs `work` on each partition it is assigned, one thread a partition, until `stop` says
    /// so; on revocation and on stop every lane is told, and waited for, before its partition is let go.
    fn consume(&self, membership: Membership, work: Work, stop: Stop) -> Result<()>;
    /// A reader of the whole topic.
    fn reader(&self, topic: &str, start: Start) -> Result<Box<dyn Reader>>;
    /// The number of committed messages on the topic.
    fn count(&self, topic: &str) -> Result<u64>;
    /// Messages of each partition of `topic` that lie behind these positions. Kafka counts the ends of transactions among them.
    fn lag(&self, topic: &str, positions: Positions<'_>) -> Result<BTreeMap<i32, u64>>;
    /// True where the queue answers.
    fn ready(&self) -> bool;
}
