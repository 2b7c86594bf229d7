use super::*;

const NOW: Duration = Duration::from_secs(10);

fn window(starts_at: i64) -> BudgetWindow {
    let key = KeyId::new(Timestamp::from_millis(0), [0; 10]);
    BudgetWindow { key, period: Period::Day, starts_at: Timestamp::from_millis(starts_at) }
}

fn unused(starts_at: i64, tokens: u64) -> UnusedLease {
    UnusedLease { window: window(starts_at), tokens }
}

fn drawn(leases: &Leases, least: u64, most: u64) -> Option<u64> {
    leases.draw(window(0), 1_000, (least, most), NOW).map(|drawn| drawn.tokens)
}

#[test]
fn draw_is_limited_to_lease_and_reports_usage() {
    let leases = Leases::new();
    assert_eq!(drawn(&leases, 0, 0), None, "nothing is known of the budget");
    leases.deposit(window(0), 1_000, 100, 400, NOW);
    let first = leases.draw(window(0), 1_000, (30, 30), NOW);
    assert_eq!(first, Some(DrawnTokens { tokens: 30, used: 330 }));
    assert_eq!(drawn(&leases, 0, 0), Some(0));
    assert_eq!(drawn(&leases, 71, 71), None);
    assert_eq!(drawn(&leases, 10, 90), Some(70), "as much as is left");
    assert_eq!(drawn(&leases, 0, 0), None, "an empty lease knows nothing");
}

#[test]
fn lease_ends_when_window_or_limit_changes() {
    let leases = Leases::new();
    leases.deposit(window(0), 1_000, 100, 100, NOW);
    assert_eq!(leases.draw(window(1), 1_000, (1, 1), NOW), None);
    assert_eq!(leases.draw(window(0), 999, (1, 1), NOW), None);
    assert_eq!(leases.withdraw_other(window(0), 1_000), []);
    assert_eq!(leases.withdraw_other(window(0), 999), [unused(0, 100)]);
    assert_eq!(drawn(&leases, 1, 1), None);
}

#[test]
fn lease_is_large_while_budget_lasts_and_zero_near_its_end() {
    assert_eq!(Leases::ask(10, 0, 1_000_000), 650);
    assert_eq!(Leases::ask(10, 4, 1_000_000), 646);
    assert_eq!(Leases::ask(10, 0, 170), 20);
    assert_eq!(Leases::ask(10, 0, 20), 10);
    assert_eq!(Leases::ask(10, 0, 7), 7, "what there is");
    assert_eq!(Leases::ask(0, 0, 5), 1, "to know that there is some");
}

#[test]
fn unused_lease_is_reused_and_excess_is_returned() {
    let leases = Leases::new();
    let key = window(0).key;
    leases.deposit(window(0), 1_000_000, 500_000, 500_000, NOW);
    let large = leases.draw(window(0), 1_000_000, (500_000, 500_000), NOW);
    assert_eq!(large, Some(DrawnTokens { tokens: 500_000, used: 500_000 }));
    leases.refund(unused(0, 499_900));
    assert_eq!(leases.due(NOW, false), [], "so large a call may come again");
    for _ in 0..2 {
        let small = leases.draw(window(0), 1_000_000, (10, 10), NOW);
        assert_eq!(small, Some(DrawnTokens { tokens: 10, used: 110 }));
        leases.refund(unused(0, 10));
    }
    assert_eq!(leases.due(NOW, false), [key]);
    let excess = 499_900 - 10 * FULL;
    assert_eq!(leases.withdraw_due(key, NOW, false), [unused(0, excess)], "others may need it");
    let small = leases.draw(window(0), 1_000_000, (10, 10), NOW);
    assert_eq!(small, Some(DrawnTokens { tokens: 10, used: 110 }));
    leases.keep(unused(0, excess));
    assert_eq!(leases.unused(window(0)), 499_890, "it could not be written");
    let small = leases.draw(window(0), 1_000_000, (0, 0), NOW);
    assert_eq!(small, Some(DrawnTokens { tokens: 0, used: 500_000 - 10 * FULL + 10 }));
    assert_eq!(leases.withdraw_due(key, NOW, false), [unused(0, excess)]);
}

#[test]
fn refund_without_lease_is_set_aside() {
    let leases = Leases::new();
    let key = window(0).key;
    for _ in 0..3 {
        leases.refund(unused(0, 20));
        leases.refund(unused(1, 0));
    }
    assert_eq!(drawn(&leases, 1, 1), None, "nobody knows what is left of the budget");
    assert_eq!((leases.unused(window(0)), leases.left(window(0)), leases.len()), (60, 0, 1));
    assert_eq!(leases.due(NOW, false), [key]);
    assert_eq!(leases.withdraw_due(key, NOW, false), [unused(0, 60)], "one write for all");
    assert_eq!((leases.due(NOW, false), leases.len()), (vec![], 0));
    leases.refund(unused(0, 20));
    leases.deposit(window(1), 999, 30, 100, NOW);
    assert_eq!(leases.withdraw_other(window(1), 999), [unused(0, 20)], "before more is leased");
    assert_eq!((leases.left(window(1)), leases.unused(window(0))), (30, 0));
}

#[test]
fn return_lowers_usage_seen_at_the_gate() {
    let leases = Leases::new();
    let (_gate, queries) = leases.gate(window(0).key);
    let query = leases.begin_query(window(0).key);
    leases.finish_query(query, window(0), 1_000);
    leases.record_return(unused(1, 10));
    leases.record_return(unused(0, 400));
    assert_eq!(leases.read_since(queries, window(0)), Some(600));
}

#[test]
fn lease_covers_usage_beyond_the_draw() {
    let leases = Leases::new();
    assert_eq!(leases.pay(window(0), 10), 0, "there is no lease");
    leases.deposit(window(0), 1_000, 30, 30, NOW);
    assert_eq!(leases.pay(window(1), 10), 0, "of another period");
    assert_eq!(leases.pay(window(0), 10), 10);
    assert_eq!(leases.pay(window(0), 50), 20, "as much as it has");
    assert_eq!(drawn(&leases, 1, 1), None);
}

#[test]
fn idle_lease_is_returned() {
    let leases = Leases::new();
    let key = window(0).key;
    leases.deposit(window(0), 1_000, 100, 100, NOW);
    assert!(leases.due(NOW + IDLE / 2, false).is_empty());
    assert_eq!(leases.due(NOW + IDLE, false), [key]);
    assert_eq!(leases.withdraw_due(key, NOW + IDLE / 2, false), [], "drawn on meanwhile");
    assert_eq!(leases.withdraw_due(key, NOW + IDLE, false), [unused(0, 100)]);
    assert_eq!(leases.len(), 0);
    leases.deposit(window(0), 1_000, 100, 100, NOW);
    let all = leases.withdraw_due(key, NOW, true);
    assert_eq!(all, [unused(0, 100)], "all of them when the node stops");
    assert!(leases.due(NOW, true).is_empty());
}
