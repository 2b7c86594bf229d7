use proptest::prelude::*;

use super::*;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn settle_replaces_acquired_amount_with_used_amount() {
    let mut window = Window::default();
    let permit = window.acquire(millis(0), 80, 100).unwrap();
    window.settle(millis(5_000), permit, 30);
    assert_eq!(window.state(millis(5_000), 100).used, 30);
    let permit = window.acquire(millis(5_000), 70, 100).unwrap();
    window.settle(millis(6_000), permit, 90);
    assert_eq!(window.state(millis(6_000), 100).used, 120, "more than was taken counts too");
    assert_eq!(window.state(millis(6_000), 100).remaining, 0);
    let late = window.state(millis(61_500), 100).used;
    assert_eq!(late, 90, "each leaves with the second that it counted in");
    assert_eq!(window.state(millis(67_000), 100).used, 0);
    window.settle(millis(200_000), permit, 10);
    assert_eq!(window.state(millis(200_000), 100).used, 0, "what has left is not given back twice");
}

proptest! {
    /// Rule 4, first half.
    #[test]
    fn window_never_admits_more_than_limit_in_60_seconds(
        limit in 1_u64..50,
        gaps in prop::collection::vec(0_u64..5_000, 1..400),
    ) {
        let mut window = Window::default();
        let mut admitted: Vec<u64> = Vec::new();
        let mut now = 0;
        for gap in gaps {
            now += gap;
            if window.acquire(millis(now), 1, limit).is_ok() {
                admitted.push(now);
            }
            let within = admitted.iter().filter(|at| now - **at < 60_000).count();
            prop_assert!(within as u64 <= limit);
        }
    }

    /// Rule 4, second half: evenly spaced calls at 95 % of the limit, from any start.
    #[test]
    fn steady_traffic_at_95_percent_is_never_refused(
        limit in 1_u64..3_000,
        start in 0_u64..120_000,
    ) {
        let mut window = Window::default();
        // In microseconds: 60 s divided by 95 % of the limit.
        let gap = (60_000_000 * 100_u64).div_ceil(limit * 95);
        for call in 0..(limit * 3).min(4_000) {
            let now = Duration::from_micros(start * 1_000 + call * gap);
            prop_assert!(window.acquire(now, 1, limit).is_ok(), "call {call}");
        }
    }

    #[test]
    fn refused_call_is_admitted_after_retry_after(
        limit in 1_u64..40,
        gaps in prop::collection::vec(0_u64..3_000, 1..200),
        amount in 1_u64..40,
    ) {
        let mut window = Window::default();
        let mut now = 7_000;
        for gap in gaps {
            now += gap;
            let before = window.clone();
            match window.acquire(millis(now), amount, limit) {
                Ok(_) => prop_assert!(amount <= limit),
                Err(WindowFull { retry_after: None, .. }) => prop_assert!(amount > limit),
                Err(WindowFull { retry_after: Some(wait), .. }) => {
                    let mut later = before.clone();
                    prop_assert!(later.acquire(millis(now) + wait, amount, limit).is_ok());
                    let mut sooner = before;
                    let early = millis(now) + wait.saturating_sub(millis(1));
                    prop_assert!(wait.is_zero() || sooner.acquire(early, amount, limit).is_err());
                }
            }
        }
    }

    #[test]
    fn released_permit_leaves_no_trace(
        amounts in prop::collection::vec((1_u64..5, 0_u64..30_000, any::<bool>()), 1..60),
    ) {
        let (mut window, mut other) = (Window::default(), Window::default());
        let mut now = 0;
        for (amount, gap, keep) in amounts {
            now += gap;
            if let Ok(permit) = window.acquire(millis(now), amount, 100) {
                if keep {
                    prop_assert!(other.acquire(millis(now), amount, 100).is_ok());
                } else {
                    window.release(permit);
                }
            }
            prop_assert_eq!(window.state(millis(now), 100), other.state(millis(now), 100));
        }
    }
}

#[test]
fn full_window_reports_retry_after() {
    let mut window = Window::default();
    for _ in 0..3 {
        let _ = window.acquire(millis(10_400), 1, 3).unwrap();
    }
    let full = window.acquire(millis(20_000), 1, 3).unwrap_err();
    assert_eq!(full.used, 3);
    assert_eq!(full.retry_after, Some(millis(50_400)));
    assert_eq!(window.state(millis(70_399), 3).remaining, 0);
    assert_eq!(window.state(millis(70_400), 3).remaining, 3);
    assert!(window.is_idle(millis(70_400)));
}

#[test]
fn window_frees_after_one_minute_when_burst_filled_it() {
    let mut window = Window::default();
    for _ in 0..3 {
        let _ = window.acquire(Duration::from_micros(10_400_100), 1, 3).unwrap();
    }
    let now = Duration::from_micros(10_400_500);
    let wait = window.acquire(now, 1, 3).unwrap_err().retry_after.unwrap();
    assert!(wait <= millis(60_001), "{wait:?}");
    assert!(window.acquire(now + wait, 1, 3).is_ok());
}

#[test]
fn future_seconds_count_as_the_current_second() {
    let mut window = Window::of(1_000, [(939, 1), (940, 2), (970, 4), (1_000, 8), (4_600, 16)]);
    let full = window.peek(millis(1_000_500), 1, 30).unwrap_err();
    assert_eq!((full.used, full.reset), (30, millis(60_500)));
    assert_eq!(window.refusal(millis(1_000_500), 3, 30).retry_after, Some(millis(30_500)));
    assert_eq!(window.peek(millis(1_001_000), 2, 30).unwrap().remaining, 2, "nothing is taken");
    assert_eq!(window.state(millis(1_061_000), 30).used, 0);
}

#[test]
fn clock_that_steps_back_frees_nothing() {
    let mut window = Window::default();
    let _ = window.acquire(millis(100_000), 1, 1).unwrap();
    assert!(window.acquire(millis(5_000), 1, 1).is_err());
}
