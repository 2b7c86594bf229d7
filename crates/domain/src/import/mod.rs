//! Keys of other systems: what is stored of them, what a presented one looks like, and the rows of
//! an import.

mod answer;
mod exported;
mod preset;
mod record;
mod row;
mod scheme;
mod shape;
mod slow_hash;
mod stored;

pub use self::answer::{ImportAnswer, ImportedRow};
pub use self::exported::ExportedKey;
pub use self::preset::Preset;
pub use self::record::ImportRecord;
pub use self::row::{ImportRow, InvalidLookupPrefix, InvalidStoredForm, LookupPrefix, StoredForm};
pub use self::scheme::{
    DigestEncoding, FastAlgorithm, FastScheme, HmacAlgorithm, InvalidScheme, Part, Scheme,
};
pub use self::shape::{
    Alphabet, InvalidShape, KeyShape, KeyShapeList, KeyShapeRequest, ListedKeyShape,
};
pub use self::slow_hash::SlowHash;
pub use self::stored::{InvalidStored, decode_stored};
