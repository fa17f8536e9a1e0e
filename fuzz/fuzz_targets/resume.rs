//! The first byte chooses the name, the second the size of reads and the row behind which reading goes on: what follows
//! is what follows in one go.
#![no_main]

use fuzz::{Pieces, Step, What};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 8] =
    ["x.csv", "x.tsv", "x.json", "x.jsonl", "x.csv.gz", "x.zip", "x.csv.zst", "x.json.bz2"];

fuzz_target!(|data: &[u8]| {
    let [name, choice, bytes @ ..] = data else { return };
    let name = NAMES[usize::from(*name) % NAMES.len()];
    let choice = usize::from(*choice);
    let whole = fuzz::read(bytes, name, &fuzz::limits());
    if whole.is_empty() {
        return;
    }
    let index = choice % whole.len();
    if matches!(whole[index].what, What::Fault { .. } | What::Failed(_)) {
        return;
    }
    let object = Box::new(Pieces::new(bytes, choice));
    let rest = fuzz::read_from(object, name, &fuzz::limits(), whole[index].behind);
    assert_eq!(rows(&rest), rows(&whole[index + 1..]), "behind {:?}", whole[index]);
});

/// Columns come again where reading begins.
fn rows(steps: &[Step]) -> Vec<&What> {
    steps.iter().map(|step| &step.what).filter(|what| !what.is_columns()).collect()
}
