//! Draws recall against bytes a vector, as SVG: `plot_recall TITLE < measured.csv > plot.svg`.
//!
//! Each line of the input is `name,bytes,recall`, as `scripts/bench` has measured them. Names that start with `tqvec` make the
//! project's own series, all others the second one. There is no background, and the colours stand out from white and from black.

use std::error::Error;
use std::io::{self, Read};

use plotters::prelude::*;

const SIZE: (u32, u32) = (720, 420);
const TEXT: RGBColor = RGBColor(125, 125, 125);
const OURS: RGBColor = RGBColor(34, 139, 90);
const OTHERS: RGBColor = RGBColor(200, 110, 30);

struct Point {
    name: String,
    bytes: f64,
    recall: f64,
}

fn parse(line: &str) -> Option<Point> {
    // Names have commas.
    let mut fields = line.rsplitn(3, ',');
    let recall = fields.next()?.parse().ok()?;
    let bytes = fields.next()?.parse().ok()?;
    Some(Point { name: fields.next()?.trim_matches('"').to_owned(), bytes, recall })
}

fn main() -> Result<(), Box<dyn Error>> {
    let title = std::env::args().nth(1).unwrap_or_default();
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    let points: Option<Vec<Point>> = input.lines().map(parse).collect();
    let points = points.filter(|points| !points.is_empty()).ok_or("lines must be name,bytes,recall")?;
    let mut svg = String::new();
    draw(&title, &points, SVGBackend::with_string(&mut svg, SIZE).into_drawing_area())?;
    print!("{svg}");
    Ok(())
}

fn draw(
    title: &str,
    points: &[Point],
    area: DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
) -> Result<(), Box<dyn Error>> {
    let words = |size: u32| ("sans-serif", size).into_font().color(&TEXT);
    let most = points.iter().fold(0.0, |most: f64, point| most.max(point.bytes));
    let least = points.iter().fold(f64::MAX, |least, point| least.min(point.bytes));
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
        .x_desc("bytes a row, logarithmic")
        .y_desc("recall@10")
        .x_label_formatter(&|bytes| format!("{bytes:.0}"))
        .axis_style(TEXT)
        .bold_line_style(TEXT.mix(0.25))
        .light_line_style(TRANSPARENT)
        .label_style(words(13))
        .axis_desc_style(words(14))
        .draw()?;
    for (colour, ours) in [(OTHERS, false), (OURS, true)] {
        let mut series: Vec<&Point> =
            points.iter().filter(|point| point.name.starts_with("tqvec") == ours).collect();
        series.sort_by(|a, b| a.bytes.total_cmp(&b.bytes));
        let line = series.iter().map(|point| (point.bytes, point.recall));
        chart.draw_series(LineSeries::new(line, colour.mix(0.5).stroke_width(2)))?;
        chart.draw_series(series.iter().enumerate().map(|(index, point)| {
            // Neighbours' names one above the other.
            let below = match (ours, index % 2) {
                (true, odd) => 8 + 13 * odd as i32,
                (false, odd) => -20 - 13 * odd as i32,
            };
            EmptyElement::at((point.bytes, point.recall))
                + Circle::new((0, 0), 5, colour.filled())
                + Text::new(point.name.clone(), (7, below), ("sans-serif", 13).into_font().color(&colour))
        }))?;
    }
    area.present()?;
    Ok(())
}
