//! What a chart is drawn from: its series, its buckets and the ticks below them.

use super::geometry::Axis;

/// One series of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series {
    /// Name of the series.
    pub label: &'static str,
    /// Colour of the series.
    pub colour: Colour,
}

/// The colours of series, by what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Allowed requests or prompt tokens.
    One,
    /// Completion tokens of the range.
    Two,
    /// Rate-limited requests of the range.
    Three,
    /// Requests denied by a budget.
    Four,
    /// All other denied requests.
    Five,
}

impl Colour {
    pub(super) const fn fill(self) -> &'static str {
        match self {
            Self::One => "fill-series-1",
            Self::Two => "fill-series-2",
            Self::Three => "fill-series-3",
            Self::Four => "fill-series-4",
            Self::Five => "fill-series-5",
        }
    }

    pub(super) const fn stroke(self) -> &'static str {
        match self {
            Self::One => "stroke-series-1",
            Self::Two => "stroke-series-2",
            Self::Three => "stroke-series-3",
            Self::Four => "stroke-series-4",
            Self::Five => "stroke-series-5",
        }
    }

    pub(super) const fn swatch(self) -> &'static str {
        match self {
            Self::One => "bg-series-1",
            Self::Two => "bg-series-2",
            Self::Three => "bg-series-3",
            Self::Four => "bg-series-4",
            Self::Five => "bg-series-5",
        }
    }
}

/// How a chart is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A bar for each bucket.
    Bars,
    /// Lines from bucket to bucket, filled below.
    Areas,
}

/// One part of the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// From when to when, in words.
    pub label: String,
    /// How many of each series.
    pub counts: Vec<u64>,
    /// What stands beside the counts, in words: a cost. Empty if nothing does.
    pub beside: String,
}

/// Series and time axis of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartData {
    /// The parts of the time, earliest first.
    pub buckets: Vec<Bucket>,
    /// Labels below the horizontal axis, equally spaced.
    pub ticks: Vec<String>,
}

impl ChartData {
    pub(super) fn axis(&self) -> Axis {
        let sum = |bucket: &Bucket| bucket.counts.iter().sum::<u64>();
        Axis::for_highest(self.buckets.iter().map(sum).max().unwrap_or_default())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buckets.iter().all(|bucket| bucket.counts.iter().all(|count| *count == 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_without_a_request_is_empty() {
        let bucket = |counts| Bucket { label: String::new(), counts, beside: String::new() };
        let data = |counts| ChartData { buckets: vec![bucket(counts)], ticks: Vec::new() };
        assert!(data(vec![0, 0]).is_empty());
        assert!(!data(vec![0, 1]).is_empty());
    }
}
