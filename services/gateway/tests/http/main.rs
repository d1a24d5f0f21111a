//! The gateway over real sockets, in front of services that do what a test says.
#![cfg(test)]

mod actions;
mod backend;
mod client;
mod connections;
mod edge;
mod form_pages;
mod forms;
mod gateway;
mod health;
mod rpc;
mod streams;
