//! How much is being worked on, and when it is too much.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use reflex_runtime::telemetry;

/// Counts the calls that are being worked on.
pub(super) struct Load {
    in_flight: AtomicUsize,
    max: usize,
}

/// A call's place among those that are worked on; dropping it makes room.
pub(super) struct Slot(Arc<Load>);

impl Load {
    /// Returns an empty count, shown as a metric for as long as it lives.
    pub(super) fn new(max: usize) -> Arc<Self> {
        let load = Arc::new(Self {
            in_flight: AtomicUsize::new(0),
            max,
        });
        let shown = Arc::downgrade(&load);
        telemetry::meter()
            .u64_observable_gauge("rpc.server.in_flight")
            .with_description("Calls that are being worked on")
            .with_callback(move |gauge| {
                if let Some(load) = shown.upgrade() {
                    gauge.observe(load.in_flight.load(Ordering::Relaxed) as u64, &[]);
                }
            })
            .build();
        load
    }

    /// Takes a place, unless all are taken.
    pub(super) fn enter(load: &Arc<Self>) -> Option<Slot> {
        let before = load.in_flight.fetch_add(1, Ordering::Relaxed);
        let slot = Slot(Arc::clone(load));
        (before < load.max).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_come_back() {
        let load = Load::new(2);
        let (first, second) = (Load::enter(&load), Load::enter(&load));
        assert!(first.is_some() && second.is_some());
        for _refused_ones_take_no_place in 0..3 {
            assert!(Load::enter(&load).is_none());
        }
        drop(first);
        assert!(Load::enter(&load).is_some());
        drop(second);
        assert_eq!(load.in_flight.load(Ordering::Relaxed), 0);
    }
}
