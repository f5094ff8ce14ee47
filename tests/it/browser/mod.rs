//! Pages in a real Chromium, as people see and use them.

mod access;
mod axe;
mod chromedriver;
mod desk;
mod harness;
mod hostile;
mod incident;
mod keyboard;
mod live;
mod look;
mod looks;
mod many;
mod phone;
mod pictures;
mod playground;
mod problems;
mod proxy;
mod restart;
mod scripts_off;
mod session;
mod setup;
mod window;

pub(crate) use self::{
    look::{LAPTOP, Look, NARROW, PHONE},
    window::Browser,
};
