//! A short run of the fuzz targets; `make fuzz SECONDS=…` runs them as long as one likes.

mod fuzz;

use fuzz::{INPUT_BYTES_MAX, Random, TARGETS, input, seeds};

#[test]
fn no_almost_right_input_breaks_a_decoder() {
    for target in &TARGETS {
        let seeds = seeds(target);
        assert!(1 < seeds.len(), "no seeds of {} under fuzz/corpus", target.name);
        for seed in seeds.iter().filter(|seed| seed.len() <= INPUT_BYTES_MAX) {
            (target.run)(seed);
        }
        for number in 0..2000 {
            let bytes = input(target, &seeds, &mut Random::new(number));
            assert!(bytes.len() <= INPUT_BYTES_MAX);
            (target.run)(&bytes);
        }
    }
}
