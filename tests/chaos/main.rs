//! What must hold when something dies, stalls, repeats itself or makes no sense: one story per file.
//!
//! [`standalone_is_killed`] is the great one: a real process on real data, killed twenty times under load. Its rooms:
//! [`script`] (what happens, from a seed), [`installation`] (the process), [`crowd`] (who sends and calls), [`checker`]
//! (what came of it). The others
//! run on a suite of their own, each in its [`scene`].

#![cfg(test)]

mod checker;
mod crowd;
mod events_come_twice;
mod imports_are_undone;
mod installation;
mod late_ladders_climb_together;
mod ledger;
mod poison_is_set_aside;
mod retries_have_one_effect;
mod scene;
mod script;
mod shards_are_taken_over;
mod standalone_is_killed;
