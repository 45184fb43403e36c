//! Makes the host what the plan says.
