//! Rankings, moderations, images, speech and transcripts: endpoints whose answers have no cap.
//! Transcriptions and translations take forms, all others JSON.

pub(super) mod form;
pub(super) mod handlers;
pub(super) mod multipart;
pub(super) mod request_fields;
