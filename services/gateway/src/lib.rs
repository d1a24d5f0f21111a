//! reflex-gateway
