//! Ids that are text, read as what they are whatever the client's encoding is.
//!
//! Core's receive function of text takes what it gets for the client's encoding, in a COPY too, though these bytes never
//! come from the client. A detour by that encoding changes them where it isn't reversible (Shift JIS has one code for `\` and
//! the yen sign), and fails where it has no such characters. So the client's encoding is the database's, in which nothing is
//! converted, while core reads an id: from the moment at which the id's last byte is given out until core asks for the
//! next, which is before it runs triggers or anything else for the row.

#![allow(unsafe_code)]

use std::ffi::c_int;

use pgrx::pg_sys;

/// The client's encoding, and whether it is put aside.
pub(crate) struct OwnEncoding {
    client: c_int,
    server: c_int,
    entered: bool,
}

impl OwnEncoding {
    /// What the session has now.
    pub(crate) fn new() -> OwnEncoding {
        // SAFETY: both return a number that the session has.
        let (client, server) = unsafe { (pg_sys::pg_get_client_encoding(), pg_sys::GetDatabaseEncoding()) };
        OwnEncoding { client, server, entered: false }
    }

    /// Whether text of the client's is converted.
    pub(crate) fn is_another(&self) -> bool {
        self.client != self.server
    }

    /// Has text taken for the database's encoding.
    pub(crate) fn enter(&mut self) {
        self.entered = self.set(self.server);
    }

    /// Gives back the client's encoding, if it is put aside.
    pub(crate) fn leave(&mut self) {
        if std::mem::take(&mut self.entered) {
            self.set(self.client);
        }
    }

    fn set(&self, encoding: c_int) -> bool {
        // SAFETY: the database's own encoding needs no conversion, and the client's is one that the session had and whose
        // conversion is kept: both are set without a look at a catalog.
        unsafe { pg_sys::SetClientEncoding(encoding) == 0 }
    }
}
