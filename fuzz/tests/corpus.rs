//! Every target over the inputs that are kept of it.

use std::fs;
use std::path::Path;

use tq_fuzz::{TARGETS, run};

#[test]
fn kept_inputs() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, ..) in TARGETS {
        let mut inputs = 0;
        for entry in fs::read_dir(corpus.join(name)).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            run(name, &fs::read(&path).unwrap());
            inputs += 1;
        }
        assert!(inputs > 5, "{name}: {inputs} inputs");
    }
}
