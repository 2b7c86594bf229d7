//! The coordinates of a chart, in whole units: a bucket is 10 wide and the axis 1,000 high,
//! whatever the size on the screen.

/// The width of a bucket.
pub(super) const BUCKET: u64 = 10;
/// What a bar leaves free of it.
const GAP: u64 = 2;
/// The height of the axis.
pub(super) const HEIGHT: u64 = 1_000;
/// Gap between the parts of a stack: a pixel.
const SEAM: u64 = 6;
/// What is there is seen, be it one among thousands.
const LEAST: u64 = 10;

/// The vertical axis: lines at whole multiples of a step, from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    step: u64,
    steps: u64,
}

impl Axis {
    /// One that has room for `highest`, with three or four lines at round numbers.
    pub(super) fn for_highest(highest: u64) -> Self {
        let mut ten = 1_u64;
        let step = loop {
            let fits = [1, 2, 5].into_iter().map(|digit| ten.saturating_mul(digit));
            if let Some(step) = fits.into_iter().find(|step| step.saturating_mul(3) >= highest) {
                break step;
            }
            ten = ten.saturating_mul(10);
        };
        Self { step, steps: highest.div_ceil(step).max(2) }
    }

    /// The value of each line, from the top.
    pub(super) fn lines(self) -> impl Iterator<Item = u64> {
        (0..=self.steps).rev().map(move |line| self.step.saturating_mul(line))
    }

    /// How high that many is.
    pub(super) fn height(self, count: u64) -> u64 {
        let top = u128::from(self.step.saturating_mul(self.steps)).max(1);
        let height = u128::from(count) * u128::from(HEIGHT) / top;
        u64::try_from(height).unwrap_or(HEIGHT).min(HEIGHT)
    }

    /// How far from the top that many is.
    pub(super) fn y(self, count: u64) -> u64 {
        HEIGHT - self.height(count)
    }
}

/// A part of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BarBlock {
    /// Which of the series it belongs to.
    pub(super) series: usize,
    pub(super) x: u64,
    pub(super) y: u64,
    pub(super) width: u64,
    pub(super) height: u64,
}

/// The parts of the bar of a bucket, from the bottom.
pub(super) fn bar(axis: Axis, bucket: u64, counts: &[u64]) -> Vec<BarBlock> {
    let mut blocks: Vec<BarBlock> = Vec::new();
    let mut below = 0;
    for (series, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = axis.height(*count).max(LEAST);
        let seam = if blocks.is_empty() || height <= SEAM + LEAST { 0 } else { SEAM };
        // On a full-height bar, the minimum height of a small part is taken from the part below.
        let top = (below + height).min(HEIGHT);
        let bottom = (below + seam).min(top - LEAST);
        blocks.push(BarBlock {
            series,
            x: bucket * BUCKET + GAP / 2,
            y: HEIGHT - top,
            width: BUCKET - GAP,
            height: top - bottom,
        });
        below = top;
    }
    blocks
}

/// The outlines of areas that stand on each other: of each series its upper edge, and the edge
/// below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Area {
    /// The upper edge, as the data of a path.
    pub(super) line: String,
    pub(super) outline: String,
}

/// The areas of all series, from the bottom. `counts` has a list for each bucket.
pub(super) fn areas(axis: Axis, series: usize, counts: &[Vec<u64>]) -> Vec<Area> {
    let width = counts.len() as u64 * BUCKET;
    let last = (counts.len() as u64).saturating_sub(1).max(1);
    let edge = |up_to: usize| -> Vec<(u64, u64)> {
        let points = counts.iter().enumerate().map(|(bucket, counts)| {
            let sum = counts.iter().take(up_to).sum();
            (bucket as u64 * width / last, axis.y(sum))
        });
        points.collect()
    };
    let path = |points: &[(u64, u64)]| {
        points.iter().map(|(x, y)| format!("{x} {y}")).collect::<Vec<_>>().join("L")
    };
    (0..series)
        .map(|index| {
            let (upper, mut lower) = (edge(index + 1), edge(index));
            lower.reverse();
            let line = format!("M{}", path(&upper));
            Area { outline: format!("{line}L{}Z", path(&lower)), line }
        })
        .collect()
}

/// Which bucket is at `x` of a chart that is `width` wide, both in pixels.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "pixels and buckets are few, and what is outside is brought inside"
)]
pub(super) fn bucket_at(x: f64, width: f64, buckets: usize) -> Option<usize> {
    let last = buckets.checked_sub(1)?;
    let part = if width > 0.0 { (x / width).clamp(0.0, 1.0) } else { 0.0 };
    Some(((part * buckets as f64) as usize).min(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(highest: u64) -> Vec<u64> {
        Axis::for_highest(highest).lines().collect()
    }

    #[test]
    fn an_axis_has_three_or_four_round_lines() {
        assert_eq!(lines(0), [2, 1, 0]);
        assert_eq!(lines(3), [3, 2, 1, 0]);
        assert_eq!(lines(20), [20, 10, 0]);
        assert_eq!(lines(21), [30, 20, 10, 0]);
        assert_eq!(lines(11_000), [15_000, 10_000, 5_000, 0]);
        for highest in [1, 7, 99, 100, 101, 123_456_789, u64::MAX] {
            let lines = lines(highest);
            assert!((3..=4).contains(&lines.len()), "{highest}: {lines:?}");
            assert!(lines[0] >= highest, "{highest}: {lines:?}");
        }
    }

    #[test]
    fn a_stack_is_as_high_as_its_sum_and_has_seams() {
        let axis = Axis::for_highest(20);
        let blocks = bar(axis, 3, &[10, 0, 5]);
        let [lower, upper] = blocks[..] else { panic!("{blocks:?}") };
        assert_eq!((lower.series, lower.x, lower.y, lower.height), (0, 31, 500, 500));
        assert_eq!((upper.series, upper.y, upper.height), (2, 250, 250 - SEAM));
        assert_eq!(bar(axis, 0, &[0, 0, 0]), []);
    }

    #[test]
    fn one_among_thousands_is_seen_and_no_stack_leaves_the_axis() {
        let axis = Axis::for_highest(30_000);
        for counts in [[30_000, 1, 1], [1, 30_000, 1], [29_999, 1, 0]] {
            let blocks = bar(axis, 0, &counts);
            assert_eq!(blocks.len(), counts.iter().filter(|count| **count > 0).count());
            for block in blocks {
                assert!(block.height >= LEAST && block.y + block.height <= HEIGHT, "{block:?}");
            }
        }
    }

    #[test]
    fn areas_stand_on_each_other_from_edge_to_edge() {
        let counts = [vec![10, 0], vec![0, 10], vec![5, 5]];
        let areas = areas(Axis::for_highest(20), 2, &counts);
        assert_eq!(areas[0].line, "M0 500L15 1000L30 750");
        assert_eq!(areas[0].outline, "M0 500L15 1000L30 750L30 1000L15 1000L0 1000Z");
        assert_eq!(areas[1].line, "M0 500L15 500L30 500");
        assert_eq!(areas[1].outline, "M0 500L15 500L30 500L30 750L15 1000L0 500Z");
    }

    #[test]
    fn a_pointer_is_over_one_bucket() {
        assert_eq!(bucket_at(0.0, 480.0, 48), Some(0));
        assert_eq!(bucket_at(479.9, 480.0, 48), Some(47));
        assert_eq!(bucket_at(500.0, 480.0, 48), Some(47));
        assert_eq!(bucket_at(-3.0, 480.0, 48), Some(0));
        assert_eq!(bucket_at(5.0, 0.0, 48), Some(0));
        assert_eq!(bucket_at(5.0, 480.0, 0), None);
    }
}
