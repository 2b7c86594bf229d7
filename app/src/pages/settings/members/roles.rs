//! What each role can do, taken from the permissions in `domain`.

use latchkey_domain::role::{Permission, Role};
use leptos::prelude::*;

use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::table::EmptyCell;

/// The permissions as text; those on one line belong together.
const DEEDS: &[(&str, &[Permission])] = &[
    (
        "View applications, keys, usage and members",
        &[Permission::Read, Permission::KeysRead, Permission::UsageRead],
    ),
    ("Create, rotate and revoke keys", &[Permission::KeysWrite, Permission::KeysVerify]),
    ("Manage applications", &[Permission::ApplicationsWrite]),
    (
        "Manage projects, service keys and members",
        &[Permission::ProjectsWrite, Permission::ServiceKeysWrite, Permission::MembersWrite],
    ),
    ("Import and export keys", &[Permission::KeysImport, Permission::KeysExport]),
    (
        "View the audit log, rename the organization",
        &[Permission::AuditRead, Permission::OrganizationWrite],
    ),
    (
        "Manage owners, delete the organization",
        &[Permission::OwnersWrite, Permission::OrganizationDelete],
    ),
];

/// The roles as the table has them: strongest first.
fn roles() -> impl Iterator<Item = Role> {
    Role::ALL.into_iter().rev()
}

fn allows(role: Role, permissions: &[Permission]) -> bool {
    permissions.iter().all(|permission| role.allows(*permission))
}

/// The table. It stays one on narrow screens too: it is read across.
#[component]
pub fn RolesTable() -> impl IntoView {
    const HEAD: &str =
        "h-9 px-3 text-left text-caption font-medium text-ink-3 max-md:px-1 max-md:text-center";
    let head = |role: Role| view! { <th scope="col" class=HEAD>{role.label()}</th> };
    let row = |(words, permissions): &(&'static str, &'static [Permission])| {
        let permissions = *permissions;
        view! {
            <tr class="border-t border-line">
                <th scope="row" class="h-10 py-2 pr-3 pl-4 text-left font-normal text-ink-2 max-md:pr-1 max-md:pl-2.5">
                    {*words}
                </th>
                {roles().map(|role| view! { <Mark allowed=allows(role, permissions)/> }).collect_view()}
            </tr>
        }
    };
    view! {
        <div class="overflow-hidden rounded-lg border border-line bg-surface">
            <table aria-labelledby="roles-title" class="w-full border-collapse text-table md:table-fixed">
                <thead class="bg-sidebar">
                    <tr>
                        <th scope="col" class="h-9 pl-4 md:w-[31%]"><span class="sr-only">"Can"</span></th>
                        {roles().map(head).collect_view()}
                    </tr>
                </thead>
                <tbody>{DEEDS.iter().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
}

#[component]
fn Mark(allowed: bool) -> impl IntoView {
    let mark = if allowed {
        view! {
            <span class="inline-flex align-middle text-accent"><Icon glyph=Glyph::Check/></span>
            <span class="sr-only">"Yes"</span>
        }
        .into_any()
    } else {
        view! { <EmptyCell/> }.into_any()
    };
    view! { <td class="px-3 max-md:px-1 max-md:text-center">{mark}</td> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_is_told_once() {
        let told: Vec<Permission> =
            DEEDS.iter().flat_map(|(_, permissions)| permissions.iter().copied()).collect();
        for permission in Permission::ALL {
            let times = told.iter().filter(|it| **it == permission).count();
            assert_eq!(times, 1, "{permission:?}");
        }
        assert_eq!(told.len(), Permission::ALL.len());
    }

    #[test]
    fn what_stands_in_one_line_is_allowed_together() {
        for (words, permissions) in DEEDS {
            for role in Role::ALL {
                let some = permissions.iter().any(|permission| role.allows(*permission));
                assert_eq!(some, allows(role, permissions), "{words}: {role:?}");
            }
        }
    }
}
