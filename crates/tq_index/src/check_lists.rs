//! Whether an index's lists are what they should be: centroids, map and directory, against one another and against the extents.

use crate::check::Checker;
use crate::error::IndexError;
use crate::layout::{self, Kind};
use crate::list_pages::{self, Entry};
use crate::lists::ListMap;
use crate::pages::Pages;
use crate::session::Session;

/// Looks at all lists, as `plan` has found the index.
pub(crate) fn check_lists<P: Pages, C: Checker>(
    pages: &P,
    plan: &mut Session,
    checker: &mut C,
) -> Result<(), C::Error> {
    match plan.lists(pages) {
        Err(IndexError::Damaged { block, problem }) => checker.fault(block, problem)?,
        other => drop(other?),
    }
    let map = match plan.list_map(pages) {
        Err(IndexError::Damaged { block, problem }) => return checker.fault(block, problem),
        map => map?,
    };
    for extent in 0..plan.meta.extents {
        pages.poll();
        let start = plan.meta.extent_start(extent)?;
        let kind = pages.read(start, |page| layout::kind_of(start, page))?;
        let expected = if map.list_of(extent).is_some() { Kind::Slots } else { Kind::Others };
        if kind.is_some_and(|(kind, _)| kind != expected) {
            checker.fault(start, "an extent of another kind than the map says")?;
        }
    }
    for list in 0..plan.meta.lists() {
        pages.poll();
        let (block, _) = list_pages::entry_place(&plan.meta, pages.room(), list)?;
        let fault = loop {
            let before = list_pages::read_entry(pages, &plan.meta, list);
            let fault = match before {
                Ok(entry) => fault_of(pages, plan, &map, list, entry)?,
                Err(IndexError::Damaged { problem, .. }) => Some(problem),
                Err(error) => return Err(error.into()),
            };
            // A page that has come in the meantime is no fault.
            if fault.is_none() || before == list_pages::read_entry(pages, &plan.meta, list) {
                break fault;
            }
        };
        if let Some(problem) = fault {
            checker.fault(block, problem)?;
        }
    }
    Ok(())
}

/// What is wrong with what the directory says of a list.
fn fault_of<P: Pages>(
    pages: &P,
    plan: &Session,
    map: &ListMap,
    list: u32,
    entry: Entry,
) -> Result<Option<&'static str>, IndexError> {
    let (Some(place), slot_pages) = (plan.meta.place, plan.layout(pages)?.slot_pages) else {
        return Ok(Some("lists without extents"));
    };
    let extents = map.extents(list);
    let in_list = |block: u32| {
        let place = place.place(block);
        place.is_some_and(|(extent, page)| map.list_of(extent) == Some(list) && page < slot_pages)
    };
    if place.place(entry.last).is_some_and(|(extent, _)| extent >= plan.meta.extents) {
        // Of an extent that was added since.
        return Ok(None);
    }
    let Some(last) = extents.last() else {
        let none = entry == Entry::default();
        return Ok((!none).then_some("the directory has pages of a list that has no extent"));
    };
    if !in_list(entry.last) || !in_list(entry.target) || entry.target > entry.last {
        return Ok(Some("the directory has pages of a list that aren't its"));
    }
    let start = plan.meta.extent_start(*last)?;
    let mut used = start;
    for block in start..start + slot_pages {
        if pages.read(block, |page| layout::kind_of(block, page))?.is_some() {
            used = block;
        }
    }
    Ok((used != entry.last).then_some("the directory has another last page of a list than there is"))
}
