//! reflex-leads
