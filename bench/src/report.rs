//! Output of the benches: tables for people, `figure NAME VALUE` and `ratio NAME VALUE` for
//! programs.
#![expect(clippy::print_stdout, reason = "a bench is asked for what it prints")]

/// Prints a line for people.
pub fn say(line: &str) {
    println!("{line}");
}

/// Prints a table. The first column is text, the others are numbers.
pub fn table(head: &[&str], rows: &[Vec<String>]) {
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let width = |column: usize| {
        let widest = cells(column).map(|cell| cell.chars().count()).max().unwrap_or_default();
        widest.max(head[column].chars().count())
    };
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let columns = cells.enumerate().map(|(column, cell)| match column {
            0 => format!("{cell:<width$}", width = width(0)),
            _ => format!("{cell:>width$}", width = width(column)),
        });
        println!("{}", columns.collect::<Vec<_>>().join("  ").trim_end());
    };
    line(&mut head.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
}

/// Prints a measured value. The unit is part of the name.
pub fn figure(name: &str, value: f64) {
    println!("figure {name} {value:.3}");
}

/// Prints the proportion of two values.
pub fn ratio(name: &str, value: f64) {
    println!("ratio {name} {value:.3}");
}

/// Prints the machine's model and its load average of the minute before the bench: a busy machine
/// gives worse figures.
pub fn machine() {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or(std::env::consts::ARCH, |(_, model)| model);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown");
    println!("{cores} × {model}, {}; load {load}", std::env::consts::OS);
}
