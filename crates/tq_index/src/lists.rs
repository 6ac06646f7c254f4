//! What a session knows of an index's lists: their centroids, which never change, and which extents each has, of which more may come.

use std::sync::Arc;

use tq_codec::Metric;
use tq_simd::Level;

use crate::candidates;
use crate::centroids::Centroids;
use crate::error::{IndexError, damaged};
use crate::list_pages::{self, OTHERS};
use crate::meta::Meta;
use crate::pages::Pages;

/// An index's lists, as they were last read. Cheap to clone, and worth keeping from one search to the next.
#[derive(Clone, Debug)]
pub struct Lists {
    pub(crate) centroids: Arc<Centroids>,
    pub(crate) map: Arc<ListMap>,
}

/// The extents of each list.
#[derive(Default, Debug)]
pub(crate) struct ListMap {
    /// What the map says of each extent.
    says: Vec<u32>,
    /// Extents, sorted by their list, and by number; those of other rows come last.
    sorted: Vec<u32>,
    /// Of each list, and of the other rows behind them, where its extents begin there; and the end.
    starts: Vec<u32>,
}

impl ListMap {
    /// Reads the map. `known` is what was read before.
    pub(crate) fn read<P: Pages>(pages: &P, meta: &Meta, known: &[u32]) -> Result<Self, IndexError> {
        let mut says = tq_memory::copied(known)?;
        list_pages::read_map(pages, meta, &mut says)?;
        let count = meta.lists() as usize;
        let of = |says: u32| if says == OTHERS { count } else { says as usize - 1 };
        let mut starts = tq_memory::filled(count + 2, 0u32)?;
        says.iter().for_each(|says| starts[of(*says) + 1] += 1);
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = tq_memory::copied(&starts)?;
        let mut sorted = tq_memory::filled(says.len(), 0)?;
        for (extent, says) in (0..).zip(&says) {
            let next = &mut next[of(*says)];
            sorted[*next as usize] = extent;
            *next += 1;
        }
        Ok(Self { says, sorted, starts })
    }

    /// The extents of a list, in order.
    pub(crate) fn extents(&self, list: u32) -> &[u32] {
        let ends = self.starts.get(list as usize).zip(self.starts.get(list as usize + 1));
        ends.and_then(|(start, end)| self.sorted.get(*start as usize..*end as usize)).unwrap_or_default()
    }

    /// Those of other rows.
    pub(crate) fn others(&self) -> &[u32] {
        self.extents((self.starts.len() as u32).saturating_sub(2))
    }

    /// The list of an extent; `None` if it has other rows, or wasn't there.
    pub(crate) fn list_of(&self, extent: u32) -> Option<u32> {
        self.says.get(extent as usize).filter(|says| **says != OTHERS).map(|says| says - 1)
    }
}

impl Lists {
    /// Reads what `kept` doesn't know: `kept` may be of any index.
    pub(crate) fn read<P: Pages>(pages: &P, meta: &Meta, kept: Option<Self>) -> Result<Self, IndexError> {
        let lists = meta.lists.ok_or(damaged(0, "an index without lists"))?;
        let shape = meta.shape.ok_or(damaged(0, "lists without a codec"))?;
        let dimension = shape.dimension as usize;
        let same = |kept: &Self| {
            kept.centroids.sum() == lists.sum
                && kept.centroids.bytes().len()
                    == lists.count as usize * list_pages::centroid_bytes(dimension)
                && kept.map.says.len() <= meta.extents as usize
        };
        let (centroids, map) = match kept.filter(same) {
            Some(kept) => (kept.centroids, Some(kept.map)),
            None => {
                let bytes = list_pages::read_centroids(pages, meta)?;
                let block = list_pages::centroids_start(dimension, pages.room());
                (Arc::new(Centroids::of_bytes(bytes, dimension, lists.sum, block)?), None)
            }
        };
        let map = match map {
            Some(map) if map.says.len() == meta.extents as usize => map,
            map => Arc::new(ListMap::read(pages, meta, map.as_ref().map_or(&[], |map| &map.says))?),
        };
        Ok(Self { centroids, map })
    }

    /// The list whose centroid is nearest to a row.
    pub(crate) fn nearest(
        &self,
        meta: &Meta,
        rotated: &[f32],
        room: &mut Vec<f32>,
    ) -> Result<u32, IndexError> {
        tq_memory::Grow::try_room(room, self.centroids.count())?;
        self.centroids.distances(meta.definition.metric, rotated, Level::detect(), room)?;
        let nearest = (0..).zip(&*room).min_by(|(_, a), (_, b)| a.total_cmp(b));
        Ok(nearest.map_or(0, |(list, _)| list))
    }

    /// All lists, each below its gap for a query (see `probes`); in no order yet.
    pub(crate) fn ranked(&self, meta: &Meta, rotated: &[f32], level: Level) -> Result<Vec<u64>, IndexError> {
        // An inner product's order doesn't depend on the query's length.
        let metric = match meta.definition.metric {
            Metric::L2 => Metric::L2,
            _ => Metric::Cosine,
        };
        let mut gaps = tq_memory::with_capacity(self.centroids.count())?;
        self.centroids.distances(metric, rotated, level, &mut gaps)?;
        let square = match metric {
            Metric::L2 => rotated.iter().map(|x| f64::from(*x) * f64::from(*x)).sum(),
            _ => 1.0,
        };
        let squares = gaps.iter().map(|half| square + 2.0 * f64::from(*half));
        let least = squares.clone().fold(f64::INFINITY, f64::min);
        let mean = squares.sum::<f64>() / gaps.len().max(1) as f64;
        // A query at a centroid isn't far from all others for that.
        let unit = least.max(mean / 16.0).sqrt();
        let unit = if unit > 0.0 { unit } else { 1.0 };
        let word = |(list, half): (u64, &f32)| {
            let gap = (square + 2.0 * f64::from(*half) - least) / unit;
            u64::from(candidates::order(gap as f32)) << 32 | list
        };
        Ok(tq_memory::collected((0..).zip(&gaps).map(word))?)
    }
}
