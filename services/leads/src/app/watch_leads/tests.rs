use reflex_tenancy::TenantId;

use super::*;

fn news(transaction: i64) -> News {
    News {
        place: Place::before(transaction),
        change: None,
    }
}

fn watching(room: usize) -> (Watching, Subscription) {
    let (sender, receiver) = mpsc::channel(room);
    let tenant: TenantId = "huadong".parse().unwrap();
    let watching = Watching {
        tenant,
        filter: Filter::default(),
        after: Place::before(10),
        news: sender,
        ended: Arc::default(),
        full_since: None,
        last_told: Instant::now(),
    };
    let subscription = Subscription {
        news: receiver,
        ended: Arc::clone(&watching.ended),
    };
    (watching, subscription)
}

#[tokio::test]
async fn a_reader_who_takes_nothing_is_let_go() {
    let (mut watching, mut subscription) = watching(1);
    assert!(watching.tell(None));
    assert!(!watching.tell(None), "there is no more room");
    assert!(!watching.is_too_slow(Duration::from_hours(1)), "not yet");
    assert!(watching.full_since.is_some(), "and nothing is read for it");

    subscription.next().await.unwrap();
    assert!(!watching.is_too_slow(Duration::ZERO), "who reads is not slow");
    assert!(watching.full_since.is_none());

    assert!(watching.tell(None));
    assert!(!watching.is_too_slow(Duration::from_hours(1)));
    std::thread::yield_now();
    assert!(watching.is_too_slow(Duration::ZERO));
    drop(watching);
    subscription.next().await.unwrap();
    assert_eq!(subscription.next().await.unwrap_err(), Ended::TooSlow);
}

#[tokio::test]
async fn what_was_passed_over_still_moves_the_place() {
    let (mut watching, mut subscription) = watching(1);
    assert!(watching.take(&news(12)), "no change of a lead");
    assert_eq!(watching.after, Place::before(12));
    assert!(watching.take(&news(11)), "taken before");
    assert_eq!(watching.after, Place::before(12));
    watching.end(Ended::Stopping);
    assert_eq!(subscription.next().await.unwrap_err(), Ended::Stopping);
}

#[test]
fn a_place_is_below_the_horizon_it_was_read_at() {
    assert!(Place::before(10).is_below(10));
    assert!(!Place::before(11).is_below(10));
    assert!(Place::before(10) < Place::before(11));
}
