//! Buttons of cards with a real Alertmanager: from the alert to the silence, and to the card that says so.

mod browser;
mod faults;
mod gate;
mod kills;
mod site;
