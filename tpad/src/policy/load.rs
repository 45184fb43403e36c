//! Reads the configuration, whole or not at all.
