//! The product's sample files are what they tell customers to send.

use std::collections::BTreeSet;
use std::io::Cursor;

use dataset::{DatasetKind, RowChecker, Schema, samples};
use format::{Item, Limits, Rows};

#[test]
fn every_row_of_every_sample_is_accepted_and_decodes() -> Result<(), Box<dyn std::error::Error>> {
    for kind in DatasetKind::ALL {
        let schema = Schema::default_for(kind);
        let names: Vec<_> = samples(kind).iter().map(|sample| sample.name).collect();
        assert_eq!(names.len(), 3, "CSV, TSV and JSON of {}", kind.name);
        let mut subjects = BTreeSet::new();
        let mut accepted = 0;
        for sample in samples(kind) {
            let mut rows = Rows::open(Box::new(Cursor::new(sample.bytes)), sample.name, Limits::default())?;
            let mut checker: Option<RowChecker> = None;
            while let Some(item) = rows.next()? {
                match item {
                    Item::Columns(columns) => checker = Some(RowChecker::new(&schema, columns, "UTC")?),
                    Item::Row(row) => {
                        let checker = checker.as_mut().ok_or("a row before any columns")?;
                        let mut record = Vec::new();
                        checker.check(&row, &mut record)?;
                        let json = records::to_json(kind.message, &record)?;
                        assert!(json["properties"].is_object() || kind.columns.len() > 1, "{json}");
                        subjects.insert(checker.key().to_vec());
                        accepted += 1;
                    }
                    Item::Bad(bad) => return Err(format!("{}: {}", sample.name, bad.reason).into()),
                }
            }
        }
        assert!(accepted >= 30 && subjects.len() >= 10, "{}: {accepted} rows", kind.name);
    }
    Ok(())
}
