//! The pages of the documentation are true: their commands run, their keys, links and tables exist.

mod blocks;
mod buttons;
mod commands;
mod configs;
mod generated;
mod links;
mod page;
mod pairs;
mod recipes;
mod reference;

pub(crate) use page::Page;
