//! The Setup page: does it work, and how is it connected?

mod alertmanager_block;
mod api;
mod change;
mod limits;
mod page;
mod port;
mod state;
mod test_messages;
mod words;

pub use self::{
    alertmanager_block::Credentials,
    port::{ReceiverSetup, RelaySetup, SetupParts, TestRefusal},
};
pub(super) use self::{
    api::{doctor, errcode, receivers, reload, run_doctor, test},
    change::{confirm_test, reload as reload_form, run_doctor as doctor_form, send_test},
    page::page,
    state::SetupState,
    test_messages::{refusal as test_refusal, store as store_test},
};
