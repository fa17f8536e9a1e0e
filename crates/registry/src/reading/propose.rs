//! Files looked at for the schema that takes them.

use api::registry::{ColumnSeen, FileProblem, Schema};
use dataset::{DatasetKind, Proposal, ProposedColumn, Proposer, SchemaError};
use format::{Columns, Item};

use super::{Bounds, Object, Reader, failed};
use crate::schema::schema_to_api;

/// A look at several files.
#[derive(Debug)]
pub(crate) struct Look {
    proposer: Proposer,
    /// The files of which rows were seen.
    pub(crate) keys: Vec<String>,
    /// The first that could not be read.
    pub(crate) problem: Option<FileProblem>,
}

impl Look {
    pub(crate) fn new(kind: &'static DatasetKind) -> Self {
        Self { proposer: Proposer::new(kind), keys: Vec::new(), problem: None }
    }

    /// Reads a file as far as the bounds allow. Blocks.
    pub(crate) fn at(&mut self, reader: &Reader, object: &Object, bounds: &Bounds) {
        let mut seen = 0;
        // A header says nothing of a file's columns before a row stands under it.
        let mut header: Option<Vec<String>> = None;
        let ended = match reader.rows(object, bounds) {
            Err(error) => Some(error),
            Ok(mut rows) => loop {
                if seen >= bounds.rows || rows.place().position >= bounds.bytes || bounds.are_over() {
                    break None;
                }
                match rows.next() {
                    Ok(Some(Item::Columns(Columns::Header(names)))) => header = Some(names.to_vec()),
                    Ok(Some(item)) => {
                        if matches!(item, Item::Row(_))
                            && let Some(names) = header.take()
                        {
                            self.proposer.look(&Item::Columns(Columns::Header(&names)));
                        }
                        seen += u64::from(!matches!(item, Item::Columns(_)));
                        self.proposer.look(&item);
                    }
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            },
        };
        if seen > 0 {
            self.keys.push(object.key.clone());
        } else if self.problem.is_none() {
            self.problem = ended.and_then(failed);
        }
    }

    /// The schema that takes what was seen, and what was seen of each column.
    pub(crate) fn propose(self) -> Result<(Schema, Vec<ColumnSeen>), SchemaError> {
        let proposal = self.proposer.propose()?;
        let mut columns: Vec<ColumnSeen> =
            proposal.columns.iter().map(|column| seen(column, proposal.rows)).collect();
        columns.extend(missing(&proposal));
        Ok((schema_to_api(&proposal.schema), columns))
    }
}

fn seen(column: &ProposedColumn, rows: u64) -> ColumnSeen {
    let name = if column.name.is_empty() { &column.header } else { &column.name };
    ColumnSeen {
        name: name.clone(),
        rows,
        empty: (column.null_share * rows as f64).round() as u64,
        note: column.note.clone(),
    }
}

/// Required columns that no header seems to be.
fn missing(proposal: &Proposal) -> impl Iterator<Item = ColumnSeen> + '_ {
    proposal.missing.iter().map(|name| ColumnSeen {
        name: (*name).to_owned(),
        rows: proposal.rows,
        empty: proposal.rows,
        note: "required, and no column of the files seems to be it: name its header with from".to_owned(),
    })
}
