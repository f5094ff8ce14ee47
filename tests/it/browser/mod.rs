//! Pages in a real Chromium, as people see and use them.

mod axe;
mod chromedriver;
mod harness;
mod look;
mod problems;
mod session;
mod window;

pub(crate) use self::{
    look::{LAPTOP, Look, NARROW, PHONE},
    window::Browser,
};
