//! Persistent homology. Knows nothing of recordings.
