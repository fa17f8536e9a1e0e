//! Names in files, resolved to columns of the schema.

use std::collections::HashMap;

use crate::property::PropertyName;
use crate::schema::{AdditionalColumns, Schema};

/// Names of JSON values that are remembered, and their bytes.
const MOST_NAMES: usize = 4_096;
const MOST_NAME_BYTES: usize = 1 << 20;

/// What becomes of a column of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// It is the schema's column at this index.
    Schema(usize),
    /// The schema does not name it; it is kept as a property.
    Keep,
    /// The schema does not name it; it is left out.
    Ignore,
    /// The schema does not name it, and a row that has it is refused.
    Reject,
    /// As a property it would have the name of the schema's column at this index, which is read from another header: a row
    /// that has it is refused, since a property has one value.
    Taken(usize),
    /// One of several columns without a name: a row that has it is refused, since a property has one value.
    Nameless,
}

/// A name looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) bound: Bound,
    /// It is written as the schema's header is, in case too.
    pub(crate) exact: bool,
    /// Where it is remembered; none where too many names were met.
    met: Option<usize>,
}

/// Finds names in a schema: exactly, then in any case where that is sure.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    exact: HashMap<String, usize>,
    /// By the folded header; none where more than one is alike.
    folded: HashMap<String, Option<usize>>,
    /// Columns that are read from another header, by their names.
    elsewhere: HashMap<String, usize>,
    additional: AdditionalColumns,
    /// The name in hand, folded.
    scratch: String,
}

impl Names {
    pub(crate) fn of(schema: &Schema) -> Self {
        let columns = || schema.columns().iter().enumerate();
        let mut folded_headers = HashMap::new();
        for (index, column) in columns() {
            folded_headers
                .entry(folded(column.header()))
                .and_modify(|one| *one = None)
                .or_insert(Some(index));
        }
        Self {
            exact: columns().map(|(index, column)| (column.header().to_owned(), index)).collect(),
            folded: folded_headers,
            elsewhere: columns()
                .filter(|(_, column)| column.header() != column.name)
                .map(|(index, column)| (column.name.clone(), index))
                .collect(),
            additional: schema.additional(),
            scratch: String::new(),
        }
    }

    pub(crate) fn find(&mut self, name: &str) -> Found {
        if let Some(index) = self.exact.get(name) {
            return Found { bound: Bound::Schema(*index), exact: true, met: None };
        }
        self.scratch.clear();
        self.scratch.extend(fold(name));
        let bound = match self.folded.get(&self.scratch) {
            Some(Some(index)) => Bound::Schema(*index),
            _ => self.undeclared(name),
        };
        Found { bound, exact: false, met: None }
    }

    /// What becomes of a column of this name where it is none of the schema's.
    pub(crate) fn undeclared(&self, name: &str) -> Bound {
        match self.additional {
            AdditionalColumns::Keep => {
                self.elsewhere.get(name).map_or(Bound::Keep, |index| Bound::Taken(*index))
            }
            AdditionalColumns::Ignore => Bound::Ignore,
            AdditionalColumns::Reject => Bound::Reject,
        }
    }

    /// What becomes of columns without a name, of which there are several.
    pub(crate) fn nameless(&self) -> Bound {
        match self.undeclared("") {
            Bound::Keep => Bound::Nameless,
            bound => bound,
        }
    }
}

fn fold(name: &str) -> impl Iterator<Item = char> {
    name.chars().flat_map(char::to_lowercase)
}

/// A name as it is compared in any case.
pub(crate) fn folded(name: &str) -> String {
    fold(name).collect()
}

/// True where two names differ in case alone, or not at all.
pub(crate) fn alike(one: &str, other: &str) -> bool {
    fold(one).eq(fold(other))
}

/// Names that rows of JSON have given. Bounded: a file of ever new names is looked up name by name.
#[derive(Debug, Clone)]
pub(crate) struct Met {
    schema: Names,
    known: HashMap<String, usize>,
    /// In the order of the file.
    names: Vec<MetName>,
    /// By the place in a row: the name that stood there last. Most rows of a file have one order, so that most names are
    /// found by a look instead of a search.
    order: Vec<usize>,
    bytes: usize,
    overflown: bool,
}

#[derive(Debug, Clone)]
struct MetName {
    name: String,
    property: PropertyName,
    found: Found,
}

impl Met {
    pub(crate) fn new(schema: Names) -> Self {
        Self {
            schema,
            known: HashMap::new(),
            names: Vec::new(),
            order: Vec::new(),
            bytes: 0,
            overflown: false,
        }
    }

    /// The name of the row's value at `place`.
    #[inline]
    pub(crate) fn find(&mut self, name: &str, place: usize) -> Found {
        match self.order.get(place).and_then(|met| self.names.get(*met)) {
            Some(met) if met.name == name => met.found,
            _ => self.search(name, place),
        }
    }

    fn search(&mut self, name: &str, place: usize) -> Found {
        let met = match self.known.get(name) {
            Some(met) => *met,
            None => {
                let found = self.schema.find(name);
                if self.names.len() == MOST_NAMES || self.bytes + name.len() > MOST_NAME_BYTES {
                    self.overflown = true;
                    return found;
                }
                let met = self.names.len();
                self.bytes += name.len();
                self.known.insert(name.to_owned(), met);
                let (name, property) = (name.to_owned(), PropertyName::new(name));
                self.names.push(MetName { name, property, found: Found { met: Some(met), ..found } });
                met
            }
        };
        if place < MOST_NAMES {
            self.order.resize(self.order.len().max(place + 1), met);
            self.order[place] = met;
        }
        self.names[met].found
    }

    /// The name as a property, where it is remembered.
    pub(crate) fn property(&self, found: Found) -> Option<&PropertyName> {
        Some(&self.names.get(found.met?)?.property)
    }

    /// What becomes of a value of this name where another of its row is the schema's column.
    pub(crate) fn undeclared(&self, name: &str) -> Bound {
        self.schema.undeclared(name)
    }

    /// Each name, and what it is; none where they are too many to be remembered.
    pub(crate) fn all(&self) -> Option<impl Iterator<Item = (&str, Bound)>> {
        (!self.overflown).then(|| self.names.iter().map(|met| (met.name.as_str(), met.found.bound)))
    }
}
