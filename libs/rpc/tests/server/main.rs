//! Servers and clients over real sockets.

mod calls;
mod harness;
mod traces;
