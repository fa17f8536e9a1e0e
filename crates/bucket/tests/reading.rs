//! Reading objects on the sandbox, over a network that breaks.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

use bucket::{Bucket, BucketError, Location};
use services::TcpProxy;
use support::{Network, World, code, numbered, on_thread, only_object, read_all, reader};
use tokio::runtime::Handle;

const KEY: &str = "2026-11-23/a.bin";

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_read_whole() {
    let world = World::start().await;
    let content = numbered(3_000_001);
    world.put(KEY, &content);
    let bucket = world.bucket();
    let object = only_object(&bucket).await;
    assert!(read_all(reader(&bucket, &object)).await.unwrap() == content);
    let without_size = bucket.reader(&object.key, &object.etag, None, Handle::current());
    assert!(read_all(without_size).await.unwrap() == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_object_is_read() {
    let world = World::start().await;
    world.put(KEY, "");
    let bucket = world.bucket();
    let object = only_object(&bucket).await;
    assert_eq!(read_all(reader(&bucket, &object)).await.unwrap(), b"");
    let without_size = bucket.reader(&object.key, &object.etag, None, Handle::current());
    assert_eq!(read_all(without_size).await.unwrap(), b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn seeking_reads_what_is_there() {
    let world = World::start().await;
    let content = numbered(2_000_000);
    world.put(KEY, &content);
    let network = Network::to(&world.endpoint).await;
    let bucket = world.bucket_over(&network);
    let object = only_object(&bucket).await;
    let mut reader = bucket.reader(&object.key, &object.etag, None, Handle::current());
    on_thread(move || {
        let mut read_at = |from: SeekFrom, position: usize| {
            assert_eq!(reader.seek(from).unwrap(), position as u64);
            let mut bytes = [0; 1000];
            let wanted = &content[position..content.len().min(position + 1000)];
            reader.read_exact(&mut bytes[..wanted.len()]).unwrap();
            assert!(bytes[..wanted.len()] == *wanted, "at {position}");
        };
        read_at(SeekFrom::Start(0), 0);
        read_at(SeekFrom::Current(500), 1500);
        read_at(SeekFrom::Current(-2000), 500);
        read_at(SeekFrom::Start(400_000), 400_000);
        read_at(SeekFrom::Start(1_900_000), 1_900_000);
        read_at(SeekFrom::Start(10), 10);
        read_at(SeekFrom::End(-22), 1_999_978);
        assert_eq!(reader.read(&mut [0; 10]).unwrap(), 0);
        assert_eq!(reader.seek(SeekFrom::Start(3_000_000)).unwrap(), 3_000_000);
        assert_eq!(reader.read(&mut [0; 10]).unwrap(), 0, "behind the end");
        assert!(reader.seek(SeekFrom::End(-2_000_001)).is_err());
        assert_eq!(reader.stream_position().unwrap(), 3_000_000, "a refused seek moves nothing");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_the_end_of_an_object_of_unknown_size_is_nothing() {
    let world = World::start().await;
    world.put(KEY, "abc");
    let bucket = world.bucket();
    let object = only_object(&bucket).await;
    let mut reader = bucket.reader(&object.key, &object.etag, None, Handle::current());
    on_thread(move || {
        reader.seek(SeekFrom::Start(100)).unwrap();
        assert_eq!(reader.read(&mut [0; 10]).unwrap(), 0);
        reader.rewind().unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_connections_are_taken_up_behind_the_last_byte() {
    let world = World::start().await;
    let content = numbered(5_000_000);
    world.put(KEY, &content);
    let network = Network::to(&world.endpoint).await;
    let bucket = world.bucket_over(&network);
    let object = only_object(&bucket).await;
    network.cut_after(300_000);
    let read = read_all(reader(&bucket, &object).with_tries(2)).await.unwrap();
    assert!(read == content);
    assert!(
        network.cuts() >= 16,
        "{} cuts: more than tries, since each try brought something",
        network.cuts()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_brings_nothing_is_given_up_and_may_be_read_on_later() {
    let world = World::start().await;
    let content = numbered(16_000_000);
    world.put(KEY, &content);
    let network = Network::to(&world.endpoint).await;
    // What is under way when the network falls silent is less than the object, however slow the reader is.
    network.cut_after(1_000_000);
    let bucket = world.bucket_over(&network);
    let object = only_object(&bucket).await;
    let mut reader = reader(&bucket, &object).with_tries(3);
    on_thread(move || {
        let mut read = vec![0; 100];
        reader.read_exact(&mut read).unwrap();
        let cuts = network.cuts();
        network.cut_after(0);
        let err = reader.read_to_end(&mut read).unwrap_err();
        assert!(BucketError::of(&err).unwrap().is_passing(), "{err}");
        // Of three failures in a row the first may be that of a connection that brought something.
        assert!(network.cuts() >= cuts + 2);
        network.cut_after(u64::MAX);
        reader.read_to_end(&mut read).unwrap();
        assert!(read == content);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_replaced_before_it_is_read_is_changed() {
    let world = World::start().await;
    world.put(KEY, "first");
    let bucket = world.bucket();
    let object = only_object(&bucket).await;
    world.put(KEY, "other");
    assert_eq!(code(read_all(reader(&bucket, &object)).await), "object_changed");
    let mut reader = bucket.reader(&object.key, &object.etag, None, Handle::current());
    let err = on_thread(move || reader.seek(SeekFrom::End(0)).unwrap_err()).await;
    assert_eq!(BucketError::of(&err).unwrap().code(), "object_changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_replaced_while_it_is_read_is_changed_and_never_mixed() {
    let world = World::start().await;
    const SIZE: usize = 32 << 20;
    world.put(KEY, vec![b'a'; SIZE]);
    let bucket = world.bucket();
    let object = only_object(&bucket).await;
    let mut reader = reader(&bucket, &object);
    on_thread(move || {
        let mut read = vec![0; 1000];
        reader.read_exact(&mut read).unwrap();
        world.put(KEY, vec![b'b'; SIZE]);
        let err = reader.read_to_end(&mut read).unwrap_err();
        assert_eq!(BucketError::of(&err).unwrap().code(), "object_changed", "{err}");
        assert!(read.iter().all(|byte| *byte == b'a'));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_gone_is_told_from_one_that_is_denied() {
    let world = World::start().await;
    let path = world.put(KEY, "a");
    let bucket = world.bucket();
    let object = only_object(&bucket).await;
    std::fs::remove_file(path).unwrap();
    assert_eq!(code(read_all(reader(&bucket, &object)).await), "not_found");
    let outside = bucket.reader("elsewhere/a.csv", "etag", None, Handle::current());
    assert_eq!(code(read_all(outside).await), "access_denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_while_an_object_is_read_is_replaced() {
    let world = World::start().await;
    let content = numbered(4_000_000);
    world.put(KEY, &content);
    let bucket = world.bucket();
    let object = only_object(&bucket).await;
    let mut reader = reader(&bucket, &object);
    let first = world.registry.current_key();
    on_thread(move || {
        let mut read = vec![0; 1000];
        reader.read_exact(&mut read).unwrap();
        world.sessions.expire_all();
        reader.seek(SeekFrom::Start(1_000_000)).unwrap();
        reader.read_exact(&mut read).unwrap();
        assert!(read == content[1_000_000..1_001_000]);
        assert_eq!(world.registry.refused(), [first]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_stay_refused_end_reading() {
    let world = World::start().await;
    world.put(KEY, "abc");
    let bucket = world.bucket();
    let object = only_object(&bucket).await;
    world.registry.fail(tonic::Status::failed_precondition("the trust policy was changed"));
    world.sessions.expire_all();
    assert_eq!(code(read_all(reader(&bucket, &object)).await), "credentials_refused");
    let stranger = Bucket::open(world.location(), support::static_keys("AKIANOBODY", "secret"));
    assert_eq!(code(read_all(reader(&stranger, &object)).await), "credentials_refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_waits_makes_s3_wait() {
    let world = World::start().await;
    world.put(KEY, numbered(64 << 20));
    let network = Network::to(&world.endpoint).await;
    let bucket = world.bucket_over(&network);
    let object = only_object(&bucket).await;
    let mut reader = reader(&bucket, &object);
    let brought = on_thread(move || {
        reader.read_exact(&mut [0; 1]).unwrap();
        std::thread::sleep(Duration::from_secs(1));
        network.brought()
    })
    .await;
    // 2 MiB in the channel; the rest lies in the buffers of sockets.
    assert!(brought < 24 << 20, "{brought} bytes for a reader that took one chunk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_waits_is_stopped() {
    let world = World::start().await;
    world.put(KEY, numbered(64 << 20));
    let proxy = TcpProxy::start(world.endpoint.strip_prefix("http://").unwrap()).unwrap();
    let endpoint_url = Some(format!("http://{}", proxy.address()));
    let bucket = Bucket::open(Location { endpoint_url, ..world.location() }, world.issued());
    let object = only_object(&bucket).await;
    let mut reader = reader(&bucket, &object).with_tries(1);
    let stop = reader.stop_on_drop();
    on_thread(move || {
        reader.read_exact(&mut [0; 1]).unwrap();
        proxy.stall();
        // The network holds the greater part of it.
        let reading = std::thread::spawn(move || reader.read_to_end(&mut Vec::new()).unwrap_err());
        drop(stop);
        let err = reading.join().unwrap();
        assert!(err.to_string().contains("the reader has stopped"), "{err}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_ends_where_it_is_told_to_and_asks_for_no_more() {
    let world = World::start().await;
    let content = numbered(20 << 20);
    world.put(KEY, &content);
    let network = Network::to(&world.endpoint).await;
    let bucket = world.bucket_over(&network);
    let object = only_object(&bucket).await;
    for (from, end) in [(0, 700_000), (3_000_000, 3_700_000), (20_000_000, 30_000_000), (5, 5), (9, 7)] {
        let mut reader = reader(&bucket, &object).until(end);
        reader.seek(SeekFrom::Start(from)).unwrap();
        let wanted = content.get(from as usize..content.len().min(end as usize)).unwrap_or_default();
        assert!(read_all(reader).await.unwrap() == wanted, "{from} to {end}");
    }
    assert!(network.brought() < 4 << 20, "{} bytes", network.brought());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parallel_reader_gives_the_bytes_in_order_over_connections_that_break() {
    let world = World::start().await;
    let content = numbered((11 << 20) + 1);
    world.put(KEY, &content);
    let network = Network::to(&world.endpoint).await;
    let bucket = world.bucket_over(&network);
    let object = only_object(&bucket).await;
    for (connections, from) in [(1, 0), (3, 0), (16, 0), (4, 3_000_000), (4, content.len())] {
        network.cut_after(5 << 20);
        let size = object.size;
        let mut reader =
            bucket.parallel_reader(&object.key, &object.etag, size, connections, Handle::current());
        let wanted = content[from..].to_vec();
        on_thread(move || {
            let mut head = [0; 10];
            reader.read_exact(&mut head).unwrap();
            reader.seek(SeekFrom::Start(from as u64)).unwrap();
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            assert!(bytes == wanted, "{connections} connections from {from}");
        })
        .await;
    }
    assert!(network.cuts() > 0);
    world.put(KEY, numbered(11 << 20));
    let mut reader = bucket.parallel_reader(&object.key, &object.etag, object.size, 4, Handle::current());
    let read = on_thread(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| bytes)
    });
    assert_eq!(code(read.await), "object_changed");
}
