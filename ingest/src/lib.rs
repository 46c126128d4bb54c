//! Receive, keep a window per client of the worker's sites, ask `locate`, hand out fixes.
