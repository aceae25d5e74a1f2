//! Reads one source file.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::source::{
    Associated, Call, Definition, Holding, Import, Kind, Segments, Source, Static, Use,
};

/// Reads a file; `krate` is the crate's name, `path` is below `src`, `prefix` goes before it.
pub fn read(krate: &str, prefix: &str, path: &str, text: &str) -> Source {
    let mut module = vec![krate.to_owned()];
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    if !matches!(stem, "lib" | "main") {
        let stem = stem.strip_suffix("/mod").unwrap_or(stem);
        module.extend(stem.split('/').map(str::to_owned));
    }
    let source = Source {
        path: format!("{prefix}{path}"),
        module: module.clone(),
        lines: text.lines().count(),
        definitions: Vec::new(),
        imports: Vec::new(),
        uses: Vec::new(),
        calls: Vec::new(),
        associated: Vec::new(),
        statics: Vec::new(),
        holdings: Vec::new(),
        flattened: Vec::new(),
        tests: BTreeSet::new(),
        unclear: Vec::new(),
    };
    let mut reader = Reader {
        source,
        module,
        locals: Vec::new(),
        of: Vec::new(),
    };
    match syn::parse_file(text) {
        Ok(file) => reader.visit_file(&file),
        Err(error) => {
            let line = error.span().start().line;
            reader.source.unclear.push((line, error.to_string()));
        }
    }
    reader.source
}

/// What the names of a block stand for; nothing where they are its own.
type Locals = BTreeMap<String, Option<Segments>>;

struct Reader {
    source: Source,
    module: Segments,
    locals: Vec<Locals>,
    of: Vec<Option<Segments>>,
}

/// Whether something exists in tests only.
fn for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else {
            return false;
        };
        list.path.is_ident("cfg") && needs_tests(list.tokens.clone())
    })
}

fn needs_tests(condition: TokenStream) -> bool {
    let mut tokens = condition.into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(word)), None) => word == "test",
        (Some(TokenTree::Ident(word)), Some(TokenTree::Group(group))) if word == "all" => {
            let mut parts = vec![TokenStream::new()];
            for token in group.stream() {
                match &token {
                    TokenTree::Punct(sign) if sign.as_char() == ',' => {
                        parts.push(TokenStream::new());
                    }
                    _ => parts.last_mut().expect("a part").extend([token]),
                }
            }
            parts.into_iter().any(needs_tests)
        }
        _ => false,
    }
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Union(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name and the kind of what an item defines.
fn defined(item: &syn::Item) -> Option<(String, Kind)> {
    let (name, kind) = match item {
        syn::Item::Const(item) => (&item.ident, Kind::Value),
        syn::Item::Enum(item) => (&item.ident, Kind::Type),
        syn::Item::Fn(item) => (&item.sig.ident, Kind::Value),
        syn::Item::Macro(item) => (item.ident.as_ref()?, Kind::Macro),
        syn::Item::Mod(item) if item.content.is_some() => (&item.ident, Kind::Module),
        syn::Item::Static(item) => (&item.ident, Kind::Value),
        syn::Item::Struct(item) => (&item.ident, Kind::Type),
        syn::Item::Trait(item) => (&item.ident, Kind::Type),
        syn::Item::Type(item) => (&item.ident, Kind::Type),
        syn::Item::Union(item) => (&item.ident, Kind::Type),
        _ => return None,
    };
    Some((name.to_string(), kind))
}

fn segments(path: &syn::Path) -> Segments {
    let names = path.segments.iter().map(|part| part.ident.to_string());
    match path.leading_colon {
        // Such a path begins at a crate.
        Some(_) => std::iter::once(String::new()).chain(names).collect(),
        None => names.collect(),
    }
}

/// The leaves of a `use`: path, and the name that it gets; `*` is the last segment of a glob.
fn leaves(tree: &syn::UseTree, before: &Segments, found: &mut Vec<(Segments, Option<String>)>) {
    let with = |name: &proc_macro2::Ident| {
        let mut path = before.clone();
        if name != "self" || path.is_empty() {
            path.push(name.to_string());
        }
        path
    };
    match tree {
        syn::UseTree::Path(path) => leaves(&path.tree, &with(&path.ident), found),
        syn::UseTree::Name(name) => {
            let path = with(&name.ident);
            let name = path.last().cloned();
            found.push((path, name));
        }
        syn::UseTree::Rename(renamed) => {
            let name = (renamed.rename != "_").then(|| renamed.rename.to_string());
            found.push((with(&renamed.ident), name));
        }
        syn::UseTree::Glob(_) => {
            let mut path = before.clone();
            path.push("*".to_owned());
            found.push((path, None));
        }
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                leaves(tree, before, found);
            }
        }
    }
}

/// All paths of types in a type.
fn types(of: &syn::Type) -> Vec<Segments> {
    struct Types(Vec<Segments>);
    impl<'ast> Visit<'ast> for Types {
        fn visit_path(&mut self, path: &'ast syn::Path) {
            self.0.push(segments(path));
            visit::visit_path(self, path);
        }
    }
    let mut found = Types(Vec::new());
    found.visit_type(of);
    found.0
}

impl Reader {
    fn path(&mut self, path: Segments, line: usize, called: bool) {
        // Such a word alone is a value, or says who may see something.
        if let [only] = path.as_slice()
            && matches!(only.as_str(), "self" | "super" | "crate")
        {
            return;
        }
        let path = self.spelled_out(path);
        if let Some(path) = path {
            self.source.uses.push(Use {
                module: self.module.clone(),
                path,
                called,
                line,
            });
        }
    }

    /// A path without the names of the blocks around it and without `Self`; none for what a block
    /// defines itself.
    fn spelled_out(&self, mut path: Segments) -> Option<Segments> {
        let first = path.first()?.clone();
        if first == "Self" {
            let of = self.of.last().cloned().flatten()?;
            path.splice(0..1, of);
            return (path.len() > 1).then_some(path);
        }
        for locals in self.locals.iter().rev() {
            if let Some(stands_for) = locals.get(&first) {
                path.splice(0..1, stands_for.clone()?);
                break;
            }
        }
        Some(path)
    }

    fn tests_in(&mut self, item: &syn::Item) {
        self.source.lines -= length(item);
        if let syn::Item::Mod(module) = item
            && module.content.is_none()
        {
            let folder = match self.source.path.strip_suffix("mod.rs") {
                Some(folder) => folder.to_owned(),
                None if self.module.len() == 1 => {
                    let folder = self.source.path.rsplit_once('/');
                    folder.map_or(String::new(), |(folder, _)| format!("{folder}/"))
                }
                None => format!("{}/", self.source.path.trim_end_matches(".rs")),
            };
            let name = &module.ident;
            self.source.tests.insert(format!("{folder}{name}.rs"));
            self.source.tests.insert(format!("{folder}{name}/"));
        }
    }

    /// The names of a block hold in all of it.
    fn local(&mut self, item: &syn::Item) {
        if for_tests(attributes(item)) {
            return;
        }
        let mut names = Locals::new();
        if let Some((name, _)) = defined(item) {
            names.insert(name, None);
        }
        if let syn::Item::Use(item) = item {
            let mut found = Vec::new();
            leaves(&item.tree, &Vec::new(), &mut found);
            for (path, name) in found {
                if let Some(name) = name {
                    names.insert(name, Some(path));
                }
            }
        }
        self.locals.last_mut().expect("a block").extend(names);
    }

    fn import(&mut self, item: &syn::ItemUse) {
        let start = match item.leading_colon {
            Some(_) => vec![String::new()],
            None => Vec::new(),
        };
        let mut found = Vec::new();
        leaves(&item.tree, &start, &mut found);
        let line = item.use_token.span.start().line;
        for (path, name) in found {
            self.source.uses.push(Use {
                module: self.module.clone(),
                path: path.clone(),
                called: false,
                line,
            });
            if self.locals.is_empty() {
                let glob = path.last().is_some_and(|last| last == "*");
                if name.is_none() && !glob {
                    continue;
                }
                let path = path.into_iter().filter(|part| part != "*").collect();
                self.source.imports.push(Import {
                    module: self.module.clone(),
                    name,
                    path,
                });
            }
        }
    }

    /// The paths and calls in what a macro is given, as far as tokens tell.
    fn tokens(&mut self, tokens: TokenStream) {
        let all: Vec<TokenTree> = tokens.into_iter().collect();
        let sign = |at: usize, wanted: char| matches!(all.get(at), Some(TokenTree::Punct(p)) if p.as_char() == wanted);
        let opens = |at: usize| matches!(all.get(at), Some(TokenTree::Group(group)) if group.delimiter() != Delimiter::None);
        let mut at = 0;
        while at < all.len() {
            match &all[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(word) => {
                    let line = word.span().start().line;
                    let after_dot = at > 0 && sign(at - 1, '.') && !(at > 1 && sign(at - 2, '.'));
                    if after_dot {
                        if opens(at + 1) {
                            let on_self = at > 1
                                && matches!(&all[at - 2], TokenTree::Ident(on) if on == "self");
                            self.call(word.to_string(), on_self, line);
                        }
                    } else if !(at > 0
                        && (sign(at - 1, '\'') || sign(at - 1, '$'))
                        && word != "crate")
                    {
                        let mut path = vec![word.to_string()];
                        while sign(at + 1, ':')
                            && sign(at + 2, ':')
                            && let Some(TokenTree::Ident(next)) = all.get(at + 3)
                        {
                            path.push(next.to_string());
                            at += 3;
                        }
                        let called = sign(at + 1, '!') && opens(at + 2);
                        if called && path == ["thread_local"] {
                            self.state("thread_local", line);
                        }
                        self.path(path, line, called);
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
    }

    fn call(&mut self, name: String, on_self: bool, line: usize) {
        self.source.calls.push(Call {
            module: self.module.clone(),
            on: self.of.last().cloned().flatten().filter(|_| on_self),
            name,
            line,
        });
    }

    fn state(&mut self, name: &str, line: usize) {
        self.source.statics.push(Static {
            module: self.module.clone(),
            name: name.to_owned(),
            types: Vec::new(),
            mutable: true,
            line,
        });
    }

    fn holding(&mut self, name: String, types: Vec<Segments>) {
        self.source.holdings.push(Holding {
            module: self.module.clone(),
            name,
            types,
        });
    }
}

/// How many lines an item has, with all that stands before it.
fn length(item: &impl Spanned) -> usize {
    let span = item.span();
    span.end().line + 1 - span.start().line
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if for_tests(attributes(item)) {
            self.tests_in(item);
            return;
        }
        if let (Some((name, kind)), true) = (defined(item), self.locals.is_empty()) {
            self.source.definitions.push(Definition {
                module: self.module.clone(),
                name,
                kind,
            });
        }
        match item {
            syn::Item::Use(item) => self.import(item),
            syn::Item::Mod(module) if module.content.is_some() => {
                self.module.push(module.ident.to_string());
                visit::visit_item_mod(self, module);
                self.module.pop();
            }
            syn::Item::Impl(of) => {
                let name = match &*of.self_ty {
                    syn::Type::Path(path) if path.qself.is_none() => Some(segments(&path.path)),
                    _ => None,
                };
                if let (Some(of_type), None) = (&name, &of.trait_) {
                    for item in &of.items {
                        let name = match item {
                            syn::ImplItem::Fn(item) => &item.sig.ident,
                            syn::ImplItem::Const(item) => &item.ident,
                            _ => continue,
                        };
                        self.source.associated.push(Associated {
                            module: self.module.clone(),
                            of: of_type.clone(),
                            name: name.to_string(),
                        });
                    }
                }
                self.of.push(name);
                visit::visit_item(self, item);
                self.of.pop();
            }
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        let held = item.fields.iter().flat_map(|field| types(&field.ty));
        let held = held.collect();
        self.holding(item.ident.to_string(), held);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        let fields = item.variants.iter().flat_map(|variant| &variant.fields);
        let held = fields.flat_map(|field| types(&field.ty)).collect();
        self.holding(item.ident.to_string(), held);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.holding(item.ident.to_string(), types(&item.ty));
        visit::visit_item_type(self, item);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.source.statics.push(Static {
            module: self.module.clone(),
            name: item.ident.to_string(),
            types: types(&item.ty),
            mutable: !matches!(item.mutability, syn::StaticMutability::None),
            line: item.static_token.span.start().line,
        });
        visit::visit_item_static(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            _ => return visit::visit_impl_item(self, item),
        };
        if for_tests(attributes) {
            self.source.lines -= length(item);
            return;
        }
        visit::visit_impl_item(self, item);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if for_tests(&field.attrs) {
            return;
        }
        let flattens = |attribute: &syn::Attribute| {
            let syn::Meta::List(list) = &attribute.meta else {
                return false;
            };
            let words = list.tokens.clone().into_iter();
            (list.path.is_ident("command") || list.path.is_ident("clap"))
                && words
                    .into_iter()
                    .any(|token| matches!(token, TokenTree::Ident(word) if word == "flatten"))
        };
        if field.attrs.iter().any(flattens) {
            let line = field.span().start().line;
            let module = self.module.clone();
            let taken = types(&field.ty).into_iter().map(|path| Use {
                module: module.clone(),
                path,
                called: false,
                line,
            });
            self.source.flattened.extend(taken);
        }
        visit::visit_field(self, field);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        if !for_tests(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if !for_tests(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !for_tests(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        self.locals.push(Locals::new());
        for statement in &block.stmts {
            if let syn::Stmt::Item(item) = statement {
                self.local(item);
            }
        }
        visit::visit_block(self, block);
        self.locals.pop();
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let line = path.span().start().line;
        self.path(segments(path), line, false);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        let line = called.path.span().start().line;
        let path = segments(&called.path);
        if path.last().is_some_and(|last| last == "thread_local") {
            self.state("thread_local", line);
        }
        self.path(path, line, true);
        self.tokens(called.tokens.clone());
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let on_self =
            matches!(&*call.receiver, syn::Expr::Path(path) if path.path.is_ident("self"));
        let line = call.method.span().start().line;
        self.call(call.method.to_string(), on_self, line);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("path") {
            let line = attribute.span().start().line;
            let why = "a `path` attribute hides where a module stands".to_owned();
            self.source.unclear.push((line, why));
        }
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
            self.named_in_texts(list.tokens.clone());
        }
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

impl Reader {
    /// Functions and types that an attribute names in quotes, as serde's do.
    fn named_in_texts(&mut self, tokens: TokenStream) {
        const KEYS: [&str; 9] = [
            "default",
            "deserialize_with",
            "from",
            "getter",
            "into",
            "remote",
            "serialize_with",
            "skip_serializing_if",
            "try_from",
        ];
        let all: Vec<TokenTree> = tokens.into_iter().collect();
        for three in all.windows(3) {
            let [
                TokenTree::Ident(key),
                TokenTree::Punct(_),
                TokenTree::Literal(text),
            ] = three
            else {
                continue;
            };
            let text = text.to_string();
            let path: syn::Result<syn::Path> = syn::parse_str(text.trim_matches('"'));
            let Ok(path) = path else { continue };
            let line = key.span().start().line;
            if key == "with" {
                for name in ["serialize", "deserialize"] {
                    let mut path = segments(&path);
                    path.push(name.to_owned());
                    self.path(path, line, false);
                }
            } else if KEYS.iter().any(|known| key == known) {
                self.path(segments(&path), line, false);
            }
        }
    }
}
