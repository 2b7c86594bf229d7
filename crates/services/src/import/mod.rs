//! Moving in: keys of other systems become keys of a project, and work from then on.

mod presets;
