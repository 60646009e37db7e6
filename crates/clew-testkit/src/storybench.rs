//! Whether one attack becomes one story: made-up tenants, attacks whose truth is known, figures.
//!
//! Events, not findings, are made up, and run through the engine with the rules that ship, so what
//! is measured is what users get. The same seed gives the same events.
//!
//! Reading order: [`truth`], [`world`] with [`requests`] and [`records`] (how events are made),
//! [`tenant`] and [`benign`] (who is there, and a day's work), [`attacks`], [`run`], then how it is
//! judged: [`metrics`], [`baselines`], [`order`], [`report`], [`miss`]; [`live`] fills the join engine.

pub mod attacks;
pub mod baselines;
pub mod benign;
pub mod live;
pub mod metrics;
pub mod miss;
pub mod order;
pub mod random;
pub mod records;
pub mod report;
pub mod requests;
pub mod run;
pub mod tenant;
pub mod truth;
pub mod world;
