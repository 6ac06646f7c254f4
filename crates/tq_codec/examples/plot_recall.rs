//! Draws recall against what it costs, as SVG: `plot_recall TITLE COST < measured.csv > plot.svg`, where COST says what the numbers are.
//!
//! Each line of the input is `name,cost,recall`, as `scripts/bench` has measured them. What a name has after a colon is only written; names
//! are one series each then, and otherwise two: those that start with `tq` or `tinyquant` are the project's own, all others the second. There is no background, and the colours stand out from white and from black.

use std::cmp::Ordering;
use std::error::Error;
use std::io::{self, Read};

use plotters::prelude::*;

const SIZE: (u32, u32) = (720, 420);
const TEXT: RGBColor = RGBColor(125, 125, 125);
const OURS: RGBColor = RGBColor(34, 139, 90);
const OTHERS: RGBColor = RGBColor(200, 110, 30);

struct Point {
    name: String,
    cost: f64,
    recall: f64,
}

fn parse(line: &str) -> Option<Point> {
    // Names have commas.
    let mut fields = line.rsplitn(3, ',');
    let recall = fields.next()?.parse().ok()?;
    let cost = fields.next()?.parse().ok()?;
    Some(Point { name: fields.next()?.trim_matches('"').to_owned(), cost, recall })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (title, cost) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    let points: Option<Vec<Point>> = input.lines().map(parse).collect();
    let points = points.filter(|points| !points.is_empty()).ok_or("lines must be name,cost,recall")?;
    let mut svg = String::new();
    draw(&title, &cost, &points, SVGBackend::with_string(&mut svg, SIZE).into_drawing_area())?;
    print!("{svg}");
    Ok(())
}

fn draw(
    title: &str,
    cost: &str,
    points: &[Point],
    area: DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
) -> Result<(), Box<dyn Error>> {
    let words = |size: u32| ("sans-serif", size).into_font().color(&TEXT);
    let most = points.iter().fold(0.0, |most: f64, point| most.max(point.cost));
    let least = points.iter().fold(f64::MAX, |least, point| least.min(point.cost));
    let floor = points.iter().fold(1.0, |floor: f64, point| floor.min(point.recall));
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .caption(title, words(17))
        .x_label_area_size(44)
        .y_label_area_size(52)
        .build_cartesian_2d((least * 0.75..most * 1.9).log_scale(), (floor - 0.06).max(0.0)..1.04)?;
    chart
        .configure_mesh()
        .x_labels(5)
        .x_desc(format!("{cost}, logarithmic"))
        .y_desc("recall@10")
        .x_label_formatter(&|cost| format!("{cost:.0}"))
        .axis_style(TEXT)
        .bold_line_style(TEXT.mix(0.25))
        .light_line_style(TRANSPARENT)
        .label_style(words(13))
        .axis_desc_style(words(14))
        .draw()?;
    // What is the project's own is written below its points, the rest above.
    let is_ours = |point: &Point| point.name.starts_with("tq") || point.name.starts_with("tinyquant");
    let mut all: Vec<&Point> = points.iter().collect();
    all.sort_by(|a, b| {
        (series_of(a), a.cost).partial_cmp(&(series_of(b), b.cost)).unwrap_or(Ordering::Equal)
    });
    for series in all.chunk_by(|a, b| is_ours(a) == is_ours(b) && series_of(a) == series_of(b)) {
        let ours = is_ours(series[0]);
        let colour = if ours { OURS } else { OTHERS };
        let line = series.iter().map(|point| (point.cost, point.recall));
        chart.draw_series(LineSeries::new(line, colour.mix(0.5).stroke_width(2)))?;
        chart.draw_series(series.iter().enumerate().map(|(index, point)| {
            // Neighbours' names one above the other.
            let below = match (ours, index % 2) {
                (true, odd) => 8 + 13 * odd as i32,
                (false, odd) => -20 - 13 * odd as i32,
            };
            let name = point.name.replace(':', "");
            EmptyElement::at((point.cost, point.recall))
                + Circle::new((0, 0), 5, colour.filled())
                + Text::new(name, (7, below), ("sans-serif", 13).into_font().color(&colour))
        }))?;
    }
    area.present()?;
    Ok(())
}

/// The part of a name that names a series of its own, if it has one.
fn series_of(point: &Point) -> &str {
    point.name.split_once(':').map_or("", |(series, _)| series)
}
