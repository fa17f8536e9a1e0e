//! A member of a consumer group, and the lanes of the partitions that it holds.
//!
//! The rebalance protocol, as it is obeyed here. The group consumer's `poll`, on the thread that called
//! [`crate::Queue::consume`], calls back: **assigned** partitions are taken up, paused at once (the group consumer reads
//! nothing), and each gets a lane on a thread of its own. **Revoked** partitions: each lane is told, finishes by
//! committing or aborting its chunk, and is waited for; only then does the callback give the partition up, so that its
//! next owner finds it at rest. A lane that does not end in time is left behind: it can no longer commit once the next
//! owner's producer has fenced it. **Lost** partitions (the session timed out) are given up alike; their lanes' commits
//! fail by the group's generation.

use std::collections::HashMap;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::client::OAuthToken;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientContext, TopicPartitionList};
use tracing::{error, info, warn};

use super::config::KafkaConfig;
use super::connection::{self, Connected, Connection};
use super::error::failed;
use super::lane::KafkaLane;
use crate::{Membership, QueueError, Result, Stop, Work};

/// One wait for the group's events.
const POLL: Duration = Duration::from_millis(100);
/// How long the lanes of revoked partitions may take to commit or abort: the whole group waits for them.
const LET_GO: Duration = Duration::from_secs(20);
/// The same where the process is to end, which orchestrators allow 10 seconds or more.
const LET_GO_AT_END: Duration = Duration::from_secs(7);
/// A member that was fenced more often than this within so long gives up.
const MOST_FENCED: usize = 3;
const FENCED_WITHIN: Duration = Duration::from_secs(300);
/// Before a fenced member joins anew, give or take a half.
const FENCED_PAUSE: Duration = Duration::from_secs(2);
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The consumer that holds the membership.
pub(super) struct GroupConsumer(BaseConsumer<Members>);

impl GroupConsumer {
    pub(super) fn consumer(&self) -> &BaseConsumer<Members> {
        &self.0
    }
}

/// A lane's thread.
struct Running {
    revoked: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// The context of the group consumer: holds the lanes.
pub(super) struct Members {
    connection: Connection,
    /// What denied a lane access: not to be had by another try, so the member ends.
    denied: Arc<Mutex<Option<QueueError>>>,
    config: Arc<KafkaConfig>,
    membership: Membership,
    work: Work,
    lanes: Mutex<HashMap<i32, Running>>,
    consumer: OnceLock<Weak<GroupConsumer>>,
}

impl ClientContext for Members {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn error(&self, error: KafkaError, reason: &str) {
        self.connection.error(error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> std::result::Result<OAuthToken, Box<dyn Error>> {
        self.connection.generate_oauth_token(config)
    }
}

impl Connected for Members {
    fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl ConsumerContext for Members {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: Code, list: &mut TopicPartitionList) {
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let done = match code {
            Code::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let taken =
                    if cooperative { consumer.incremental_assign(list) } else { consumer.assign(list) };
                taken.and_then(|()| consumer.pause(list)).map(|()| self.start(list))
            }
            Code::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                self.end(list);
                if cooperative { consumer.incremental_unassign(list) } else { consumer.unassign() }
            }
            other => {
                error!(code = ?other, "the group's rebalance failed");
                self.end_all(LET_GO);
                consumer.unassign()
            }
        };
        if let Err(error) = done {
            error!(%error, group = self.membership.group, "an assignment could not be carried out");
        }
    }
}

impl Members {
    fn start(&self, list: &TopicPartitionList) {
        let Some(group) = self.consumer.get().and_then(Weak::upgrade) else { return };
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        for element in list.elements() {
            let partition = element.partition();
            let revoked = Arc::new(AtomicBool::new(false));
            let life = LaneLife {
                config: self.config.clone(),
                group: group.clone(),
                membership: self.membership.clone(),
                work: self.work.clone(),
                partition,
                revoked: revoked.clone(),
                denied: self.denied.clone(),
            };
            let name = format!("lane-{partition}");
            match std::thread::Builder::new().name(name).spawn(move || life.run()) {
                Ok(thread) => {
                    info!(partition, topic = self.membership.topic, "partition assigned");
                    lanes.insert(partition, Running { revoked, thread });
                }
                Err(error) => error!(partition, %error, "no thread for the lane"),
            }
        }
    }

    fn denied(&self) -> Option<QueueError> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn end(&self, list: &TopicPartitionList) {
        let partitions: Vec<i32> = list.elements().iter().map(|element| element.partition()).collect();
        self.end_those(|partition| partitions.contains(&partition), LET_GO);
    }

    fn end_all(&self, patience: Duration) {
        self.end_those(|_| true, patience);
    }

    /// Tells the lanes and waits for them; all are told before one is waited for.
    fn end_those(&self, which: impl Fn(i32) -> bool, patience: Duration) {
        let mut ending = Vec::new();
        {
            let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            let partitions: Vec<i32> = lanes.keys().copied().filter(|partition| which(*partition)).collect();
            for partition in partitions {
                if let Some(running) = lanes.remove(&partition) {
                    running.revoked.store(true, Ordering::SeqCst);
                    ending.push((partition, running.thread));
                }
            }
        }
        let until = Instant::now() + patience;
        for (partition, thread) in ending {
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            if thread.is_finished() {
                if thread.join().is_err() {
                    error!(partition, "the lane's thread panicked");
                }
                info!(partition, topic = self.membership.topic, "partition let go");
            } else {
                warn!(partition, "the lane did not end in time; the partition's next owner fences it");
            }
        }
    }
}

/// Takes part in the group until `stop`.
///
/// A coordinator that died in the middle of this member's joining may have noted an id for it that it never heard of, and
/// then refuses it as fenced; so a fenced member joins anew. Where another process bears the same name the two fence each
/// other in turn: after a few times it ends.
pub(super) fn consume(
    config: &Arc<KafkaConfig>,
    membership: &Membership,
    work: &Work,
    stop: &Stop,
) -> Result<()> {
    let mut fenced: Vec<Instant> = Vec::new();
    loop {
        let Some(reason) = take_part(config, membership, work, stop)? else { return Ok(()) };
        fenced.retain(|at| at.elapsed() < FENCED_WITHIN);
        fenced.push(Instant::now());
        if fenced.len() > MOST_FENCED {
            return Err(QueueError::Permanent(format!(
                "the group refuses this member, {} times within {} s: {reason}; does another process run under the \
                 name {:?}?",
                fenced.len(),
                FENCED_WITHIN.as_secs(),
                membership.member
            )));
        }
        warn!(
            group = membership.group,
            member = membership.member,
            reason,
            "fenced from the group; joining anew"
        );
        let until = Instant::now() + FENCED_PAUSE.mul_f64(0.5 + fastrand::f64());
        while Instant::now() < until && !stop() {
            std::thread::sleep(POLL);
        }
    }
}

/// Joins the group and polls it until `stop`; gives the reason where the group fenced this member.
fn take_part(
    config: &Arc<KafkaConfig>,
    membership: &Membership,
    work: &Work,
    stop: &Stop,
) -> Result<Option<String>> {
    let topic = membership.topic.clone();
    let member = config.member(&membership.group, &membership.member);
    let context = Members {
        connection: config.connection(),
        denied: Arc::default(),
        config: config.clone(),
        membership: membership.clone(),
        work: work.clone(),
        lanes: Mutex::default(),
        consumer: OnceLock::new(),
    };
    let group = Arc::new(GroupConsumer(connection::consumer(&member, context)?));
    let consumer = group.consumer();
    // Lanes hold the consumer for its metadata; the context must not, or neither would ever be dropped.
    let _first = consumer.context().consumer.set(Arc::downgrade(&group));
    consumer.subscribe(&[&topic]).map_err(failed)?;
    while !stop() {
        if let Some(denied) = consumer.context().denied() {
            consumer.context().end_all(LET_GO_AT_END);
            return Err(denied);
        }
        match consumer.poll(POLL) {
            // A message that was fetched before its partition was paused: the lane reads it by its own consumer.
            Some(Ok(_)) | None => {}
            Some(Err(error)) => match consumer.client().fatal_error() {
                Some((RDKafkaErrorCode::FencedInstanceId, reason)) => {
                    consumer.context().end_all(LET_GO);
                    return Ok(Some(reason));
                }
                Some((code, reason)) => {
                    consumer.context().end_all(LET_GO_AT_END);
                    return Err(QueueError::Permanent(format!(
                        "the group refuses this member: {code}: {reason}"
                    )));
                }
                None => match consumer.context().connection.verdict(error) {
                    denied @ QueueError::Denied(_) => {
                        consumer.context().end_all(LET_GO_AT_END);
                        return Err(denied);
                    }
                    error => warn!(%error, "the group consumer goes on after an error"),
                },
            },
        }
    }
    consumer.context().end_all(LET_GO_AT_END);
    consumer.unsubscribe();
    Ok(None)
}

/// What a lane's thread needs to open its lane, and open it again.
struct LaneLife {
    config: Arc<KafkaConfig>,
    group: Arc<GroupConsumer>,
    membership: Membership,
    work: Work,
    partition: i32,
    revoked: Arc<AtomicBool>,
    denied: Arc<Mutex<Option<QueueError>>>,
}

impl LaneLife {
    /// Works the partition until it is revoked. A lane that failed is opened again at the committed offset.
    fn run(self) {
        let mut pause = SHORTEST_PAUSE;
        while !self.revoked.load(Ordering::SeqCst) {
            let begun = Instant::now();
            // A panic that ended the thread would leave the partition held and unread.
            match catch_unwind(AssertUnwindSafe(|| self.once())) {
                Ok(Ok(())) => {
                    pause = SHORTEST_PAUSE;
                    continue;
                }
                // No other try will do: the member is told, and ends with it.
                Ok(Err(denied @ QueueError::Denied(_))) => {
                    self.denied.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(denied);
                    return;
                }
                Ok(Err(error)) => {
                    warn!(partition = self.partition, %error, "the lane failed; it is opened again at its committed offset");
                }
                Err(_) => {
                    error!(
                        partition = self.partition,
                        "the lane panicked; it is opened again at its committed offset"
                    );
                }
            }
            if begun.elapsed() > LONGEST_PAUSE {
                pause = SHORTEST_PAUSE;
            }
            // Not all at once, after what befell them all.
            let until = Instant::now() + pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            while Instant::now() < until && !self.revoked.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(20));
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn once(&self) -> Result<()> {
        let Membership { group, topic, .. } = &self.membership;
        let mut lane = KafkaLane::open(
            &self.config,
            self.group.clone(),
            group,
            topic,
            self.partition,
            self.revoked.clone(),
        )?;
        (self.work)(&mut lane)
    }
}
