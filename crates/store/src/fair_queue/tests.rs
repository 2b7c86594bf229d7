use std::pin::Pin;

use futures::FutureExt;

use super::*;

const BOUNDS: QueueBounds = QueueBounds {
    running: 2,
    running_of_one: 2,
    all: Size { calls: 100, bytes: 1_000 },
    of_one: Size { calls: 50, bytes: 600 },
};

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<QueuePermit<u8>, QueueFull>> + 'a>>;

/// Acquires a permit without waiting; `None` if it would have to wait.
fn now(queue: &FairQueue<u8>, lane: u8) -> Option<QueuePermit<u8>> {
    queue.acquire(lane, 1).now_or_never()?.ok()
}

fn later(queue: &FairQueue<u8>, lane: u8) -> Waiting<'_> {
    let mut waiting: Waiting<'_> = Box::pin(queue.acquire(lane, 1));
    assert!((&mut waiting).now_or_never().is_none());
    waiting
}

fn is_empty(queue: &FairQueue<u8>) -> bool {
    let state = queue.state();
    state.lanes.is_empty() && state.order.is_empty() && state.running == 0
}

/// Lanes of the waiting calls, in the order in which they run.
fn order(running: Vec<QueuePermit<u8>>, mut waiting: Vec<(u8, Waiting<'_>)>) -> Vec<u8> {
    let mut running = VecDeque::from(running);
    let mut order = Vec::new();
    while !waiting.is_empty() {
        running.pop_front();
        let mut started = Vec::new();
        for (at, (_, one)) in waiting.iter_mut().enumerate() {
            if let Some(permit) = one.now_or_never() {
                started.push((at, permit.unwrap()));
            }
        }
        assert_eq!(started.len(), 1, "one for one");
        let (at, permit) = started.remove(0);
        order.push(waiting.remove(at).0);
        running.push_back(permit);
    }
    order
}

#[test]
fn lanes_alternate_when_permits_are_scarce() {
    let queue = FairQueue::new(BOUNDS);
    let running = vec![now(&queue, 1).unwrap(), now(&queue, 1).unwrap()];
    let waiting = [1, 1, 1, 2, 3].map(|lane| (lane, later(&queue, lane)));
    assert_eq!(queue.waiting(), 5);
    // A lane that holds all permits comes after lanes that hold none.
    assert_eq!(order(running, waiting.into()), [2, 3, 1, 1, 1]);
    assert_eq!(queue.counts(), (Size::default(), 0));
    assert!(is_empty(&queue));
}

#[test]
fn lane_does_not_exceed_its_running_limit() {
    let queue = FairQueue::new(QueueBounds { running: 3, running_of_one: 2, ..BOUNDS });
    let mut of_one = vec![now(&queue, 1).unwrap(), now(&queue, 1).unwrap()];
    let mut third = later(&queue, 1);
    let other = now(&queue, 2).unwrap();
    let mut fourth = later(&queue, 2);
    drop(other);
    assert!((&mut fourth).now_or_never().is_some(), "there is room for the other lane alone");
    assert!((&mut third).now_or_never().is_none());
    of_one.pop();
    assert!((&mut third).now_or_never().is_some());
}

#[test]
fn cancelled_waiter_leaves_no_state() {
    let queue = FairQueue::new(BOUNDS);
    let running = [now(&queue, 1), now(&queue, 1)];
    for _ in 0..1_000 {
        for lane in 0..10 {
            drop(later(&queue, lane));
        }
    }
    assert_eq!(queue.state().order.len(), 0);
    let mut stays = later(&queue, 20);
    let cancelled = later(&queue, 20);
    for _ in 0..1_000 {
        drop(later(&queue, 20));
    }
    assert!(queue.state().lanes[&20].waiting.len() < 10);
    drop(running);
    // It was granted a permit and is cancelled before it takes it.
    drop(cancelled);
    assert!((&mut stays).now_or_never().is_some());
    assert_eq!(queue.counts(), (Size::default(), 0));
    assert!(is_empty(&queue));
}

#[test]
fn queue_is_bounded_in_total_and_per_lane() {
    let queue = FairQueue::new(BOUNDS);
    let mut places = Vec::new();
    let whole = BOUNDS.of_one.bytes;
    places.push(queue.enter(1, whole).ok().unwrap());
    assert!(queue.enter(1, 1).is_err(), "its own share");
    places.push(queue.enter(2, BOUNDS.all.bytes - whole).ok().unwrap());
    assert!(queue.enter(3, 1).is_err(), "all of it");
    assert_eq!(queue.counts(), (Size { calls: 2, bytes: BOUNDS.all.bytes }, 2));
    places.clear();
    for _ in 0..BOUNDS.of_one.calls {
        places.push(queue.enter(1, 0).ok().unwrap());
    }
    assert!(queue.enter(1, 0).is_err());
    places.push(queue.enter(2, 0).ok().unwrap());
    places.clear();
    assert!(is_empty(&queue));
}
