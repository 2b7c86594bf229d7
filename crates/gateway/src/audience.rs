//! Which organizations may use an upstream: by tier, or by id.

use std::fmt;

use latchkey_domain::id::OrganizationId;
use latchkey_domain::tier::Tier;

/// The organizations that may use an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience {
    tiers: Vec<Tier>,
    organizations: Vec<OrganizationId>,
}

impl Audience {
    /// The tiers and organizations that the operator listed. None if the lists are empty.
    pub fn named(tiers: Vec<Tier>, organizations: Vec<OrganizationId>) -> Option<Self> {
        let is_named = !tiers.is_empty() || !organizations.is_empty();
        is_named.then_some(Self { tiers, organizations })
    }

    /// The default where the operator lists nobody: everybody, or everybody but Free if sign-up is
    /// open. Otherwise anybody could sign up and spend the operator's money.
    pub fn unnamed(people_are_known: bool) -> Self {
        let serves = |tier: &Tier| people_are_known || *tier != Tier::Free;
        Self { tiers: Tier::ALL.into_iter().filter(serves).collect(), organizations: Vec::new() }
    }

    /// Whether an organization on this tier may use the upstream.
    pub fn includes(&self, tier: Tier, organization: OrganizationId) -> bool {
        self.tiers.contains(&tier) || self.organizations.contains(&organization)
    }
}

/// The form in log lines: `tiers pro, team; organizations org_…`.
impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tiers: Vec<&str> = self.tiers.iter().map(|tier| tier.as_str()).collect();
        let organizations: Vec<String> =
            self.organizations.iter().map(ToString::to_string).collect();
        match (tiers.as_slice(), organizations.as_slice()) {
            (tiers, []) if tiers.len() == Tier::ALL.len() => f.write_str("everybody"),
            (tiers, []) => write!(f, "tiers {}", tiers.join(", ")),
            ([], organizations) => write!(f, "organizations {}", organizations.join(", ")),
            (tiers, organizations) => {
                write!(f, "tiers {}; organizations {}", tiers.join(", "), organizations.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::time::Timestamp;

    use super::*;

    fn organization(last: u8) -> OrganizationId {
        OrganizationId::new(Timestamp::from_millis(0), [last; 10])
    }

    #[test]
    fn audience_excludes_free_when_signup_is_open_unless_named() {
        let one = organization(1);
        let open = Audience::unnamed(false);
        assert!(!open.includes(Tier::Free, one) && open.includes(Tier::Pro, one));
        assert!(Audience::unnamed(true).includes(Tier::Free, one));
        assert_eq!(Audience::named(vec![], vec![]), None);
        let free = Audience::named(vec![Tier::Free], vec![]).unwrap();
        assert!(free.includes(Tier::Free, one) && !free.includes(Tier::Pro, one));
        let own = Audience::named(vec![], vec![one]).unwrap();
        assert!(own.includes(Tier::Free, one) && !own.includes(Tier::Free, organization(2)));
    }

    #[test]
    fn audience_is_displayed_for_the_log() {
        let one = organization(1);
        assert_eq!(Audience::unnamed(true).to_string(), "everybody");
        assert_eq!(Audience::unnamed(false).to_string(), "tiers pro, team, enterprise");
        let both = Audience::named(vec![Tier::Pro], vec![one]).unwrap();
        assert_eq!(both.to_string(), format!("tiers pro; organizations {one}"));
    }
}
