//! The queue in one SQLite database, for one machine: the same promise as Kafka's, by one database transaction a chunk.
//!
//! Offsets are dense and nothing is ever deleted. A member that joins a group takes all partitions and raises their
//! epoch, which fences whoever held them before.

mod database;
mod group;
mod lane;
mod reader;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::{
    Membership, Outgoing, Positions, Publisher, Queue, Reader, Result, Start, Stop, TopicSpec, Work,
};
use database::{Database, Message};

/// A queue in a SQLite file; several processes may open the same one.
#[derive(Debug, Clone)]
pub struct EmbeddedQueue {
    database: Arc<Database>,
}

impl EmbeddedQueue {
    /// Opens the file, making it if need be. Blocks: not for an async thread.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { database: Arc::new(Database::open(path)?) })
    }
}

impl Queue for EmbeddedQueue {
    fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<()> {
        self.database.ensure_topics(topics)
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>> {
        Ok(Box::new(EmbeddedPublisher { database: self.database.clone() }))
    }

    fn consume(&self, membership: Membership, work: Work, stop: Stop) -> Result<()> {
        group::consume(&self.database, &membership, &work, &stop)
    }

    fn reader(&self, topic: &str, start: Start) -> Result<Box<dyn Reader>> {
        Ok(Box::new(reader::EmbeddedReader::new(self.database.clone(), topic, &start)?))
    }

    fn count(&self, topic: &str) -> Result<u64> {
        Ok(self.database.ends(topic)?.values().map(|end| u64::try_from(*end).unwrap_or(0)).sum())
    }

    fn lag(&self, topic: &str, positions: Positions<'_>) -> Result<BTreeMap<i32, u64>> {
        let behind = |(partition, end): (i32, i64)| {
            let at = match positions {
                Positions::Group(group) => self.database.committed(group, topic, partition)?.next_offset,
                Positions::Offsets(offsets) => offsets.get(&partition).copied().unwrap_or(0),
            };
            Ok((partition, u64::try_from(end - at).unwrap_or(0)))
        };
        self.database.ends(topic)?.into_iter().map(behind).collect()
    }

    fn ready(&self) -> bool {
        self.database.answers()
    }
}

struct EmbeddedPublisher {
    database: Arc<Database>,
}

impl Publisher for EmbeddedPublisher {
    fn publish(&mut self, messages: &[Outgoing<'_>]) -> Result<()> {
        let messages: Vec<Message> = messages.iter().map(Message::from).collect();
        self.database.append(&messages, None)
    }
}
