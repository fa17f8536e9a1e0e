//! Messages that come onto a topic once more, as after a scanner that died, and how far a group is with it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::Result;
use queue::kafka::{KafkaConfig, KafkaQueue};
use queue::{Outgoing, Positions, Queue, Start};

use crate::consumer::Message;

fn queue(bootstrap: &str) -> Result<KafkaQueue> {
    Ok(KafkaQueue::new(KafkaConfig::new(bootstrap))?)
}

/// Puts the messages on the topic so many times more, each time under other keys, and so on other partitions.
pub fn republish(bootstrap: &str, topic: &str, messages: &[Message], times: usize) -> Result<()> {
    let mut publisher = queue(bootstrap)?.publisher()?;
    for time in 0..times {
        let keys: Vec<Vec<u8>> =
            messages.iter().map(|message| [&message.key, time.to_string().as_bytes()].concat()).collect();
        let again: Vec<Outgoing<'_>> = messages
            .iter()
            .zip(&keys)
            .map(|(message, key)| Outgoing { topic, key, value: &message.value, headers: &[] })
            .collect();
        publisher.publish(&again)?;
    }
    Ok(())
}

/// True once the group has committed all that is on the topic.
pub fn is_through(bootstrap: &str, group: &str, topic: &str) -> Result<bool> {
    Ok(queue(bootstrap)?.lag(topic, Positions::Group(group))?.values().all(|lag| *lag == 0))
}

/// Publishes the newest messages of the topic once more, at most so many.
pub fn republish_some(bootstrap: &str, topic: &str, most: usize) -> Result<()> {
    let queue = queue(bootstrap)?;
    let mut reader = queue.reader(topic, Start::Beginning)?;
    let mut newest = VecDeque::with_capacity(most);
    let begun = Instant::now();
    // A broker that is away keeps the end from being met; what was read by then is enough.
    while begun.elapsed() < Duration::from_secs(5) {
        match reader.next(Duration::from_millis(100))? {
            Some(message) => {
                if newest.len() == most {
                    newest.pop_front();
                }
                newest.push_back(Message { key: message.key, value: message.value });
            }
            None if reader.at_end()? => break,
            None => {}
        }
    }
    // And one that is away now will be back: the keys are then published another time.
    let _ = republish(bootstrap, topic, newest.make_contiguous(), 1);
    Ok(())
}
