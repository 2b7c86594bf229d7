//! The API as programs read it: generated clients, proxies, scanners and other people's libraries.

mod bodies;
mod compressed;
mod credentials;
mod unserved;
mod well_known;
