//! What the installed package does on booted hosts, one story a test.
//!
//! One program plays them all: where one story waits, another goes on.

mod abuse;
mod ask;
mod audit;
mod audit_log;
mod audit_record;
mod callers;
mod cli;
mod clock;
mod configuration;
mod contain;
mod crash;
mod crash_points;
mod dead;
mod decision;
mod directory;
mod disk;
mod doctor;
mod doors;
mod drift;
mod end;
mod extend;
mod flood;
mod glass;
mod guides;
mod hold;
mod hostile;
mod identity;
mod lifecycle;
mod login;
mod names;
mod notify;
mod package;
mod packed;
mod request;
mod security_page;
mod stack;
mod sudo;
mod tools;
mod transplant;
mod union;
mod upgrade;
mod watch;
mod whose_voice;
mod workflow;
