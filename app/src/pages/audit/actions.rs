//! Icon and colour of each audited action.

use latchkey_domain::audit::AuditAction;

use latchkey_ui::icon::Glyph;

/// The icon of an action, and its colour: red for what ends something, amber for what should be
/// looked at.
pub const fn icon_and_colour(action: AuditAction) -> (Glyph, &'static str) {
    const PLAIN: &str = "text-ink-3";
    const DANGER: &str = "text-danger-ink";
    match action {
        AuditAction::KeyCreated
        | AuditAction::ApplicationCreated
        | AuditAction::ProjectCreated
        | AuditAction::OrganizationCreated
        | AuditAction::KeyShapeCreated
        | AuditAction::KeysImported => (Glyph::Plus, PLAIN),
        AuditAction::KeyChanged
        | AuditAction::ApplicationChanged
        | AuditAction::ProjectChanged
        | AuditAction::OrganizationChanged => (Glyph::Pencil, PLAIN),
        AuditAction::KeyRotated => (Glyph::RotateCw, PLAIN),
        AuditAction::KeyGraceEnded => (Glyph::TimerOff, PLAIN),
        AuditAction::KeyDisabled => (Glyph::CirclePause, PLAIN),
        AuditAction::KeyEnabled => (Glyph::CirclePlay, PLAIN),
        AuditAction::KeyRevoked => (Glyph::Ban, DANGER),
        AuditAction::KeyArchived => (Glyph::Archive, PLAIN),
        AuditAction::KeyUnarchived => (Glyph::ArchiveRestore, PLAIN),
        AuditAction::ApplicationDeleted
        | AuditAction::ProjectDeleted
        | AuditAction::OrganizationDeleted => (Glyph::Trash2, DANGER),
        AuditAction::TierChanged | AuditAction::LimitsChanged => (Glyph::Gauge, PLAIN),
        AuditAction::MemberInvited | AuditAction::MemberAdded | AuditAction::MemberJoined => {
            (Glyph::UserPlus, PLAIN)
        }
        AuditAction::MemberRoleChanged => (Glyph::Users, PLAIN),
        AuditAction::MemberRemoved => (Glyph::X, DANGER),
        AuditAction::InvitationWithdrawn | AuditAction::InvitationDeclined => (Glyph::X, PLAIN),
        AuditAction::SessionCreated => (Glyph::Monitor, PLAIN),
        AuditAction::SessionEnded => (Glyph::LogOut, PLAIN),
        AuditAction::KeysExported | AuditAction::SessionReuseDetected => {
            (Glyph::TriangleAlert, "text-warn-ink")
        }
    }
}
