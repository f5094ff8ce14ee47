//! What is known without asking the database: each part is read from it when it is first needed. When a transaction
//! comes to nothing, or another process has written, all is forgotten, and so it never says what is not on disk.

use std::{cell::RefCell, collections::HashMap};

use super::{bodies::Bodies, heard::Heard, lanes::Lanes, tally::Of};

#[derive(Debug, Default)]
pub(super) struct Recent {
    pub(super) heard: RefCell<Option<Heard>>,
    /// By sender.
    pub(super) bodies: RefCell<HashMap<String, Bodies>>,
    pub(super) lanes: RefCell<Option<Lanes>>,
    /// The first notification that may wait.
    pub(super) oldest: RefCell<HashMap<Of, i64>>,
}

impl Recent {
    pub(super) fn forget(&self) {
        self.heard.take();
        self.bodies.take();
        self.lanes.take();
        self.oldest.take();
    }
}
