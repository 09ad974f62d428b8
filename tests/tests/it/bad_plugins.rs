//! Plugins that are missing, of the wrong kind, or hostile: each is named with its remedy, and the host is unhurt.
