//! What applications send in with their keys: `/ingest/…` in the form of Upblit's SDKs, and OTLP.

mod coding;
mod logs;
pub(crate) mod otlp;
mod paths;
mod responses;
pub(crate) mod sdk;
mod source;
mod traces;

pub(crate) use logs::{__path_logs, logs};
pub(crate) use paths::{LANGFUSE_TRACES, without_double_slashes};
pub(crate) use source::{ExporterSource, KeySource, LangfuseSource};
pub(crate) use traces::{__path_traces, traces};
