//! `tq_train_codebook`: a codebook from a column's vectors, by a sample of bounded size.
//!
//! An aggregate can't have arguments with defaults, so there is one for each number of them; all share the functions
//! here, which look at how many there are. The sample doesn't depend on the order of the rows, nor on which parallel worker
//! has seen which. Its state travels between workers as bytes:
//!
//! ```text
//! u64 seed   u64 capacity   u64 seen   u32 dimension   u8 bits   u8 method   u8 rotation   u8 0   n × dimension × f32
//! ```

#![allow(unsafe_code)]

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::prelude::*;
use pgrx::{AnyNumeric, Internal, PgMemoryContexts, impl_sql_translatable, pg_sys};
use tq_codec::{BUILTIN_SEED, RotationKind, VectorSample, Workers, check_rotatable, check_vector, train};
use tq_format::{BitWidth, MAX_DIMENSION};

use crate::datum::float_array::FloatArray;
use crate::error::interrupts::poll;
use crate::error::{Error, RegistryError, SampleError, SqlResult, VectorError, cut};
use crate::registry;
use crate::server::settings;

/// The values of a sample unless its size is given: more make no better codebook, and cost memory and time.
const DEFAULT_VALUES: usize = 4 << 20;
/// Most memory of a sample's vectors, in bytes, and of what is noted of them: a little less than what the server
/// allocates at once (`MaxAllocSize`), since a state travels between workers as one value of a row.
///
/// Training needs a copy of the vectors beside the sample, and an eighth more.
const MOST_BYTES: usize = (1 << 30) - (1 << 16);
/// Bytes that are copied between two looks at interrupts.
const ROUND_BYTES: usize = 4 << 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Method {
    Lloyd,
    Quantile,
}

/// What the arguments beside the vector say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Settings {
    width: BitWidth,
    seed: u64,
    method: Method,
    rotation: RotationKind,
}

/// What an aggregate has seen.
#[derive(Debug)]
struct State {
    settings: Settings,
    capacity: usize,
    sample: VectorSample,
}

impl State {
    /// What stands before the vectors in a state's bytes.
    fn header(&self) -> Vec<u8> {
        let Settings { width, seed, method, rotation } = self.settings;
        let mut bytes = seed.to_ne_bytes().to_vec();
        bytes.extend_from_slice(&(self.capacity as u64).to_ne_bytes());
        bytes.extend_from_slice(&self.sample.seen().to_ne_bytes());
        bytes.extend_from_slice(&(self.sample.dimension() as u32).to_ne_bytes());
        bytes.extend_from_slice(&[width.bits(), method as u8, rotation as u8, 0]);
        bytes
    }

    /// The state's bytes as a `bytea` in the current memory context, written there without a copy in between. The server
    /// refuses what it has no memory for.
    fn to_varlena(&self) -> pg_sys::Datum {
        let header = self.header();
        let vectors: &[u8] = bytemuck::cast_slice(self.sample.values());
        let size = pg_sys::VARHDRSZ + header.len() + vectors.len();
        // SAFETY: the varlena is `size` bytes long, as its header says and as its parts are together.
        unsafe {
            let varlena = pg_sys::palloc(size).cast::<pg_sys::varlena>();
            pgrx::set_varsize_4b(varlena, size as i32);
            let mut end = pgrx::vardata_4b(varlena).cast_mut().cast::<u8>();
            for part in std::iter::once(header.as_slice()).chain(vectors.chunks(ROUND_BYTES)) {
                poll();
                end.copy_from_nonoverlapping(part.as_ptr(), part.len());
                end = end.add(part.len());
            }
            pg_sys::Datum::from(varlena)
        }
    }

    /// The state whose bytes [`State::to_varlena`] wrote.
    ///
    /// # Errors
    /// [`VectorError::NotAggregate`] for other bytes, [`SampleError::Memory`].
    fn from_bytes(bytes: &[u8]) -> Result<State, Error> {
        let (mut state, seen, values) =
            State::empty_from(bytes).ok_or(Error::Vector(VectorError::NotAggregate))?;
        let (seed, dimension) = (state.settings.seed, state.sample.dimension());
        let floats = values.iter().map(|bytes| f32::from_ne_bytes(*bytes));
        state.sample = VectorSample::restore(seed, state.capacity, dimension, seen, floats, &mut poll)
            .map_err(|_| Error::Sample(SampleError::Memory((values.len() / dimension.max(1)) as u64)))?;
        Ok(state)
    }

    /// What the header says: a state that has seen nothing, how much it should have, and the floats behind the header.
    fn empty_from(bytes: &[u8]) -> Option<(State, u64, &[[u8; 4]])> {
        let (seed, rest) = bytes.split_first_chunk::<8>()?;
        let (capacity, rest) = rest.split_first_chunk::<8>()?;
        let (seen, rest) = rest.split_first_chunk::<8>()?;
        let (dimension, rest) = rest.split_first_chunk::<4>()?;
        let ([bits, method, rotation, _], values) = rest.split_first_chunk::<4>()?;
        let seed = u64::from_ne_bytes(*seed);
        let settings = Settings {
            width: BitWidth::from_bits(u32::from(*bits))?,
            seed,
            method: [Method::Lloyd, Method::Quantile].into_iter().find(|known| *known as u8 == *method)?,
            rotation: [RotationKind::Haar, RotationKind::Hadamard]
                .into_iter()
                .find(|known| *known as u8 == *rotation)?,
        };
        let capacity = usize::try_from(u64::from_ne_bytes(*capacity)).ok()?;
        let dimension = u32::from_ne_bytes(*dimension) as usize;
        let sample = VectorSample::new(seed, capacity, dimension);
        Some((State { settings, capacity, sample }, u64::from_ne_bytes(*seen), values.as_chunks().0))
    }

    /// Offers a vector to the sample.
    fn offer(&mut self, vector: &[f32]) -> Result<(), Error> {
        if self.settings.method == Method::Lloyd {
            // It will be rotated.
            check_rotatable(vector)?;
        }
        self.sample.offer(vector).map_err(|_| self.out_of_memory())
    }

    /// Adds what another state has seen, which is freed.
    fn merge(&mut self, other: VectorSample) -> Result<(), Error> {
        self.sample.merge(other, &mut poll).map_err(|_| self.out_of_memory())
    }

    fn out_of_memory(&self) -> Error {
        Error::Sample(SampleError::Memory(self.sample.kept() as u64 + 1))
    }

    /// The sample, whose place is taken by an empty one of no capacity.
    fn take_sample(&mut self) -> VectorSample {
        let empty = VectorSample::new(self.settings.seed, 0, self.sample.dimension());
        std::mem::replace(&mut self.sample, empty)
    }

    /// The codebook of what has been seen.
    fn train(&self) -> Result<Vec<f32>, Error> {
        let Settings { width, seed, method, rotation } = self.settings;
        // The state stays as it is: the server may add to it and ask again, as for a window that grows.
        let mut values = train::copy(self.sample.values(), &mut poll)?;
        let codebook = match method {
            // As TinyQuant has it: of the vectors as they are.
            Method::Quantile => train::quantile(&mut values, width, &mut poll)?,
            Method::Lloyd => {
                let workers = Workers::new(settings::threads())?;
                registry::rotate_rows(rotation, seed, self.sample.dimension() as u32, &workers, &mut values)?;
                train::lloyd(&mut values, width, &mut poll)?
            }
        };
        Ok(codebook.entries().to_vec())
    }
}

/// The arguments of a transition function's call, behind the state.
struct Arguments(pg_sys::FunctionCallInfo);

impl Arguments {
    fn count(&self) -> usize {
        // SAFETY: the running call's (see `tq_train_accumulate`).
        unsafe { (*self.0).nargs as usize }
    }

    /// Argument `number`, if the aggregate has so many.
    ///
    /// # Errors
    /// A NULL.
    fn get<T: FromDatum>(&self, number: usize, name: &'static str) -> Result<Option<T>, Error> {
        if number >= self.count() {
            return Ok(None);
        }
        // SAFETY: the call has so many arguments, of the types that ops.sql declares.
        unsafe { pgrx::fcinfo::pg_getarg::<T>(self.0, number) }
            .map(Some)
            .ok_or(Error::Vector(VectorError::NullArgument(name)))
    }

    fn state(&self, dimension: usize) -> Result<State, Error> {
        let bits = self.get::<i32>(2, "bit_width")?.unwrap_or(0);
        let seed = match self.get::<AnyNumeric>(3, "seed")? {
            None => 42,
            Some(seed) => seed
                .to_string()
                .parse()
                .map_err(|_| Error::Registry(RegistryError::SeedRange(seed.to_string())))?,
        };
        if seed == BUILTIN_SEED {
            return Err(Error::Registry(RegistryError::ReservedSeed(seed)));
        }
        let method = match self.get::<&str>(4, "method")? {
            None => Method::Lloyd,
            Some("lloyd") => Method::Lloyd,
            Some("quantile") => Method::Quantile,
            Some(name) => return Err(Error::Sample(SampleError::TrainingMethod(cut(name)))),
        };
        let most = VectorSample::most_vectors(dimension, MOST_BYTES);
        let capacity = match self.get::<i32>(5, "sample")? {
            None => (DEFAULT_VALUES / dimension.max(1)).max(1),
            Some(vectors) => usize::try_from(vectors)
                .ok()
                .filter(|vectors| (1..=most).contains(vectors))
                .ok_or(Error::Sample(SampleError::Size { vectors, most }))?,
        };
        let rotation = match self.get::<&str>(6, "rotation")? {
            None => RotationKind::Haar,
            Some(name) => RotationKind::from_name(name)
                .ok_or_else(|| Error::Vector(VectorError::Rotation(cut(name))))?,
        };
        let settings = Settings { width: crate::datum::typmod::bit_width(bits)?, seed, method, rotation };
        Ok(State { settings, capacity, sample: VectorSample::new(seed, capacity, dimension) })
    }
}

/// The state behind an aggregate's `internal` argument, if it has one yet.
///
/// # Safety
/// The argument must be the state of one of the aggregates here, which alone hold it.
unsafe fn state<'a>(argument: Internal) -> Option<&'a mut State> {
    // SAFETY: by the contract the datum is null or a pointer from `new_state`, whose memory lives as long as the
    // aggregate.
    unsafe { argument.unwrap().and_then(|datum| datum.cast_mut_ptr::<State>().as_mut()) }
}

/// A new state in the aggregate's memory context, dropped with it.
///
/// # Safety
/// `fcinfo` must be the running call's.
unsafe fn new_state(fcinfo: pg_sys::FunctionCallInfo, state: State) -> Result<Internal, Error> {
    // SAFETY: AggCheckCallContext writes a context that outlives the aggregate's transition calls.
    unsafe {
        let mut context: pg_sys::MemoryContext = std::ptr::null_mut();
        if pg_sys::AggCheckCallContext(fcinfo, &mut context) == 0 {
            return Err(Error::Vector(VectorError::NotAggregate));
        }
        let pointer = PgMemoryContexts::For(context).leak_and_drop_on_delete(state);
        Ok(Internal::from(Some(pg_sys::Datum::from(pointer))))
    }
}

fn same(state: &mut State) -> Internal {
    Internal::from(Some(pg_sys::Datum::from(std::ptr::from_mut(state))))
}

/// SFUNC: offers a vector to the sample; NULLs don't count.
#[pg_extern(sql = false)]
fn tq_train_accumulate(fcinfo: pg_sys::FunctionCallInfo) -> SqlResult<Internal> {
    let arguments = Arguments(fcinfo);
    // SAFETY: ops.sql declares the function as the aggregates' transition function alone, with a state and a real[] in
    // front; `new_state` checks that it runs as one.
    unsafe {
        let before = pgrx::fcinfo::pg_getarg::<Internal>(fcinfo, 0).unwrap_or_default();
        if pgrx::fcinfo::pg_arg_is_null(fcinfo, 1) {
            return Ok(before);
        }
        let datum = pgrx::fcinfo::pg_getarg_datum(fcinfo, 1).unwrap_or(pg_sys::Datum::null());
        let array = FloatArray::from_datum(datum);
        let floats = array.floats()?;
        check_vector(&floats).map_err(Error::Codec)?;
        match state(before) {
            Some(state) => {
                let dimension = state.sample.dimension();
                if floats.len() != dimension {
                    Err(Error::Vector(VectorError::DimensionsDiffer(dimension as u32, floats.len() as u32)))?;
                }
                state.offer(&floats)?;
                Ok(same(state))
            }
            None => {
                if floats.len() > MAX_DIMENSION as usize {
                    let dimension = floats.len() as u64;
                    Err(Error::Codec(tq_codec::CodecError::DimensionOutOfRange { dimension }))?;
                }
                let mut first = arguments.state(floats.len())?;
                first.offer(&floats)?;
                Ok(new_state(fcinfo, first)?)
            }
        }
    }
}

/// COMBINEFUNC: adds what another worker has seen. That has been deserialized for this call alone, so it is taken.
#[pg_extern(sql = false)]
fn tq_train_combine(
    left: Internal,
    right: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
) -> SqlResult<Internal> {
    // SAFETY: as in tq_train_accumulate; the two states are different ones.
    unsafe {
        match (state(left), state(right)) {
            (Some(left), Some(right)) => {
                let (ours, theirs) = (left.sample.dimension(), right.sample.dimension());
                if ours != theirs {
                    Err(Error::Vector(VectorError::DimensionsDiffer(ours as u32, theirs as u32)))?;
                }
                left.merge(right.take_sample())?;
                Ok(same(left))
            }
            (Some(left), None) => Ok(same(left)),
            (None, Some(right)) => {
                let (settings, capacity) = (right.settings, right.capacity);
                Ok(new_state(fcinfo, State { settings, capacity, sample: right.take_sample() })?)
            }
            (None, None) => Ok(Internal::default()),
        }
    }
}

/// A state's bytes, a `bytea`.
struct Serialized(pg_sys::Datum);

impl_sql_translatable!(Serialized, "bytea");

// SAFETY: the datum is a fresh varlena in the current memory context.
unsafe impl BoxRet for Serialized {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: a `bytea` is such a varlena.
        unsafe { fcinfo.return_raw_datum(self.0) }
    }
}

/// SERIALFUNC.
#[pg_extern(sql = false)]
fn tq_train_serialize(sample: Internal) -> Option<Serialized> {
    // SAFETY: PostgreSQL passes the state of the transition function.
    unsafe { state(sample) }.map(|state| Serialized(state.to_varlena()))
}

/// DESERIALFUNC.
#[pg_extern(sql = false)]
fn tq_train_deserialize(
    bytes: &[u8],
    _unused: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
) -> SqlResult<Internal> {
    let state = State::from_bytes(bytes)?;
    // SAFETY: fcinfo is the running call's.
    Ok(unsafe { new_state(fcinfo, state)? })
}

/// FINALFUNC: the codebook; NULL if there was no vector.
#[pg_extern(sql = false)]
fn tq_train_finish(sample: Internal) -> SqlResult<Option<Vec<f32>>> {
    // SAFETY: PostgreSQL passes the state of the transition function.
    let state = unsafe { state(sample) };
    Ok(state.map(|state| state.train()).transpose()?)
}
