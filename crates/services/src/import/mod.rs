//! Moving in: keys of other systems become keys of a project, and work from then on. And moving
//! out: everything that is stored of a project's keys, as lines of JSON.
//!
//! ```text
//! file -> rows -> validated, digested -> compared with the database -> one transaction
//!         |------------ one thread of its own -----------|   reads only    inserts only
//! ```
//! SQLite has one writer, so everything that can be known before the transaction is. What another
//! request changes in between breaks a unique index, and the comparison starts again.

mod compare;
mod csv_rows;
mod export;
mod faults;
mod insert;
mod prepare;
mod presets;
mod read;
mod request;
mod room;
mod scheme_limit;
mod secrets;
mod shape_of_plaintext;
mod shapes;
mod store;

pub use self::export::{KeysExport, export};
pub use self::request::{Import, ImportFormat, ImportSecret, InvalidSecret, begin};
pub use self::room::ImportPermit;
pub(crate) use self::room::ImportRoom;
pub use self::shapes::{create as create_shape, list as list_shapes};
pub use self::store::import;
