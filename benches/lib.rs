//! Nothing here: each bench is a file beside this one.
