//! Type modifiers: `tqvec(1536)`, `tqvec(1536, 4)`, `tqvec(1536, 4, residual)`, `tqvec(1536, 4, hadamard)`.
//!
//! PostgreSQL keeps a modifier in one non-negative `int4`:
//!
//! ```text
//! bit  0..15  dimension, 1 to 16384
//! bit 16..17  bit width: 0 any, 1 two, 2 four, 3 eight bits
//! bit 18      residual (only with a bit width)
//! bit 19..20  rotation: 0 not said, 1 haar, 2 hadamard
//! ```
//!
//! The rotation steers how floats are compressed on their way in: Haar's, which TinyQuant decodes, where a width is said, and where
//! nothing is the fast one, since that is also what a literal becomes before anyone knows what column it is for. A record names its rotation only through its
//! config_hash, so it is enforced where that is the hash of a built-in codec.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};

use pgrx::pg_sys;
use pgrx::prelude::*;
use tq_codec::{Codebook, CodecConfig, RotationKind, builtin};
use tq_format::{BitWidth, MAX_DIMENSION, RecordView};

use crate::error::{Error, SqlResult, VectorError};

/// A column's or cast's type modifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Typmod {
    dimension: Option<u32>,
    fidelity: Option<(BitWidth, bool)>,
    rotation: Option<RotationKind>,
}

/// Width and residual of what floats become where no modifier says another.
pub(crate) const FLOATS: (BitWidth, bool) = (BitWidth::Eight, true);

const WIDTH_SHIFT: u32 = 16;
const RESIDUAL_SHIFT: u32 = 18;
const ROTATION_SHIFT: u32 = 19;

impl Typmod {
    /// The modifier behind PostgreSQL's integer; -1 is "none".
    pub(crate) fn from_raw(raw: i32) -> Typmod {
        let Ok(bits) = u32::try_from(raw) else {
            return Typmod::default();
        };
        let dimension = bits & 0xffff;
        let residual = bits >> RESIDUAL_SHIFT & 1 == 1;
        let width = match bits >> WIDTH_SHIFT & 3 {
            1 => Some(BitWidth::Two),
            2 => Some(BitWidth::Four),
            3 => Some(BitWidth::Eight),
            _ => None,
        };
        let rotation = match bits >> ROTATION_SHIFT & 3 {
            1 => Some(RotationKind::Haar),
            2 => Some(RotationKind::Hadamard),
            _ => None,
        };
        Typmod {
            dimension: (dimension != 0).then_some(dimension),
            fidelity: width.map(|width| (width, residual)),
            rotation,
        }
    }

    /// Any dimension, this fidelity and rotation.
    pub(crate) fn of_fidelity(width: BitWidth, residual: bool, rotation: RotationKind) -> Typmod {
        Typmod { dimension: None, fidelity: Some((width, residual)), rotation: Some(rotation) }
    }

    fn to_raw(self) -> i32 {
        let width = match self.fidelity {
            None => 0,
            Some((BitWidth::Two, _)) => 1,
            Some((BitWidth::Four, _)) => 2,
            Some((BitWidth::Eight, _)) => 3,
        };
        let residual = u32::from(matches!(self.fidelity, Some((_, true))));
        let rotation = match self.rotation {
            None => 0,
            Some(RotationKind::Haar) => 1,
            Some(RotationKind::Hadamard) => 2,
        };
        let bits = self.dimension.unwrap_or(0)
            | width << WIDTH_SHIFT
            | residual << RESIDUAL_SHIFT
            | rotation << ROTATION_SHIFT;
        bits as i32
    }

    /// What `tqvec(…)` says: one or two numbers (dimension, bit width) in this order, and words in any place.
    fn parse<'a>(modifiers: impl Iterator<Item = &'a str>) -> Result<Typmod, Error> {
        let mut numbers = Vec::new();
        let mut residual = false;
        let mut rotation = None;
        for modifier in modifiers {
            match modifier.trim().to_ascii_lowercase().as_str() {
                "residual" if residual => return Err(syntax("\"residual\" is given twice")),
                "residual" => residual = true,
                word @ ("haar" | "hadamard") => {
                    if rotation.is_some() {
                        return Err(syntax("the rotation is given twice"));
                    }
                    rotation = RotationKind::from_name(word);
                }
                number => match number.parse::<i64>() {
                    Ok(number) => numbers.push(number),
                    Err(_) => {
                        return Err(syntax(format!("\"{modifier}\" is neither a number nor a known word")));
                    }
                },
            }
        }
        let (dimension, width) = match numbers.as_slice() {
            [] => return Err(syntax("the dimension is missing")),
            [dimension] => (*dimension, None),
            [dimension, width] => (*dimension, Some(*width)),
            _ => return Err(syntax("too many numbers")),
        };
        if !(1..=i64::from(MAX_DIMENSION)).contains(&dimension) {
            return Err(syntax(format!("dimension {dimension} is not between 1 and {MAX_DIMENSION}")));
        }
        let width = match width {
            None => None,
            Some(width) => match u32::try_from(width).ok().and_then(BitWidth::from_bits) {
                None => return Err(syntax(format!("bit width must be 2, 4 or 8, not {width}"))),
                width => width,
            },
        };
        if residual && width.is_none() {
            return Err(syntax("\"residual\" needs a bit width"));
        }
        Ok(Typmod {
            dimension: Some(dimension as u32),
            fidelity: width.map(|width| (width, residual)),
            rotation,
        })
    }

    /// Dimension, width, residual and rotation of the built-in codec that a declaration such as `tqvec(1536, 4)` stands
    /// for; `None` for any other text.
    pub(crate) fn of_declaration(text: &str) -> Option<Result<(u32, BitWidth, bool, RotationKind), Error>> {
        let text = text.trim().to_ascii_lowercase();
        let words = text.strip_prefix("tqvec")?.trim_start().strip_prefix('(')?.strip_suffix(')')?;
        let parsed = Typmod::parse(words.split(',')).and_then(|typmod| {
            let dimension = typmod.dimension.ok_or_else(|| syntax("the dimension is missing"))?;
            let (width, residual) = typmod.fidelity.ok_or_else(|| syntax("the bit width is missing"))?;
            Ok((dimension, width, residual, typmod.rotation()))
        });
        Some(parsed)
    }

    /// The bit width and residual that floats get when they are compressed under this modifier. Without one they
    /// keep all that the format can keep.
    pub(crate) fn fidelity(self) -> (BitWidth, bool) {
        self.fidelity.unwrap_or(FLOATS)
    }

    /// Whether a record of [`FLOATS`] with that rotation is what the modifier makes of floats, or, where it says neither width
    /// nor rotation, what it has ever made of them.
    pub(crate) fn keeps_floats(self, rotation: RotationKind) -> bool {
        let says_nothing = self.fidelity.is_none() && self.rotation.is_none();
        self.fidelity() == FLOATS && (says_nothing || self.rotation() == rotation)
    }

    /// What defines the built-in codec for floats of this modifier, if it says their dimension and width.
    pub(crate) fn builtin_codec(self) -> Result<Option<(CodecConfig, Codebook)>, Error> {
        let (Some(dimension), Some((width, residual))) = (self.dimension, self.fidelity) else {
            return Ok(None);
        };
        Ok(Some(builtin::definition(dimension, width, residual, self.rotation())?))
    }

    /// The rotation for floats compressed under this modifier.
    pub(crate) fn rotation(self) -> RotationKind {
        self.rotation.unwrap_or(match self.fidelity {
            Some(_) => RotationKind::Haar,
            None => RotationKind::Hadamard,
        })
    }

    /// The modifier of a column whose type is `tqvec` or a domain over it, and `tqvec`'s own OID; `None` for other types.
    pub(crate) fn of_type(oid: pg_sys::Oid, mut raw: i32) -> Option<(pg_sys::Oid, Typmod)> {
        // SAFETY: a catalog look-up by OID, which writes to `raw`.
        let base = unsafe { pg_sys::getBaseTypeAndTypmod(oid, &mut raw) };
        is_type_of(base, c"tinyquant", c"tqvec").then(|| (base, Typmod::from_raw(raw)))
    }

    /// The dimension that it fixes, if it does.
    pub(crate) fn dimension(self) -> Option<u32> {
        self.dimension
    }

    /// Refuses a dimension that the modifier doesn't allow.
    pub(crate) fn check_dimension(self, got: u32) -> Result<(), Error> {
        match self.dimension {
            Some(expected) if expected != got => {
                Err(Error::Vector(VectorError::TypmodDimension { expected, got }))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a record that the modifier doesn't allow.
    pub(crate) fn check(self, record: &RecordView<'_>) -> Result<(), Error> {
        self.check_shape(
            record.dimension(),
            record.bit_width(),
            record.has_residual(),
            record.config_hash().as_bytes(),
        )
    }

    /// [`Typmod::check`] for records known by their shape and hash alone.
    pub(crate) fn check_shape(
        self,
        dimension: u32,
        width: BitWidth,
        residual: bool,
        hash: &[u8],
    ) -> Result<(), Error> {
        self.check_dimension(dimension)?;
        if let Some((expected, expected_residual)) = self.fidelity {
            if width != expected {
                return Err(Error::Vector(VectorError::TypmodBitWidth {
                    expected: expected.bits(),
                    got: width.bits(),
                }));
            }
            if residual != expected_residual {
                return Err(Error::Vector(VectorError::TypmodResidual { expected: expected_residual }));
            }
        }
        if let Some(expected) = self.rotation
            && let Some(got) = builtin::rotation_of(hash, dimension, width, residual)
            && got != expected
        {
            return Err(Error::Vector(VectorError::TypmodRotation {
                expected: expected.name(),
                got: got.name(),
            }));
        }
        Ok(())
    }
}

/// Whether a type is the base type of that name that belongs to an extension, in whatever schema. Its arrays, the row types of its
/// tables and namesakes in other schemas are not.
pub(crate) fn is_type_of(oid: pg_sys::Oid, extension: &CStr, name: &CStr) -> bool {
    // SAFETY: catalog look-ups by OID and by name; what doesn't exist has no extension and no tuple. The tuple of a type is a
    // FormData_pg_type, whose name is NUL-terminated, until it is released.
    unsafe {
        let extension = pg_sys::get_extension_oid(extension.as_ptr(), true);
        if extension == pg_sys::InvalidOid
            || pg_sys::getExtensionOfObject(pg_sys::TypeRelationId, oid) != extension
        {
            return false;
        }
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::TYPEOID as i32, oid.into());
        if tuple.is_null() {
            return false;
        }
        let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_type>();
        let is_it =
            form.typtype as u8 == pg_sys::TYPTYPE_BASE && CStr::from_ptr(form.typname.data.as_ptr()) == name;
        pg_sys::ReleaseSysCache(tuple);
        is_it
    }
}

fn syntax(problem: impl Into<String>) -> Error {
    Error::Vector(VectorError::TypmodSyntax(problem.into()))
}

/// `tqvec`'s TYPMOD_IN.
#[pg_extern(sql = false)]
fn tqvec_typmod_in(modifiers: Array<'_, &CStr>) -> SqlResult<i32> {
    let words: Vec<String> =
        modifiers.iter().flatten().map(|modifier| modifier.to_string_lossy().into_owned()).collect();
    Ok(Typmod::parse(words.iter().map(String::as_str))?.to_raw())
}

/// `tqvec`'s TYPMOD_OUT: what stands between the parentheses, and they.
#[pg_extern(sql = false)]
fn tqvec_typmod_out(raw: i32) -> CString {
    let typmod = Typmod::from_raw(raw);
    let mut words = Vec::new();
    words.extend(typmod.dimension.map(|dimension| dimension.to_string()));
    if let Some((width, residual)) = typmod.fidelity {
        words.push(width.bits().to_string());
        words.extend(residual.then(|| "residual".to_string()));
    }
    words.extend(typmod.rotation.map(|rotation| rotation.name().to_string()));
    let text = if words.is_empty() { String::new() } else { format!("({})", words.join(",")) };
    CString::new(text).unwrap_or_default()
}
