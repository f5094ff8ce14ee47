//! The templates of files, by name.

use std::{collections::HashMap, sync::Arc};

use super::syntax::{self, Node, SyntaxError, is_blank};

/// A defined template.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) name: String,
    /// The file, or the receiver's key, as errors name it.
    pub(super) file: Arc<str>,
    pub(super) source: Arc<str>,
    pub(super) body: Vec<Node>,
}

/// Templates by name.
#[derive(Debug, Default)]
pub(super) struct Definitions(HashMap<String, Template>);

impl Definitions {
    /// Adds what `source` defines, and `source` itself under `name`. As in Go, a later definition replaces an earlier
    /// one unless it is blank.
    ///
    /// # Errors
    /// The first mistake in `source`.
    pub(super) fn add(&mut self, name: &str, source: &str) -> Result<(), SyntaxError> {
        let definitions = syntax::parse(name, source)?;
        let file: Arc<str> = name.into();
        let source: Arc<str> = source.into();
        for definition in definitions {
            if is_blank(&definition.body) && self.0.contains_key(&definition.name) {
                continue;
            }
            let template = Template {
                name: definition.name.clone(),
                file: Arc::clone(&file),
                source: Arc::clone(&source),
                body: definition.body,
            };
            self.0.insert(definition.name, template);
        }
        Ok(())
    }

    /// The definitions of a text that is rendered over `shared`.
    ///
    /// # Errors
    /// The first mistake in `source`.
    pub(super) fn over(shared: &Self, name: &str, source: &str) -> Result<Self, SyntaxError> {
        let mut own = Self::default();
        own.add(name, source)?;
        own.0.retain(|defined, template| {
            defined == name || !is_blank(&template.body) || shared.get(defined).is_none()
        });
        Ok(own)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Template> {
        self.0.get(name)
    }
}
