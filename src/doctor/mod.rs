//! The port of `doctor`: its findings, and the handle that starts it in a running relay.

mod finding;
mod findings;
mod handle;

pub use self::{
    finding::{Finding, FindingStatus},
    findings::{Findings, FoundFindings},
    handle::{DoctorHandle, DoctorRequests, Examination, StartError, handle},
};
