//! Prepared codecs of this backend.
//!
//! What is large about a codec is its rotation, eight bytes for each pair of dimensions; codecs that differ only in
//! width or residual share one. `tinyquant.codec_cache` bounds the rotations in the backend's own memory (those that are
//! mapped from a file take none, see [`rotations`], and are bounded in number); the least recently used codecs go first, the one in
//! use never.
//!
//! Rows of `tq_codec` are immutable, but a codec can be dropped and another created under the same hash. The table's
//! trigger therefore sends a relation-cache invalidation, which reaches every backend at commit (and the own one at
//! the next command); [`super::generation`] counts it, and a count that moved empties the cache.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

use tq_codec::{Codec, Rotation, RotationKind};
use tq_files::MatrixFile;
use tq_memory::OutOfMemory;

use super::generation::generation;
use super::rotations;
use super::rotations::StoredRotation;
use crate::error::{Error, RegistryError};
use crate::server::settings;

/// Mapped rotations that are kept: a part of the mappings that a process may have, which files that are read need as well, and of the
/// disk's space that a removed file takes until nobody maps it.
const MOST_MAPPED: usize = 64;

#[derive(Default)]
struct CodecCache {
    generation: u64,
    clock: u64,
    codecs: HashMap<[u8; 64], CachedCodec>,
    /// Hashes of registered codecs by name.
    names: HashMap<String, [u8; 64]>,
    rotations: HashMap<RotationKey, CachedRotation>,
}

pub(super) type RotationKey = (RotationKind, u64, u32);

struct CachedCodec {
    codec: Arc<Codec>,
    last_use: u64,
}

/// A rotation that some codec uses, and the file behind it if it is mapped.
struct CachedRotation {
    rotation: Weak<Rotation>,
    file: Option<Arc<MatrixFile>>,
}

impl CachedRotation {
    fn intact(&self) -> bool {
        self.file.as_ref().is_none_or(|file| file.intact())
    }
}

fn key_of(codec: &Codec) -> RotationKey {
    (codec.config().rotation(), codec.config().seed(), codec.config().dimension())
}

thread_local! {
    static CACHE: RefCell<CodecCache> = RefCell::default();
}

/// Makes the cache now, for which the C library may allocate.
pub(super) fn init() {
    CACHE.with_borrow(|_| ());
}

/// The codec of this hash: from the cache, or from `prepare`, whose result is kept.
pub(super) fn get_or_prepare(
    hash: &[u8; 64],
    prepare: impl FnOnce() -> Result<Arc<Codec>, Error>,
) -> Result<Arc<Codec>, Error> {
    let found = CACHE.with_borrow_mut(|cache| {
        cache.drop_if_stale();
        cache.clock += 1;
        let clock = cache.clock;
        let entry = cache.codecs.get_mut(hash)?;
        if !cache.rotations.get(&key_of(&entry.codec)).is_none_or(CachedRotation::intact) {
            let lost = key_of(&entry.codec);
            cache.forget_rotation(lost);
            return None;
        }
        entry.last_use = clock;
        Some(entry.codec.clone())
    });
    if let Some(codec) = found {
        return Ok(codec);
    }
    // Not under the borrow: preparing reads the table, and that may run anything.
    let codec = prepare()?;
    CACHE.with_borrow_mut(|cache| {
        cache.codecs.try_reserve(1).map_err(OutOfMemory::from)?;
        cache.codecs.insert(*hash, CachedCodec { codec: codec.clone(), last_use: cache.clock });
        cache.shrink(settings::codec_cache_bytes(), hash);
        Ok(codec)
    })
}

/// The hash of the registered codec of this name, if it was looked up before.
pub(super) fn hash_of_name(name: &str) -> Option<[u8; 64]> {
    CACHE.with_borrow_mut(|cache| {
        cache.drop_if_stale();
        cache.names.get(name).copied()
    })
}

/// Keeps the hash of a registered codec by its name.
pub(super) fn remember_name(name: &str, hash: [u8; 64]) {
    // Without memory for it, it is looked up again.
    CACHE.with_borrow_mut(|cache| {
        if cache.names.try_reserve(1).is_ok() {
            cache.names.insert(name.to_string(), hash);
        }
    });
}

/// The rotation of this kind, seed and dimension, shared with the codecs that have it already.
pub(super) fn rotation(kind: RotationKind, seed: u64, dimension: u32) -> Result<Arc<Rotation>, Error> {
    let key = (kind, seed, dimension);
    let kept = CACHE.with_borrow(|cache| {
        cache.rotations.get(&key).filter(|kept| kept.intact()).and_then(|kept| kept.rotation.upgrade())
    });
    if let Some(rotation) = kept {
        return Ok(rotation);
    }
    CACHE.with_borrow_mut(CodecCache::drop_unused);
    let StoredRotation { rotation, file } = rotations::open_or_build(kind, seed, dimension)?;
    CACHE.with_borrow_mut(|cache| {
        cache.forget_rotation(key);
        cache.rotations.try_reserve(1).map_err(OutOfMemory::from)?;
        cache.rotations.insert(key, CachedRotation { rotation: Arc::downgrade(&rotation), file });
        Ok(rotation)
    })
}

/// Confirms, after a codec was used, that what it read of its mapped rotation was right.
pub(super) fn confirm(codec: &Codec) -> Result<(), Error> {
    confirm_rotation(key_of(codec))
}

/// [`confirm`] for a rotation by itself.
pub(super) fn confirm_rotation(key: RotationKey) -> Result<(), Error> {
    CACHE.with_borrow(|cache| match cache.rotations.get(&key) {
        Some(kept) if !kept.intact() => Err(Error::Registry(RegistryError::RotationLost)),
        _ => Ok(()),
    })
}

impl CodecCache {
    fn drop_if_stale(&mut self) {
        let now = generation();
        if self.generation != now {
            self.generation = now;
            // Built-in codecs and rotations follow from their parameters alone and stay right.
            self.codecs.retain(|_, entry| entry.codec.is_builtin());
            self.names.clear();
        }
    }

    /// Drops codecs, the least recently used first, until the rotations fit; `keep` stays.
    fn shrink(&mut self, limit: usize, keep: &[u8; 64]) {
        self.drop_unused();
        while self.rotation_bytes() > limit || self.mapped() > MOST_MAPPED {
            let oldest =
                self.codecs.iter().filter(|(hash, _)| *hash != keep).min_by_key(|(_, entry)| entry.last_use);
            let Some(hash) = oldest.map(|(hash, _)| *hash) else {
                break;
            };
            self.codecs.remove(&hash);
            self.drop_unused();
        }
    }

    /// Drops the files of rotations that no codec uses any more.
    fn drop_unused(&mut self) {
        self.rotations.retain(|_, kept| kept.rotation.strong_count() > 0);
    }

    fn mapped(&self) -> usize {
        self.rotations.values().filter(|kept| kept.file.is_some()).count()
    }

    /// Drops a rotation and the codecs that use it.
    fn forget_rotation(&mut self, key: RotationKey) {
        self.rotations.remove(&key);
        self.codecs.retain(|_, entry| key_of(&entry.codec) != key);
    }

    fn rotation_bytes(&self) -> usize {
        self.rotations
            .values()
            .filter_map(|kept| kept.rotation.upgrade())
            .map(|rotation| rotation.memory_bytes())
            .sum()
    }
}
