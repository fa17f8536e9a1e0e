//! A queue under test, with topics of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use queue::embedded::EmbeddedQueue;
use queue::kafka::{KafkaConfig, KafkaQueue};
use queue::{Incoming, Lane, Membership, Outgoing, Queue, Reader, Result, Start, TopicSpec};
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Bench {
    pub(crate) queue: Arc<dyn Queue>,
    _dir: Option<TempDir>,
}

/// Topics and a group that no other test uses.
pub(crate) struct Names {
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) other: String,
    pub(crate) group: String,
}

impl Bench {
    pub(crate) fn embedded() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let queue = EmbeddedQueue::open(&dir.path().join("queue.db")).unwrap();
        Self { queue: Arc::new(queue), _dir: Some(dir) }
    }

    pub(crate) fn kafka() -> Self {
        let bootstrap = services::shared::kafka().unwrap().bootstrap().to_owned();
        // The broker's shortest, so that a member that left is soon missed.
        let properties = BTreeMap::from([("session.timeout.ms".to_owned(), "6000".to_owned())]);
        let config = KafkaConfig { properties, replication: 1, ..KafkaConfig::new(bootstrap) };
        let queue = KafkaQueue::new(config).unwrap();
        Self { queue: Arc::new(queue), _dir: None }
    }

    pub(crate) fn topics(&self, partitions: i32) -> Names {
        let id = Uuid::new_v4().simple();
        let names = Names {
            input: format!("input-{id}"),
            output: format!("output-{id}"),
            other: format!("other-{id}"),
            group: format!("group-{id}"),
        };
        let spec = |name: &String| TopicSpec { name: name.clone(), partitions };
        let topics = [&names.input, &names.output, &names.other].map(spec);
        self.queue.ensure_topics(&topics).unwrap();
        // Making them again changes nothing.
        self.queue.ensure_topics(&topics).unwrap();
        names
    }

    pub(crate) fn publish(&self, topic: &str, messages: &[(&str, &str)]) {
        let outgoing: Vec<Outgoing<'_>> =
            messages.iter().map(|(key, value)| message(topic, key, value)).collect();
        self.queue.publisher().unwrap().publish(&outgoing).unwrap();
    }

    /// All that a reader sees from the beginning.
    pub(crate) fn read(&self, topic: &str) -> Vec<Incoming> {
        drain(self.queue.reader(topic, Start::Beginning).unwrap().as_mut())
    }

    pub(crate) fn values(&self, topic: &str) -> Vec<String> {
        let mut values: Vec<String> = self.read(topic).into_iter().map(text).collect();
        values.sort();
        values
    }

    /// Joins the group, runs `work` on a lane until it succeeds once, and leaves.
    pub(crate) fn work<T: Send + 'static>(
        &self,
        names: &Names,
        work: impl Fn(&mut dyn Lane) -> Result<T> + Send + Sync + 'static,
    ) -> T {
        self.member(names, "member", work).join().unwrap()
    }

    /// The same on a thread of its own.
    pub(crate) fn member<T: Send + 'static>(
        &self,
        names: &Names,
        member: &str,
        work: impl Fn(&mut dyn Lane) -> Result<T> + Send + Sync + 'static,
    ) -> std::thread::JoinHandle<T> {
        let membership =
            Membership { group: names.group.clone(), topic: names.input.clone(), member: member.to_owned() };
        let done = Arc::new(AtomicBool::new(false));
        let result = Arc::new(Mutex::new(None));
        let (queue, begun) = (self.queue.clone(), Instant::now());
        std::thread::spawn(move || {
            let stop = {
                let done = done.clone();
                Arc::new(move || done.load(Ordering::SeqCst) || begun.elapsed() > PATIENCE)
            };
            let slot = result.clone();
            let once = Arc::new(move |lane: &mut dyn Lane| {
                if done.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(5));
                    return Ok(());
                }
                let worked = work(lane)?;
                slot.lock().unwrap().get_or_insert(worked);
                done.store(true, Ordering::SeqCst);
                Ok(())
            });
            // A member that was replaced is told so; what its lane saw is in the result all the same.
            let consumed = queue.consume(membership, once, stop);
            let result = result.lock().unwrap().take();
            result.unwrap_or_else(|| panic!("the work was not done in time: {consumed:?}"))
        })
    }
}

pub(crate) fn message<'a>(topic: &'a str, key: &'a str, value: &'a str) -> Outgoing<'a> {
    Outgoing { topic, key: key.as_bytes(), value: value.as_bytes(), headers: &[] }
}

pub(crate) fn text(message: Incoming) -> String {
    String::from_utf8(message.value).unwrap()
}

/// The next message of a lane, however long it takes.
pub(crate) fn next(lane: &mut dyn Lane) -> Result<Incoming> {
    let begun = Instant::now();
    loop {
        if let Some(message) = lane.next(Duration::from_millis(100))? {
            return Ok(message);
        }
        assert!(begun.elapsed() < PATIENCE, "no message came");
    }
}

/// What a reader still has.
pub(crate) fn drain(reader: &mut dyn Reader) -> Vec<Incoming> {
    let mut messages = Vec::new();
    let begun = Instant::now();
    loop {
        match reader.next(Duration::from_millis(100)).unwrap() {
            Some(message) => messages.push(message),
            None if reader.at_end().unwrap() => return messages,
            None => assert!(begun.elapsed() < PATIENCE, "the end never came"),
        }
    }
}

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
