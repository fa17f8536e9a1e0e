//! What a scan costs: LIST requests by what is new, not by what there is; and nothing is missed for it.

#![allow(clippy::unwrap_used)]

mod world;

use std::time::Duration;

use world::day;
use world::large::{Cost, LargeWorld};

/// Folders of the window, today's first.
const WINDOW: std::ops::Range<i64> = 0..4;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_scan_costs_a_request_a_page_and_an_idle_one_a_request_a_folder() {
    let world = LargeWorld::new().await;
    world.fill(WINDOW, 5_000);
    world.fill(10..26, 1_250);
    // One for the folders, five for each of the window, two for each of the older.
    assert_eq!(world.scan().await, Cost { requests: 1 + 4 * 5 + 16 * 2, published: 40_000 });
    for _ in 0..2 {
        assert_eq!(world.scan().await, Cost { requests: 5, published: 0 });
        let shown = world.discovery().await;
        assert_eq!((shown.folders, shown.objects), (4, 20_000), "what is known counts as what is listed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_in_order_cost_as_many_requests_as_they_fill_pages() {
    let world = LargeWorld::new().await;
    world.fill(WINDOW, 1_100);
    world.scan().await;
    world.fill([0], 400);
    assert_eq!(world.scan().await, Cost { requests: 5, published: 400 });
    world.fill([0], 10_000);
    // 10,000 behind the 500 that every scan lists again.
    assert_eq!(world.scan().await, Cost { requests: 4 + 11, published: 10_000 });
    assert_eq!(world.scan().await, Cost { requests: 5, published: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_one_page_is_always_listed_in_full() {
    let world = LargeWorld::new().await;
    world.fill([0], 700);
    world.scan().await;
    let today = day(0).to_string();
    world.s3.scatter(&today, 100);
    world.s3.overwrite(&today, 3);
    assert_eq!(world.scan().await, Cost { requests: 2, published: 101 });
    // Where it has grown beyond a page there are so many new ones.
    world.fill([0], 5_000);
    assert_eq!(world.scan().await, Cost { requests: 1 + 6, published: 5_000 });
    assert_eq!(world.scan().await, Cost { requests: 2, published: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_a_little_out_of_order_is_found_by_the_next_scan() {
    let world = LargeWorld::new().await;
    world.fill(WINDOW, 1_100);
    world.scan().await;
    for number in [601, 1_099] {
        world.s3.overwrite(&day(1).to_string(), number);
    }
    assert_eq!(world.scan().await, Cost { requests: 5, published: 2 });
    assert_eq!(world.scan().await, Cost { requests: 5, published: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_out_of_order_are_found_by_the_full_listing_and_then_at_every_scan() {
    let mut world = LargeWorld::new().await;
    world.fill(WINDOW, 2_000);
    world.scan().await;
    let today = day(0).to_string();
    world.s3.scatter(&today, 200);
    let missed = world.scan().await;
    // A quarter of the folder is its tail.
    assert_eq!(missed, Cost { requests: 5, published: 50 });

    world.relist_after(Duration::ZERO).await;
    let found = world.scan().await;
    assert_eq!(found, Cost { requests: 1 + 3 * 2 + 3, published: 150 });

    world.relist_hours_apart().await;
    world.s3.scatter(&today, 100);
    // The other folders are in order, and cost one request each.
    assert_eq!(world.scan().await, Cost { requests: 1 + 3 + 3, published: 100 });
}

#[tokio::test(flavor = "multi_thread")]
async fn overwritten_objects_are_found_by_the_full_listing() {
    let mut world = LargeWorld::new().await;
    world.fill(WINDOW, 1_100);
    world.scan().await;
    world.s3.overwrite(&day(2).to_string(), 7);
    assert_eq!(world.scan().await, Cost { requests: 5, published: 0 });
    world.relist_after(Duration::ZERO).await;
    assert_eq!(world.scan().await, Cost { requests: 1 + 4 * 2, published: 1 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_dies_in_mid_folder_moves_no_mark() {
    let world = LargeWorld::new().await;
    world.fill([0], 3_000);
    world.scan().await;
    world.fill([0], 6_000);
    world.s3.slow(Duration::from_millis(100));
    let mark = world.left_by_the_dead_scanner(|| world.lists(0) >= 3 + 4).await.marks.remove(0);
    assert_eq!((mark.objects, mark.list_in_full), (2_500, false));

    world.s3.slow(Duration::ZERO);
    let before = world.published().await;
    let scanned = world.scan().await;
    assert_eq!(scanned.requests, 1 + 7, "all that is behind the old mark is listed again");
    assert_eq!(before + scanned.published, 9_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_goes_on_behind_the_cursor_of_a_scanner_that_died() {
    let world = LargeWorld::new().await;
    world.fill(10..70, 1_001);
    world.s3.slow(Duration::from_millis(50));
    // Renewals, which tell the cursor, are a second apart.
    let died = world.left_by_the_dead_scanner(|| world.lists(40) > 0).await;
    let cursor: jiff::civil::Date = died.sweep_cursor.parse().unwrap();
    assert!(cursor >= day(69), "{cursor}");

    world.s3.slow(Duration::ZERO);
    let (before, ahead) = (world.s3.lists(), (10..70).filter(|&ago| day(ago) > cursor).count());
    let scanned = world.scan().await;
    assert_eq!(scanned.requests, 1 + 2 * ahead as u64);
    for ago in (10..70).filter(|&ago| day(ago) <= cursor) {
        assert_eq!(before[&format!("{}/{}/", world::PATH, day(ago))], world.lists(ago), "{ago} days ago");
    }
    assert_eq!(world.published().await, 60_060);
}
