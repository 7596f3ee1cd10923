//! Associations, by the attributes that they lead to.
