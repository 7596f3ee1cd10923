//! The actions, against what the Collector does.
