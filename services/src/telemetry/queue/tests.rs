use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use latchkey_domain::time::Timestamp;

use super::*;

fn project(number: u8) -> ProjectId {
    ProjectId::new(Timestamp::from_millis(0), [number; 10])
}

/// Comes in; none: it has to wait.
async fn now(queue: &Queue, number: u8) -> Option<Turn> {
    let mut turn = pin!(queue.turn(project(number), 1));
    poll_fn(|context| match turn.as_mut().poll(context) {
        Poll::Ready(turn) => Poll::Ready(turn.ok()),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn later(queue: &Queue, number: u8) -> tokio::task::JoinHandle<(u8, Turn)> {
    let queue = queue.clone();
    tokio::spawn(async move { (number, queue.turn(project(number), 1).await.unwrap()) })
}

#[tokio::test]
async fn few_are_under_way_and_projects_take_turns() {
    let queue = Queue::default();
    let mut running = vec![now(&queue, 1).await.unwrap(), now(&queue, 1).await.unwrap()];
    let mut waiting = Vec::new();
    for number in [1, 1, 1, 2, 3] {
        waiting.push(later(&queue, number));
        tokio::task::yield_now().await;
    }
    let mut order = Vec::new();
    while !waiting.is_empty() {
        running.remove(0);
        tokio::task::yield_now().await;
        let done = waiting.iter().position(tokio::task::JoinHandle::is_finished).unwrap();
        let (number, turn) = waiting.remove(done).await.unwrap();
        order.push(number);
        running.push(turn);
        assert!(!waiting.iter().any(tokio::task::JoinHandle::is_finished), "one at a time");
    }
    assert_eq!(order, [1, 2, 3, 1, 1]);
    drop(running);
    assert_eq!(queue.counts(), (0, 0, 0));
    assert!(queue.state().lanes.is_empty() && queue.state().running == 0);
}

#[tokio::test]
async fn whoever_goes_while_waiting_leaves_nothing_behind() {
    let queue = Queue::default();
    let running = [now(&queue, 1).await.unwrap(), now(&queue, 1).await.unwrap()];
    for number in 0..10 {
        assert!(now(&queue, number).await.is_none());
    }
    let stays = later(&queue, 20);
    tokio::task::yield_now().await;
    drop(running);
    let (_, turn) = stays.await.unwrap();
    drop(turn);
    assert_eq!(queue.counts(), (0, 0, 0));
    assert!(queue.state().running == 0 && queue.state().order.is_empty());
}

#[tokio::test]
async fn what_waits_is_bounded_in_all_and_of_a_project() {
    let queue = Queue::default();
    let mut places = Vec::new();
    let whole = OF_A_PROJECT.bytes;
    places.push(queue.enter(project(1), whole).unwrap());
    assert!(matches!(queue.enter(project(1), 1), Err(Error::QueueFull)), "its own share");
    places.push(queue.enter(project(2), IN_ALL.bytes - whole).unwrap());
    assert!(matches!(queue.enter(project(3), 1), Err(Error::QueueFull)), "all of it");
    assert_eq!(queue.counts(), (2, IN_ALL.bytes, 2));
    places.clear();
    for _ in 0..OF_A_PROJECT.calls {
        places.push(queue.enter(project(1), 0).unwrap());
    }
    assert!(queue.enter(project(1), 0).is_err());
    places.push(queue.enter(project(2), 0).unwrap());
}
