use super::*;

fn sums(requests: u64, valid: u64) -> Sums {
    Sums { requests, valid, ..Sums::default() }
}

#[test]
fn groups_are_bounded_and_largest_come_first() {
    let named = |name: &str, sums| ((Some(name.to_owned()), Some(name.to_owned())), sums);
    let mut groups = vec![named("b", sums(2, 1)), named("none", sums(0, 0))];
    groups.extend([named("a", sums(2, 2)), ((None, None), sums(9, 4))]);
    let rows = shown(groups);
    let rows: Vec<_> = rows.iter().map(|one| (one.group.as_deref(), one.denied)).collect();
    assert_eq!(rows, [(None, 5), (Some("a"), 0), (Some("b"), 1)]);
    let many = (0..1_200).map(|number| named(&number.to_string(), sums(1 + number, 0)));
    let rows = shown(many);
    assert_eq!((rows.len(), rows[0].requests), (GroupedUsage::MAX_GROUPS, 1_200));
}

#[test]
fn key_is_in_a_group_for_each_tag() {
    let at = Timestamp::from_millis(0);
    let application = ApplicationId::new(at, [2; 10]);
    let mut key = UsedKey {
        id: KeyId::new(at, [1; 10]),
        name: "Web".to_owned(),
        application_id: Some(application),
        external_id: None,
        tags: Some(Tags::new(vec!["a".parse().unwrap(), "b".parse().unwrap()]).unwrap()),
    };
    let names = HashMap::from([(application, "Shop".to_owned())]);
    let labels = |key: &UsedKey, by| {
        let groups = key.groups(by, &names);
        groups.into_iter().map(|(_, label)| label.unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(labels(&key, UsageGrouping::Tag), ["a", "b"]);
    assert_eq!(labels(&key, UsageGrouping::Key), ["Web"]);
    assert_eq!(labels(&key, UsageGrouping::Application), ["Shop"]);
    assert_eq!(labels(&key, UsageGrouping::ExternalId), [""]);
    key.tags = None;
    assert_eq!(labels(&key, UsageGrouping::Tag), [""]);
}
