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
fn now(turns: &FairQueue<u8>, lane: u8) -> Option<QueuePermit<u8>> {
    turns.turn(lane, 1).now_or_never()?.ok()
}

fn later(turns: &FairQueue<u8>, lane: u8) -> Waiting<'_> {
    let mut waiting: Waiting<'_> = Box::pin(turns.turn(lane, 1));
    assert!((&mut waiting).now_or_never().is_none());
    waiting
}

fn is_empty(turns: &FairQueue<u8>) -> bool {
    let state = turns.state();
    state.lanes.is_empty() && state.order.is_empty() && state.running == 0
}

/// Lanes of the waiting calls, in the order in which they run.
fn order(running: Vec<QueuePermit<u8>>, mut waiting: Vec<(u8, Waiting<'_>)>) -> Vec<u8> {
    let mut running = VecDeque::from(running);
    let mut order = Vec::new();
    while !waiting.is_empty() {
        running.pop_front();
        let mut begun = Vec::new();
        for (at, (_, one)) in waiting.iter_mut().enumerate() {
            if let Some(turn) = one.now_or_never() {
                begun.push((at, turn.unwrap()));
            }
        }
        assert_eq!(begun.len(), 1, "one for one");
        let (at, turn) = begun.remove(0);
        order.push(waiting.remove(at).0);
        running.push_back(turn);
    }
    order
}

#[test]
fn lanes_alternate_when_permits_are_scarce() {
    let turns = FairQueue::new(BOUNDS);
    let running = vec![now(&turns, 1).unwrap(), now(&turns, 1).unwrap()];
    let waiting = [1, 1, 1, 2, 3].map(|lane| (lane, later(&turns, lane)));
    assert_eq!(turns.waiting(), 5);
    // A lane that holds all permits comes after lanes that hold none.
    assert_eq!(order(running, waiting.into()), [2, 3, 1, 1, 1]);
    assert_eq!(turns.counts(), (Size::default(), 0));
    assert!(is_empty(&turns));
}

#[test]
fn lane_does_not_exceed_its_running_limit() {
    let turns = FairQueue::new(QueueBounds { running: 3, running_of_one: 2, ..BOUNDS });
    let mut of_one = vec![now(&turns, 1).unwrap(), now(&turns, 1).unwrap()];
    let mut third = later(&turns, 1);
    let other = now(&turns, 2).unwrap();
    let mut fourth = later(&turns, 2);
    drop(other);
    assert!((&mut fourth).now_or_never().is_some(), "there is room for the other lane alone");
    assert!((&mut third).now_or_never().is_none());
    of_one.pop();
    assert!((&mut third).now_or_never().is_some());
}

#[test]
fn cancelled_waiter_leaves_no_state() {
    let turns = FairQueue::new(BOUNDS);
    let running = [now(&turns, 1), now(&turns, 1)];
    for _ in 0..1_000 {
        for lane in 0..10 {
            drop(later(&turns, lane));
        }
    }
    assert_eq!(turns.state().order.len(), 0);
    let mut stays = later(&turns, 20);
    let gone = later(&turns, 20);
    for _ in 0..1_000 {
        drop(later(&turns, 20));
    }
    assert!(turns.state().lanes[&20].waiting.len() < 10);
    drop(running);
    // It was granted a permit and is cancelled before it takes it.
    drop(gone);
    assert!((&mut stays).now_or_never().is_some());
    assert_eq!(turns.counts(), (Size::default(), 0));
    assert!(is_empty(&turns));
}

#[test]
fn queue_is_bounded_in_total_and_per_lane() {
    let turns = FairQueue::new(BOUNDS);
    let mut places = Vec::new();
    let whole = BOUNDS.of_one.bytes;
    places.push(turns.enter(1, whole).ok().unwrap());
    assert!(turns.enter(1, 1).is_err(), "its own share");
    places.push(turns.enter(2, BOUNDS.all.bytes - whole).ok().unwrap());
    assert!(turns.enter(3, 1).is_err(), "all of it");
    assert_eq!(turns.counts(), (Size { calls: 2, bytes: BOUNDS.all.bytes }, 2));
    places.clear();
    for _ in 0..BOUNDS.of_one.calls {
        places.push(turns.enter(1, 0).ok().unwrap());
    }
    assert!(turns.enter(1, 0).is_err());
    places.push(turns.enter(2, 0).ok().unwrap());
    places.clear();
    assert!(is_empty(&turns));
}
