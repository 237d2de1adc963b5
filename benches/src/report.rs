//! The table, and the same figures as JSON.

use serde::Serialize;

use crate::Result;
use crate::args::Args;
use crate::notes::Source;
use crate::sample::Sample;
use crate::scenario::{Goal, Scenario};

/// One line of the table: medians of all turns, and the ratio pair by pair.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    row: String,
    variant: String,
    against: String,
    /// `generated` or `real` notes.
    notes: String,
    goal: Option<f64>,
    /// Whether the ratio compares times (smaller is better) instead of rates.
    goal_is_time: bool,
    /// Median of the pairwise ratios.
    ratio: f64,
    ratio_min: f64,
    ratio_max: f64,
    limit: Side,
    ours: Side,
}

/// Medians of one side.
#[derive(Debug, Serialize)]
struct Side {
    ops: u64,
    per_second: f64,
    cpu_us_per_op: f64,
    p50_us: Option<f64>,
    p99_over_p50: Option<f64>,
    peak_mib: Option<f64>,
    wire_bytes_per_op: Option<f64>,
    requests: Option<f64>,
}

impl Line {
    pub(crate) fn new(scenario: &Scenario, source: Source, limit: Vec<Sample>, ours: Vec<Sample>) -> Self {
        let is_time = matches!(scenario.goal, Goal::Time(_));
        let ratio = |(limit, ours): (&Sample, &Sample)| {
            let rates = ours.per_second() / limit.per_second();
            if is_time { 1.0 / rates } else { rates }
        };
        let ratios: Vec<f64> = limit.iter().zip(&ours).map(ratio).collect();
        Self {
            row: scenario.row.to_owned(),
            variant: scenario.variant.to_owned(),
            against: scenario.against.to_owned(),
            notes: format!("{source:?}").to_lowercase(),
            goal: match scenario.goal {
                Goal::Rate(goal) | Goal::Time(goal) => Some(goal),
                Goal::Seen => None,
            },
            goal_is_time: is_time,
            ratio: median(ratios.clone()),
            ratio_min: ratios.iter().copied().fold(f64::INFINITY, f64::min),
            ratio_max: ratios.iter().copied().fold(0.0, f64::max),
            limit: Side::new(&limit),
            ours: Side::new(&ours),
        }
    }

    fn cells(&self) -> [String; 10] {
        let goal = self.goal.map_or_else(String::new, |goal| {
            let sign = if self.goal_is_time { "<=" } else { ">=" };
            format!("{sign} {goal:.2}")
        });
        [
            format!("{}, {}{}", self.row, self.variant, if self.notes == "real" { " (real notes)" } else { "" }),
            rate(self.limit.per_second),
            rate(self.ours.per_second),
            format!("{:.2}", self.ratio),
            format!("{:.2}-{:.2}", self.ratio_min, self.ratio_max),
            goal,
            format!("{:.1} / {:.1}", self.limit.cpu_us_per_op, self.ours.cpu_us_per_op),
            format!("{} / {}", optional(self.limit.p99_over_p50, 1), optional(self.ours.p99_over_p50, 1)),
            format!("{} / {}", optional(self.limit.peak_mib, 1), optional(self.ours.peak_mib, 1)),
            format!("{} / {}", optional(self.limit.wire_bytes_per_op, 0), optional(self.ours.wire_bytes_per_op, 0)),
        ]
    }
}

impl Side {
    fn new(samples: &[Sample]) -> Self {
        let of = |figure: fn(&Sample) -> Option<f64>| {
            let figures: Vec<f64> = samples.iter().filter_map(figure).collect();
            if figures.is_empty() { None } else { Some(median(figures)) }
        };
        Self {
            ops: samples.first().map_or(0, |sample| sample.ops),
            per_second: of(|sample| Some(sample.per_second())).unwrap_or(0.0),
            cpu_us_per_op: of(|sample| Some(sample.cpu_us_per_op())).unwrap_or(0.0),
            p50_us: of(|sample| sample.p50_ns.map(|ns| ns as f64 / 1e3)),
            p99_over_p50: of(|sample| Some(sample.p99_ns? as f64 / sample.p50_ns?.max(1) as f64)),
            peak_mib: of(|sample| Some(sample.peak_bytes? as f64 / f64::from(1 << 20))),
            wire_bytes_per_op: of(|sample| Some(sample.wire_bytes? as f64 / sample.ops.max(1) as f64)),
            requests: of(|sample| Some(sample.requests? as f64)),
        }
    }
}

const HEADINGS: [&str; 10] =
    ["Work", "limit/s", "ours/s", "ratio", "min-max", "goal", "CPU µs an op", "p99/p50", "peak MiB", "wire B an op"];

/// Prints the table, or JSON; the JSON is kept in the benchmark folder either way.
pub(crate) fn print(args: &Args, lines: &[Line]) -> Result<()> {
    let json = serde_json::to_string_pretty(lines)?;
    std::fs::create_dir_all(&args.dir)?;
    std::fs::write(args.dir.join("last.json"), &json)?;
    if args.json {
        println!("{json}");
        return Ok(());
    }
    print_table(lines);
    println!("\nRatios are medians of {} pairs; where two figures stand, the limit's comes first.", args.pairs.max(1));
    println!("The same as JSON: {}", args.dir.join("last.json").display());
    Ok(())
}

/// A Markdown table, so that it can go into the docs as it is.
fn print_table(lines: &[Line]) {
    let rows: Vec<_> = lines.iter().map(Line::cells).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEADINGS[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let print_row = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, &width)| format!(" {cell:<width$} "));
        println!("|{}|", padded.collect::<Vec<_>>().join("|"));
    };
    print_row(&HEADINGS.map(str::to_owned));
    println!("|{}|", widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("|"));
    rows.iter().for_each(|row| print_row(row));
}

fn rate(per_second: f64) -> String {
    if per_second >= 1_000.0 { format!("{per_second:.0}") } else { format!("{per_second:.1}") }
}

fn optional(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.digits$}"))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len() % 2 == 1 { figures[middle] } else { f64::midpoint(figures[middle - 1], figures[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0]) - 2.5).abs() < f64::EPSILON);
    }

    #[test]
    fn ratios_are_taken_pair_by_pair() {
        let scenario = crate::rows::all()[0];
        let sample = |wall_ns| Sample { ops: 10, wall_ns, ..Sample::default() };
        // The machine is twice as slow in the second pair; the ratio stays.
        let line =
            Line::new(&scenario, Source::Generated, vec![sample(100), sample(200)], vec![sample(50), sample(100)]);
        assert!((line.ratio - 2.0).abs() < 1e-9 && (line.ratio_max - line.ratio_min).abs() < 1e-9);
    }
}
