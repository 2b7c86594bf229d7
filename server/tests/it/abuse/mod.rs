//! Callers who mean harm or know no better: floods, guesses and malformed requests.

mod addresses;
mod bad_input;
mod failed_attempts;
mod floods;
mod many_streams;
mod masked;
mod queries;
