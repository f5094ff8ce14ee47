//! Reads source files with `syn` and resolves every path in them to the file that defines the item.
//!
//! - An import through a re-export is an import of the file where the item is defined.
//! - Test code is left out, because a test may import its parent.
//! - An item that a macro makes is unknown to `syn`. It counts as defined in the module that its path names.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, ImplItem, Item, ItemMod, ItemUse, Macro, Meta, UseTree, VisRestricted, Visibility,
    visit::{self, Visit},
};

/// A longer chain of re-exports is a circle.
const RE_EXPORTS: usize = 16;

/// A path that a file uses.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) module: String,
    /// As written, without the braces of `use`.
    pub(super) path: String,
    pub(super) target: Target,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// The module and the file that define an item.
    Item {
        module: String,
        file: String,
    },
    /// The path names a module, and no item in it.
    Module(String),
    OtherCrate,
}

/// The modules and imports of a crate.
#[derive(Default)]
pub(super) struct Program {
    modules: BTreeMap<String, Module>,
    uses: Vec<Use>,
    /// Files that only declare modules and re-export.
    transparent: BTreeSet<String>,
    /// Modules of test code.
    tests: BTreeSet<String>,
}

/// The names that are known in a module.
#[derive(Default)]
struct Module {
    file: String,
    items: BTreeSet<String>,
    /// `use` declarations: the name and the path that it stands for.
    aliases: BTreeMap<String, Vec<String>>,
    /// The paths of `use …::*`.
    globs: Vec<Vec<String>>,
}

/// A path in the source.
struct Use {
    module: String,
    line: usize,
    path: Vec<String>,
}

/// The module in the file at `path` below `src`. `outbox/mod.rs` is `outbox`; `lib.rs` is the root, which has no name.
pub(super) fn module_of(path: &str) -> String {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    if path == "lib" { String::new() } else { path.replace('/', "::") }
}

impl Program {
    /// Reads the files of a crate: their paths below `src` and their texts.
    pub(super) fn read<'a>(sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut program = Self::default();
        for (path, text) in sources {
            let file = syn::parse_file(text).unwrap_or_else(|error| panic!("src/{path}: {error}"));
            if file.items.iter().all(is_declaration) {
                program.transparent.insert(path.to_owned());
            }
            let mut reader = Reader { program: &mut program, module: module_of(path), file: path.to_owned() };
            reader.open_module();
            reader.visit_file(&file);
        }
        program
    }

    /// Every path that is used outside of test code.
    pub(super) fn imports(&self) -> Vec<Import> {
        let of_program = self.uses.iter().filter(|used| !self.is_test(&used.module));
        of_program.map(|used| self.import(used)).collect()
    }

    pub(super) fn is_transparent(&self, file: &str) -> bool {
        self.transparent.contains(file)
    }

    fn is_test(&self, module: &str) -> bool {
        self.tests.iter().any(|test| is_within(module, test))
    }

    fn import(&self, used: &Use) -> Import {
        Import {
            file: self.modules[&used.module].file.clone(),
            line: used.line,
            module: used.module.clone(),
            path: used.path.join("::"),
            target: self.resolve(&used.module, &used.path, 0),
        }
    }

    /// Resolves a path that is written in `module`.
    fn resolve(&self, module: &str, path: &[String], depth: usize) -> Target {
        let Some((first, rest)) = path.split_first() else { return Target::OtherCrate };
        match first.as_str() {
            "crate" | "wecom_relay" => self.walk("", rest, depth),
            "self" => self.walk(module, rest, depth),
            "super" => self.walk(parent(module), rest, depth),
            name => self.look_up(module, name, rest, depth).unwrap_or(Target::OtherCrate),
        }
    }

    /// Follows a path from `module`.
    fn walk(&self, module: &str, path: &[String], depth: usize) -> Target {
        let Some((name, rest)) = path.split_first() else { return Target::Module(module.to_owned()) };
        match name.as_str() {
            "super" => self.walk(parent(module), rest, depth),
            "self" | "*" => self.walk(module, rest, depth),
            name => self.look_up(module, name, rest, depth).unwrap_or_else(|| self.item(module)),
        }
    }

    fn look_up(&self, module: &str, name: &str, rest: &[String], depth: usize) -> Option<Target> {
        let child = join(module, name);
        if self.modules.contains_key(&child) {
            return Some(self.walk(&child, rest, depth));
        }
        let scope = self.modules.get(module)?;
        if scope.items.contains(name) {
            return Some(self.item(module));
        }
        if depth > RE_EXPORTS {
            return None;
        }
        if let Some(target) = scope.aliases.get(name) {
            return Some(self.resolve(module, &[target, rest].concat(), depth + 1));
        }
        for glob in &scope.globs {
            let Target::Module(other) = self.resolve(module, glob, depth + 1) else { continue };
            let found = self.look_up(&other, name, rest, depth + 1);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn item(&self, module: &str) -> Target {
        let file = self.modules.get(module).map(|module| module.file.clone()).unwrap_or_default();
        Target::Item { module: module.to_owned(), file }
    }
}

/// Collects the names and paths of a file.
struct Reader<'p> {
    program: &'p mut Program,
    module: String,
    file: String,
}

impl Reader<'_> {
    fn open_module(&mut self) {
        self.scope().file = self.file.clone();
    }

    fn scope(&mut self) -> &mut Module {
        self.program.modules.entry(self.module.clone()).or_default()
    }

    fn used(&mut self, line: usize, path: Vec<String>) {
        self.program.uses.push(Use { module: self.module.clone(), line, path });
    }

    /// Records the paths of a `use` declaration.
    fn use_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: String| {
            let mut path = before.to_vec();
            // `a::{self}` is `a`.
            if before.is_empty() || name != "self" {
                path.push(name);
            }
            path
        };
        match tree {
            UseTree::Path(path) => self.use_tree(&path.tree, &with(path.ident.to_string())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.use_tree(tree, before)),
            UseTree::Name(name) => {
                let path = with(name.ident.to_string());
                let alias = path.last().cloned().unwrap_or_default();
                self.alias(name.ident.span().start().line, alias, path);
            }
            UseTree::Rename(rename) => {
                let path = with(rename.ident.to_string());
                self.alias(rename.ident.span().start().line, rename.rename.to_string(), path);
            }
            UseTree::Glob(glob) => {
                self.scope().globs.push(before.to_vec());
                self.used(glob.star_token.spans[0].start().line, with("*".to_owned()));
            }
        }
    }

    fn alias(&mut self, line: usize, name: String, path: Vec<String>) {
        self.used(line, path.clone());
        self.scope().aliases.insert(name, path);
    }

    /// Records the paths in the arguments of a macro.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(name) if colons == 2 && !path.is_empty() => path.push(name.to_string()),
                TokenTree::Ident(name) => {
                    self.path_of_tokens(line, std::mem::take(&mut path));
                    line = name.span().start().line;
                    path.push(name.to_string());
                }
                TokenTree::Group(group) => {
                    self.path_of_tokens(line, std::mem::take(&mut path));
                    self.tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.path_of_tokens(line, std::mem::take(&mut path));
                }
            }
            colons = 0;
        }
        self.path_of_tokens(line, path);
    }

    fn path_of_tokens(&mut self, line: usize, path: Vec<String>) {
        if path.len() > 1 {
            self.used(line, path);
        }
    }
}

impl Visit<'_> for Reader<'_> {
    fn visit_item(&mut self, item: &Item) {
        let (attributes, name) = attributes_and_name(item);
        if is_test(attributes) {
            if let Item::Mod(module) = item {
                let name = join(&self.module, &module.ident.to_string());
                self.program.tests.insert(name);
            }
            return;
        }
        if let Some(name) = name {
            self.scope().items.insert(name);
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &ImplItem) {
        if !matches!(item, ImplItem::Fn(function) if is_test(&function.attrs)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &ItemMod) {
        if module.content.is_none() {
            return;
        }
        let name = join(&self.module, &module.ident.to_string());
        let outer = std::mem::replace(&mut self.module, name);
        self.open_module();
        visit::visit_item_mod(self, module);
        self.module = outer;
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        self.use_tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &syn::Path) {
        if let Some(first) = path.segments.first() {
            let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.used(first.ident.span().start().line, names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &Macro) {
        visit::visit_macro(self, invocation);
        self.tokens(invocation.tokens.clone());
    }

    fn visit_vis_restricted(&mut self, _: &VisRestricted) {}

    fn visit_attribute(&mut self, _: &Attribute) {}
}

/// The attributes of an item, and the name that it defines. Modules and `use` have none, because [`Program`] finds
/// them by path and alias.
fn attributes_and_name(item: &Item) -> (&[Attribute], Option<String>) {
    match item {
        Item::Const(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Enum(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Fn(item) => (&item.attrs, Some(item.sig.ident.to_string())),
        Item::Impl(item) => (&item.attrs, None),
        Item::Macro(item) => (&item.attrs, item.ident.as_ref().map(ToString::to_string)),
        Item::Mod(item) => (&item.attrs, None),
        Item::Static(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Struct(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Trait(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Type(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Union(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Use(item) => (&item.attrs, None),
        _ => (&[], None),
    }
}

fn is_declaration(item: &Item) -> bool {
    let is_declared = match item {
        Item::Mod(module) => module.content.is_none(),
        Item::Use(item) => !matches!(item.vis, Visibility::Inherited),
        _ => false,
    };
    is_declared || is_test(attributes_and_name(item).0)
}

/// True if the item is marked `#[cfg(test)]`.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

pub(super) fn is_within(module: &str, outer: &str) -> bool {
    module.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}
