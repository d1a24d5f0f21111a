//! reflex-standalone
