//! A throwaway Debian host, booted.
