//! What a session knows of an index from one call to the next: page 0 as it last read it, the centres, and where it last put a row.
//!
//! All of it may be old. Whoever uses it notices by what the pages say (a page of an unknown centre, a tail that is full), and reads
//! again; what decides is read under the lock of the page that it is about.

use std::sync::Arc;

use tq_codec::Codec;

use crate::centre::{Centre, Centres};
use crate::error::{IndexError, damaged};
use crate::layout::RowLayout;
use crate::lists::{ListMap, Lists};
use crate::meta::Meta;
use crate::pages::Pages;

/// A session's knowledge of an index.
#[derive(Debug)]
pub struct Session {
    pub(crate) meta: Meta,
    pub(crate) centres: Centres,
    /// The slot page that rows go to.
    pub(crate) target: Option<u32>,
    /// The tail that was found full.
    pub(crate) full: Option<u32>,
    /// The lists, as far as they were read.
    lists: Option<Lists>,
    /// The slot page that each list's rows go to; 0 if that wasn't read.
    pub(crate) targets: Vec<u32>,
    /// Distances of centroids.
    pub(crate) distances: Vec<f32>,
    /// A decoded row.
    pub(crate) rotated: Vec<f32>,
    /// A row of codes.
    pub(crate) row: Vec<u8>,
}

impl Session {
    /// Reads page 0.
    ///
    /// # Errors
    /// [`IndexError::Damaged`], [`IndexError::Version`].
    pub fn new<P: Pages>(pages: &P) -> Result<Self, IndexError> {
        Ok(Self {
            meta: Meta::read(pages)?,
            centres: Centres::default(),
            target: None,
            full: None,
            lists: None,
            targets: Vec::new(),
            distances: Vec::new(),
            rotated: Vec::new(),
            row: Vec::new(),
        })
    }

    /// With lists that another session has read, of this index or of any: what is of use is taken.
    pub fn knowing(self, lists: Option<Lists>) -> Self {
        Self { lists, ..self }
    }

    /// The lists that were read, for [`Session::knowing`].
    pub fn known_lists(&self) -> Option<Lists> {
        self.lists.clone()
    }

    /// The index's lists; with all extents that page 0, as it was last read, says there are.
    pub(crate) fn lists<P: Pages>(&mut self, pages: &P) -> Result<Lists, IndexError> {
        let lists = Lists::read(pages, &self.meta, self.lists.take())?;
        self.lists = Some(lists.clone());
        Ok(lists)
    }

    /// Which extents each list has, without the centroids.
    pub(crate) fn list_map<P: Pages>(&self, pages: &P) -> Result<ListMap, IndexError> {
        ListMap::read(pages, &self.meta, &[])
    }

    /// Page 0 as it was last read.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Reads page 0 again.
    pub(crate) fn refresh<P: Pages>(&mut self, pages: &P) -> Result<(), IndexError> {
        self.meta = Meta::read(pages)?;
        Ok(())
    }

    /// The centre of a page that says it is of `number`. No page may be held.
    pub(crate) fn centre<P: Pages>(
        &mut self,
        pages: &P,
        block: u32,
        number: u32,
    ) -> Result<Arc<Centre>, IndexError> {
        // While one is being replaced, its area and page 0 may disagree for a moment.
        for _ in 0..100 {
            if let Some(centre) = self.centres.get(number) {
                return Ok(Arc::clone(centre));
            }
            self.refresh(pages)?;
            let dimension = self.meta.shape.map_or(0, |shape| shape.dimension as usize);
            if number > self.meta.centre || number + 1 < self.meta.centre {
                break;
            }
            self.centres.refresh(pages, self.meta.centre, dimension)?;
            pages.poll();
        }
        Err(damaged(block, "slots of a centre that isn't there"))
    }

    /// Where rows are.
    pub(crate) fn layout<P: Pages>(&self, pages: &P) -> Result<RowLayout, IndexError> {
        self.meta.rows(pages.room()).ok_or(damaged(0, "rows without a codec"))
    }
}

/// Whether that codec is the one of the index's rows.
pub(crate) fn is_codec_of(meta: &Meta, codec: &Codec) -> bool {
    meta.shape.is_some_and(|shape| shape == codec.record_shape())
}
