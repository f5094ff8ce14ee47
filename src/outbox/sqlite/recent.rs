//! What is known of the last minutes without asking the database: each part is read from it when it is first needed.
//! When a transaction comes to nothing, all is forgotten, and so it never says what is not on disk.

use std::{cell::RefCell, collections::HashMap};

use super::{bodies::Bodies, heard::Heard};

#[derive(Debug, Default)]
pub(super) struct Recent {
    pub(super) heard: RefCell<Option<Heard>>,
    /// By channel.
    pub(super) bodies: RefCell<HashMap<String, Bodies>>,
}

impl Recent {
    pub(super) fn forget(&self) {
        self.heard.take();
        self.bodies.take();
    }
}
