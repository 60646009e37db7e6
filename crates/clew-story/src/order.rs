//! How much the order of tactics speaks for an attack.
//!
//! A first-order Markov model: a step's tactic given that of the step before, against the same
//! tactic anywhere. The numbers are counted in the 39 published attacks of the Attack Flow corpus
//! (Center for Threat-Informed Defense, 697 transitions between actions, Apache-2.0), smoothed by
//! eight assumed transitions a row; `scripts/tactic-order` counts them anew. They know nothing of
//! how honest work is ordered, so what they add or take is bounded.

use crate::attack::Tactic;

/// Bits that the order of tactics adds or takes at most.
pub(crate) const ORDER_BITS_MAX: f64 = 4.0;

/// Tenths of a bit by which a tactic (column) is likelier after another (row) than anywhere; both
/// in the order of [`Tactic`].
#[rustfmt::skip]
const TENTHS: [[i8; 14]; 14] = [
    [23, -18, 27, -7, -4, -18, -18, -2, -9, 1, 9, 3, -18, -18], // Reconnaissance
    [-12, -12, 27, 5, -12, -12, -4, -12, -3, 0, 7, -12, -12, 4], // ResourceDevelopment
    [-3, -30, 20, 12, 6, -1, -6, 4, -21, -11, 2, 0, -30, -30], // InitialAccess
    [-8, 11, -35, -2, 9, -6, 5, -3, 3, -22, -7, 2, -15, 4], // Execution
    [9, -27, -27, 1, 5, -6, 7, 1, -5, -8, -27, 5, -27, -3], // Persistence
    [-22, -22, -22, 0, -8, 13, -8, -6, 3, 8, 11, -11, 6, 3], // PrivilegeEscalation
    [-38, -38, -8, 3, 2, -9, 2, 1, 3, -3, -1, -5, -5, 6], // DefenseEvasion
    [16, -26, 5, -4, 0, 16, -6, -10, -11, 18, -26, -26, 2, -26], // CredentialAccess
    [-35, -35, -35, -7, -3, 6, -13, 10, 5, -8, 4, 5, 7, 5], // Discovery
    [10, 14, -31, -1, -6, -10, -3, 11, -3, 13, 5, -3, -31, -31], // LateralMovement
    [-21, -21, 1, -21, -21, -21, -1, -5, -6, 3, 12, 0, 27, -21], // Collection
    [-2, 7, -38, -1, -1, 3, 5, -22, 5, -8, -18, 3, 6, -9], // CommandAndControl
    [-14, -14, -14, -3, -14, -14, -1, -14, -5, -1, 6, 13, -14, 11], // Exfiltration
    [-20, -20, -20, -2, -20, -20, 8, -20, 2, -20, 0, -4, -20, 20], // Impact
];

/// Bits of tactics in the order in which they were seen.
pub(crate) fn bits(tactics: &[Tactic]) -> f64 {
    let tenths = tactics.windows(2).map(|pair| match pair {
        [before, after] => follows(*before, *after),
        _ => 0,
    });
    let sum: i64 = tenths.map(i64::from).sum();
    #[allow(clippy::cast_precision_loss, reason = "clamped to a few bits")]
    let bits = sum as f64 / 10.0;
    bits.clamp(-ORDER_BITS_MAX, ORDER_BITS_MAX)
}

fn follows(before: Tactic, after: Tactic) -> i8 {
    let row = TENTHS.get(before as usize);
    row.and_then(|row| row.get(after as usize)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attacks_go_from_collection_to_exfiltration_and_not_from_discovery_to_initial_access() {
        assert!((bits(&[Tactic::Collection, Tactic::Exfiltration]) - 2.7).abs() < 1e-9);
        assert!((bits(&[Tactic::Discovery, Tactic::InitialAccess]) + 3.5).abs() < 1e-9);
        assert!(bits(&[Tactic::Impact]).abs() < 1e-9);
    }

    #[test]
    fn the_order_adds_or_takes_at_most_order_bits_max() {
        let swing = |pair: [Tactic; 2]| bits(&pair.repeat(30));
        let there = swing([Tactic::Collection, Tactic::Exfiltration]);
        assert!((there - ORDER_BITS_MAX).abs() < 1e-9);
        let back = swing([Tactic::InitialAccess, Tactic::Impact]);
        assert!((back + ORDER_BITS_MAX).abs() < 1e-9);
    }
}
