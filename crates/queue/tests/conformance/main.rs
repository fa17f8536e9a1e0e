//! One suite, run on both adapters: what the port promises.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bench;
mod cases;

/// Every case as a test of the module that this stands in, on the queue that `$queue` gives.
macro_rules! conformance {
    ($queue:expr, [$($case:ident),* $(,)?]) => {
        $(#[test]
        fn $case() {
            crate::cases::$case(&$queue);
        })*
    };
}

macro_rules! every_adapter {
    ($queue:expr) => {
        conformance!(
            $queue,
            [
                messages_of_one_key_keep_their_order,
                key_value_and_headers_come_back_as_they_were,
                positions_survive_a_new_member,
                a_lane_puts_messages_on_any_partition_of_its_topic,
                an_aborted_chunk_is_never_seen,
                a_chunk_is_seen_on_all_its_topics_or_on_none,
                a_checkpoint_in_mid_message_comes_back_with_the_message,
                what_was_not_committed_is_delivered_again,
                a_member_that_lost_its_partition_cannot_commit,
                a_reader_begins_where_it_is_told_and_seeks,
                lag_is_what_the_group_has_not_committed,
                a_missing_topic_is_named,
            ]
        );
    };
}

mod embedded {
    use crate::bench::Bench;

    every_adapter!(Bench::embedded());
}

mod kafka {
    use crate::bench::Bench;

    every_adapter!(Bench::kafka());
    conformance!(
        Bench::kafka(),
        [members_share_partitions_and_take_over_from_one_that_leaves, a_member_that_was_fenced_joins_anew]
    );
}
