//! What the tests of QVEC share: indexes put together from parts and taken apart again.
#![allow(dead_code, reason = "each test binary uses its own part")]

use tq_format::qvec;

/// An id that owns its text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Id {
    Number(f64),
    Text(String),
    Integer(String),
}

impl Id {
    pub(crate) fn view(&self) -> qvec::Id<'_> {
        match self {
            Id::Number(number) => qvec::Id::Number(*number),
            Id::Text(text) => qvec::Id::Text(text),
            Id::Integer(text) => qvec::Id::Integer(text),
        }
    }
}

/// All that a file says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parts {
    pub(crate) header: qvec::Header,
    pub(crate) codes: Vec<u8>,
    pub(crate) scales: Vec<f32>,
    pub(crate) norms: Vec<f32>,
    /// Shifts, then scales.
    pub(crate) calibration: Option<Vec<f32>>,
    /// Probes, centroids, list of each slot.
    pub(crate) ivf: Option<(u32, Vec<f32>, Vec<u32>)>,
    pub(crate) ids: Vec<Id>,
}

fn floats(numbers: &[f32]) -> impl Iterator<Item = u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes())
}

impl Parts {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let layout = self.header.layout;
        let mut out = self.header.to_bytes().to_vec();
        qvec::pack_codes(self.header.bits, &self.codes, &mut out);
        out.extend(floats(&self.scales).chain(floats(&self.norms)));
        if layout != qvec::Layout::Doc1 {
            out.push(self.calibration.is_some().into());
            out.extend(self.calibration.iter().flat_map(|numbers| floats(numbers)));
        }
        if layout == qvec::Layout::V2 {
            out.push(self.ivf.is_some().into());
            if let Some((probes, centroids, slots)) = &self.ivf {
                let lists = centroids.len() as u32 / self.header.dimension;
                out.extend(lists.to_le_bytes().into_iter().chain(probes.to_le_bytes()));
                out.extend(floats(centroids).chain(slots.iter().flat_map(|list| list.to_le_bytes())));
            }
        }
        for id in &self.ids {
            id.view().write(&mut out).unwrap();
        }
        out
    }

    pub(crate) fn of(view: &qvec::View<'_>) -> Self {
        let header = *view.header();
        let dimension = header.dimension as usize;
        let (mut codes, mut scales, mut norms) = (Vec::new(), Vec::new(), Vec::new());
        let mut row_codes = vec![0; dimension];
        for row in view.rows(0..header.count) {
            qvec::unpack_codes(header.bits, row.codes, &mut row_codes);
            codes.extend_from_slice(&row_codes);
            scales.push(row.scale);
            norms.push(row.norm);
        }
        let calibration = view.calibration().map(|c| c.shifts().chain(c.scales()).collect());
        let ivf = view.inverted_file().map(|ivf| {
            let centroids =
                (0..ivf.lists()).flat_map(|list| ivf.centroid(list).collect::<Vec<_>>()).collect();
            let slots = (0..header.count).map(|slot| ivf.list(slot).unwrap()).collect();
            (ivf.probes(), centroids, slots)
        });
        let ids = view.ids_from(0).map(|id| owned(id.unwrap())).collect();
        Parts { header, codes, scales, norms, calibration, ivf, ids }
    }
}

pub(crate) fn owned(id: qvec::Id<'_>) -> Id {
    match id {
        qvec::Id::Number(number) => Id::Number(number),
        qvec::Id::Text(text) => Id::Text(text.to_owned()),
        qvec::Id::Integer(text) => Id::Integer(text.to_owned()),
    }
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    fn float(&mut self) -> f32 {
        (1 + self.below(1 << 20)) as f32 / 65536.0
    }

    /// An index with whatever its layout can hold.
    pub(crate) fn parts(&mut self, layout: qvec::Layout, keyed: bool) -> Parts {
        let bits = [qvec::Bits::Two, qvec::Bits::Three, qvec::Bits::Four][self.below(3)];
        let metric = [qvec::Metric::Dot, qvec::Metric::Cosine, qvec::Metric::Euclidean][self.below(3)];
        let dimension = 8 * (1 + self.below(4)) as u32;
        let count = self.below(160) as u32;
        let seed = self.below(1000) as f64 / 8.0 - 60.0;
        let header = qvec::Header { layout, keyed, metric, bits, dimension, count, seed };
        let (d, n) = (dimension as usize, count as usize);
        let calibrated = layout != qvec::Layout::Doc1 && self.below(2) == 0;
        let inverted = layout == qvec::Layout::V2 && self.below(2) == 0;
        let lists = 2 + self.below(5);
        Parts {
            header,
            codes: (0..n * d).map(|_| self.below(bits.levels()) as u8).collect(),
            scales: (0..n).map(|_| self.float()).collect(),
            norms: (0..n).map(|_| self.float()).collect(),
            calibration: calibrated.then(|| (0..2 * d).map(|_| self.float()).collect()),
            ivf: inverted.then(|| {
                let centroids = (0..lists * d).map(|_| self.float()).collect();
                let slots = (0..n).map(|_| self.below(lists) as u32).collect();
                (1 + self.below(lists) as u32, centroids, slots)
            }),
            ids: (0..if keyed { n } else { 0 }).map(|slot| self.id(slot)).collect(),
        }
    }

    fn id(&mut self, slot: usize) -> Id {
        match self.below(3) {
            0 => Id::Number(slot as f64 - 2.5),
            1 => Id::Text(format!("{}{slot}", "ü".repeat(self.below(20)))),
            _ => Id::Integer(format!("-{}{slot}", 1 + self.below(1 << 40))),
        }
    }
}
